"""Holes in depth maps: gaps that a map's own readings enclose.

So renders and camera maps are measured alike, although nobody knows the true silhouette of a camera map. A gap that is
open to the background or to the border of the map is no hole.
"""

import cv2
import numpy as np
from numpy.typing import NDArray


def silhouettes(readings: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return readings and the holes between them.

    Args:
        readings: (n, H, W), true where there is a reading.

    Returns:
        (n, H, W).
    """
    result = np.empty_like(readings)
    for filled, map_ in zip(result, readings, strict=True):
        regions = cv2.connectedComponents(_missing(map_), connectivity=4)[1]
        filled[:] = (regions != regions[0, 0])[1:-1, 1:-1]
    return result


def hole_rate(readings: NDArray[np.bool_]) -> float:
    """Return the share of the hands that is holes, holes / (readings + holes), in [0, 1); 0 where there is no hand.

    Args:
        readings: (n, H, W), of all hands together.
    """
    hand = int(silhouettes(readings).sum())
    return 1 - int(readings.sum()) / hand if hand else 0.0


def hole_sizes_px(readings: NDArray[np.bool_]) -> list[int]:
    """Return the number of pixels of each hole of one map; what touches by the four neighbours is one hole.

    Args:
        readings: (H, W).
    """
    count, regions, stats, _ = cv2.connectedComponentsWithStats(_missing(readings), connectivity=4)
    return [int(stats[region, cv2.CC_STAT_AREA]) for region in range(1, count) if region != regions[0, 0]]


def _missing(readings: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Return a map's gaps with a border of them all around, so that all that is outside is one gap."""
    return np.pad((~readings).astype(np.uint8), 1, constant_values=1)
