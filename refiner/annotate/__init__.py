"""Semi-automatic annotation of depth sequences (Oberweger et al. 2016, arXiv 1605.03389)."""
