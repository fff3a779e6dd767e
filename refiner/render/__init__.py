"""Renders of posed hands with exact labels: rasteriser, analytic camera noise, scenes, and the store made of them."""
