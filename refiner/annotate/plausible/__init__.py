"""Whether labels make sense beside the depth that they lie on: which joints, images and files are in doubt, and why."""
