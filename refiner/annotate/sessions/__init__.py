"""A folder that a sequence is annotated in: labels, their history, reference frames and results, safe from a kill."""
