"""Scripts that print what they measured; nothing imports them."""
