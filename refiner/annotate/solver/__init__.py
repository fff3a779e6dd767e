"""Joints under exact bone lengths: what a pose costs, and Levenberg-Marquardt on one frame or a whole sequence."""
