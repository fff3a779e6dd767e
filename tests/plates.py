"""Maps of tilted plates, with noise and holes."""

import numpy as np


def plates(count=4, noise=0.0, holes=0.0, seed=0):
    """Tilted plates of 40 x 40 px in maps of 64 px."""
    rng = np.random.default_rng(seed)
    depth = np.zeros((count, 64, 64), np.float32)
    depth[:, 12:52, 12:52] = 600 + np.arange(40) + rng.normal(0, noise, (count, 40, 40))
    depth[:, 13:51, 13:51][rng.random((count, 38, 38)) < holes] = 0
    return depth
