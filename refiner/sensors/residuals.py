"""What the surface around a reading leaves of it: how strong noise is, and how alike that of neighbours is."""

import cv2
import numpy as np
from numpy.typing import NDArray

WINDOW_PX = 5


def surface_residuals_mm(depth_mm: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Return by how much each reading differs from the surface around it, and where that is known.

    The surface is the quadratic one of least squares through the square of `WINDOW_PX` around the pixel; a plane would
    count the roundness of fingers as noise. It is known where all pixels of the square are readings.

    Args:
        depth_mm: (n, H, W), 0 = no reading.

    Returns:
        (n, H, W) mm, 0 where not known; and the mask.
    """
    residual = np.zeros_like(depth_mm)
    known = np.zeros(depth_mm.shape, bool)
    square = np.ones((WINDOW_PX, WINDOW_PX), np.uint8)
    for item, map_ in enumerate(depth_mm):
        known[item] = cv2.erode((map_ > 0).astype(np.uint8), square, borderValue=0) > 0
        middle = np.float64(map_[map_ > 0].mean()) if (map_ > 0).any() else 0.0
        smooth = cv2.filter2D(map_.astype(np.float64) - middle, -1, _SMOOTHING)
        residual[item] = np.where(known[item], map_ - middle - smooth, 0)
    return residual, known


def noise_mm_of(depth_mm: NDArray[np.float32]) -> float:
    """Return the standard deviation in mm of the white noise that would leave such residuals; 0 where none is known.

    From the median of their sizes, so that edges between fingers hardly count: 1.4826 of it is the standard deviation
    of a normal distribution, and white noise of deviation s leaves residuals of s sqrt(1 - h), where h is the weight of
    a reading in its own surface.
    """
    residual, known = surface_residuals_mm(depth_mm)
    if not known.any():
        return 0.0
    own_weight = _SMOOTHING[WINDOW_PX // 2, WINDOW_PX // 2]
    return float(1.4826 * np.median(np.abs(residual[known])) / np.sqrt(1 - own_weight))


def noise_correlation(depth_mm: NDArray[np.float32], most_mm: float = 10.0) -> float:
    """Return the correlation of the residuals of neighbours in a row, less what white noise leaves.

    0 where no residual is known, or all are 0.

    Args:
        depth_mm: (n, H, W), 0 = no reading.
        most_mm: Pairs of which one residual is larger lie at an edge, and do not count.
    """
    residual, known = surface_residuals_mm(depth_mm)
    left, right = residual[..., :-1], residual[..., 1:]
    both = known[..., :-1] & known[..., 1:] & (np.abs(left) < most_mm) & (np.abs(right) < most_mm)
    power = np.square(left[both], dtype=np.float64).sum() + np.square(right[both], dtype=np.float64).sum()
    if power == 0:
        return 0.0
    return float(2 * np.multiply(left[both], right[both], dtype=np.float64).sum() / power) - _WHITE_CORRELATION


def _smoothing_weights() -> NDArray[np.float64]:
    """Return the weights of the readings of a square in the value that the quadratic surface takes in its middle."""
    half = WINDOW_PX // 2
    v, u = (axis.ravel().astype(np.float64) for axis in np.mgrid[-half : half + 1, -half : half + 1])
    terms = np.stack([np.ones_like(u), u, v, u * u, u * v, v * v], axis=1)
    return np.linalg.pinv(terms)[0].reshape(WINDOW_PX, WINDOW_PX)


def _white_correlation() -> float:
    """Return the correlation of neighbours' residuals that white noise leaves, since their squares overlap."""
    filtered = -np.pad(_smoothing_weights(), ((0, 0), (0, 1)))
    filtered[WINDOW_PX // 2, WINDOW_PX // 2] += 1
    shifted = np.roll(filtered, 1, axis=1)
    return float((filtered * shifted).sum() / np.square(filtered).sum())


_SMOOTHING = _smoothing_weights()
_WHITE_CORRELATION = _white_correlation()
