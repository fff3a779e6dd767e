"""Pinhole cameras, the crop cube, and the codec between millimetres and network values."""
