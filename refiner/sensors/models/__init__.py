"""Analytic models of depth cameras, each in two parts: optics and noise."""
