"""Pose estimators: 3D joints from depth maps, and how good they are."""
