"""From labels to the joints of all frames: lift, propagate, optimize; and what of them a correction reaches."""
