"""What windows make of surfaces in maps that are cropped already: slits that are narrower are not seen."""

import cv2
import numpy as np
from numpy.typing import NDArray

_FAR_MM = 1e6


def close_slits(depth_mm: NDArray[np.float32], window_px: int) -> NDArray[np.float32]:
    """Close what is narrower than a window: gaps between fingers, and folds between those that are bent.

    A camera that matches windows shows the depth of most of what is in them. Surface that is narrower than a window is
    taken to be as near as what lies around it, a gap to be filled: the nearest depth in each window, then the farthest
    of these (a morphological closing of the surface). Straight outlines and steps stay where they are.

    Args:
        depth_mm: (H, W), 0 = no reading.
        window_px: Side of the window in pixels of this map, odd; 1 changes nothing.

    Returns:
        The same shape; nowhere farther than it was.
    """
    if window_px == 1:
        return depth_mm
    surface = np.where(depth_mm > 0, depth_mm, np.float32(_FAR_MM))
    # Continued beyond the border: what is unknown there closes nothing.
    surface = np.pad(surface, window_px, mode="edge")
    surface = cv2.morphologyEx(surface, cv2.MORPH_OPEN, np.ones((window_px, window_px), np.uint8))
    surface = surface[window_px:-window_px, window_px:-window_px]
    return np.where(surface < _FAR_MM, surface, 0).astype(np.float32)
