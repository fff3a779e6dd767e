"""Which frames are alike, and which few are worth a person's time."""
