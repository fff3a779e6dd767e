"""Files of other annotation tools: what they say of joints in pictures, taken back as labels of frames, and written."""
