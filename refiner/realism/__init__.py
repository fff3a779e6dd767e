"""How real refined maps look, measured without labels, and whether their labels still hold."""
