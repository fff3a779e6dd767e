"""What a frame looks like, as numbers: histograms of oriented gradients of depth crops.

The layout is the usual one (Dalal and Triggs 2005) for a crop of 128 px: cells of 16 px, 9 unsigned directions, blocks
of 2 x 2 cells at every cell. Cells grow with the crop, so that any size gives the same 1,764 numbers.
"""

import numpy as np
from numpy.typing import NDArray

from refiner.annotate.references.maps import Maps

CELLS, BINS = 8, 9
HOG_NUMBERS = (CELLS - 1) ** 2 * 4 * BINS
_TOGETHER = 16
"""Frames computed at once: what they need stays in the processor's cache."""


def hog(depth_mm: Maps) -> NDArray[np.float32]:
    """Describe depth crops by the directions of their edges.

    Every map is first stretched over its own readings, the nearest 1, the farthest and pixels without a reading 0.

    Args:
        depth_mm: (N, H, W) with H and W of at least 8, 0 = no reading.

    Returns:
        (N, 1764), each of length 1, but all 0 where a map has no edge, as an empty one.
    """
    if len(depth_mm.shape) != 3 or min(depth_mm.shape[1:]) < CELLS:
        raise ValueError(f"Found depth maps of shape {depth_mm.shape}, wanted (N, H, W) of at least {CELLS} px a side.")
    numbers = np.empty((len(depth_mm), HOG_NUMBERS), np.float32)
    for start in range(0, len(depth_mm), _TOGETHER):
        part = np.asarray(depth_mm[start : start + _TOGETHER], np.float32)
        numbers[start : start + len(part)] = _in_blocks(_cell_histograms(_stretched(part)))
    return numbers


def _stretched(depth_mm: NDArray[np.float32]) -> NDArray[np.float32]:
    far = depth_mm.max(axis=(1, 2), keepdims=True)
    reading = depth_mm > 0
    near = np.min(depth_mm, axis=(1, 2), keepdims=True, where=reading, initial=np.inf)
    span = np.where(far > near, far - near, np.float32(1))
    return (far - depth_mm) / span * reading


def _cell_histograms(bright: NDArray[np.float32]) -> NDArray[np.float64]:
    """Sum gradients by cell and direction, each shared between the two nearest directions: (n, CELLS, CELLS, BINS)."""
    count, rows, columns = bright.shape
    right, down = np.zeros_like(bright), np.zeros_like(bright)
    np.subtract(bright[:, :, 2:], bright[:, :, :-2], out=right[:, :, 1:-1])
    np.subtract(bright[:, 2:], bright[:, :-2], out=down[:, 1:-1])
    # Most of a crop is flat background: nothing but its edges is worth an arc tangent.
    edges = np.flatnonzero((right != 0) | (down != 0))
    right, down = right.ravel()[edges], down.ravel()[edges]
    strength = np.sqrt(right * right + down * down)
    direction = np.arctan2(down, right) * np.float32(BINS / np.pi) - np.float32(0.5)
    lower = np.floor(direction)
    share = direction - lower
    lower = lower.astype(np.int64) % BINS
    cells = (np.arange(rows) * CELLS // rows)[:, None] * CELLS + np.arange(columns) * CELLS // columns
    places = (np.arange(count)[:, None] * CELLS**2 + cells.ravel()).ravel()[edges] * BINS
    total = count * CELLS**2 * BINS
    lower_sums = np.bincount(places + lower, weights=strength * (1 - share), minlength=total)
    upper_sums = np.bincount(places + (lower + 1) % BINS, weights=strength * share, minlength=total)
    return np.asarray(lower_sums + upper_sums, np.float64).reshape(count, CELLS, CELLS, BINS)


def _in_blocks(cells: NDArray[np.float64]) -> NDArray[np.float64]:
    corners = (cells[:, :-1, :-1], cells[:, :-1, 1:], cells[:, 1:, :-1], cells[:, 1:, 1:])
    blocks = np.concatenate(corners, axis=-1)
    # A block that is nearly flat stays nearly 0 instead of growing to full length.
    blocks /= np.sqrt((blocks**2).sum(axis=-1, keepdims=True) + 1e-4)
    numbers = blocks.reshape(len(cells), -1)
    length = np.linalg.norm(numbers, axis=1, keepdims=True)
    return np.divide(numbers, length, out=numbers, where=length > 0)
