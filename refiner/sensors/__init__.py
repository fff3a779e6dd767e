"""What a depth camera is: its facts, what it sees, its noise, and what maps tell about it."""
