"""A zoo of cameras: what a refiner is worth on cameras of unlike kinds, beside controls without a network."""
