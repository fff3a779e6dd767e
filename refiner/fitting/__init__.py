"""The hand model laid on depth maps without labels: poses and shapes of a recording, for renders that imitate it."""
