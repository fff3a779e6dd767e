"""Labelled depth maps of hands that look as if a real camera had taken them."""

__version__ = "0.2.0"
