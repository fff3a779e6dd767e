"""The hand: joint sets, a posable mesh whose joints are known exactly, and what poses hands take."""
