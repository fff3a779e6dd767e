"""What the measures look at: millimetres in the coarser of two depth units."""

import numpy as np
from numpy.typing import NDArray

from refiner.datasets.inspection import read_items
from refiner.datasets.store import DepthStore
from refiner.geometry.depth import to_mm


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
