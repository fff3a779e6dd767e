"""The annotation page: a canvas of its own for the joints, and NiceGUI for what is around it."""
