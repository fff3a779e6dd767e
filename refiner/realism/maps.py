"""What the measures look at: millimetres in the coarser of two depth units, and frames kept apart in blocks."""

import numpy as np
from numpy.typing import NDArray

from refiner.datasets.inspection import read_items, spread_items
from refiner.datasets.store import DepthStore
from refiner.geometry.depth import to_mm

BLOCKS = 40
"""A store is cut into so many runs of neighbouring items; those of one run are trained on or tested on together."""


def read_depth_mm(store: DepthStore, items: NDArray[np.int64], unit_mm: float) -> NDArray[np.float32]:
    """Read maps in mm, rounded to a unit: two sets are compared in the coarser of theirs, so that steps tell nothing.

    Args:
        store: The dataset.
        items: (n,), ascending.
        unit_mm: Coarser unit of the sets that are compared.

    Returns:
        (n, H, W) float32, 0 = no reading.
    """
    depth_mm = to_mm(read_items(store, "depth", items), store.depth_unit_mm)
    rounded = np.rint(depth_mm / unit_mm) * unit_mm
    return np.where(depth_mm > 0, np.maximum(rounded, unit_mm), 0).astype(np.float32)


def in_blocks(count: int, most: int, seed: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Choose items to train and to test on, from separate runs of neighbours, since neighbours are nearly the same.

    Args:
        count: Items in the store.
        most: Items of each kind at most, spread evenly.
        seed: Which blocks are which.

    Returns:
        Both ascending; about as many of each.
    """
    block = np.arange(count) * BLOCKS // max(count, 1)
    order = np.random.default_rng(seed).permutation(BLOCKS)
    testing = np.isin(block, order[: BLOCKS // 2])
    kinds = (np.flatnonzero(part) for part in (~testing, testing))
    return tuple(items[spread_items(len(items), most)] for items in kinds)  # pyright: ignore[reportReturnType]
