"""What lies within a camera's blur is mixed."""

import cv2
import numpy as np
from numpy.typing import NDArray


def mean_of_readings(depth_mm: NDArray[np.float32], blur_px: float) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Give the share of readings under a Gaussian at each pixel, and their mean.

    Args:
        depth_mm: (H, W), 0 = no reading.
        blur_px: Its standard deviation.

    Returns:
        Two of (H, W); the mean of no reading is 0.
    """
    share, total = (cv2.GaussianBlur(a.astype(np.float32), (0, 0), blur_px) for a in (depth_mm > 0, depth_mm))
    mean = total / np.maximum(share, 1e-6)
    return share.astype(np.float32), mean.astype(np.float32)


def mix_surfaces(depth_mm: NDArray[np.float32], blur_px: float) -> NDArray[np.float32]:
    """Mix surfaces at the edges between them, as time of flight does: the light of both comes back to one pixel.

    What two phases make together lies between them, about as far as their lights are strong while they differ by much
    less than a turn (of a second Kinect's 80 MHz 1.9 m). Of the hand with what lies behind it nothing is said here: a
    map holds the hand alone.

    Args:
        depth_mm: (H, W), 0 = no reading.
        blur_px: Standard deviation of the point spread; 0 changes nothing.

    Returns:
        The same shape, readings where they were.
    """
    if blur_px == 0:
        return depth_mm
    return np.where(depth_mm > 0, mean_of_readings(depth_mm, blur_px)[1], np.float32(0))
