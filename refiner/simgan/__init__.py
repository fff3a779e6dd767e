"""SimGAN: losses, history, schedule, training and the refining of whole sets."""
