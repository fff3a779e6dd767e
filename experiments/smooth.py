"""Maps without their noise: means over the readings near each pixel."""

import cv2
import numpy as np
from numpy.typing import NDArray


def mean_of_readings(depth_mm: NDArray[np.float32], blur_px: float) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the share of readings under a Gaussian at each pixel, and their mean.

    Args:
        depth_mm: (H, W), 0 = no reading.
        blur_px: Its standard deviation.

    Returns:
        Two of (H, W); the mean of no reading is 0.
    """
    share, total = (cv2.GaussianBlur(a.astype(np.float32), (0, 0), blur_px) for a in (depth_mm > 0, depth_mm))
    mean = total / np.maximum(share, 1e-6)
    return share.astype(np.float32), mean.astype(np.float32)
