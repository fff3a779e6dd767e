"""What a store holds: the table of its arrays, and the check of what was found against it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from refiner.errors import StoreError

FORMAT = "depth-refiner/1"

# Name -> (type, axes after N). H and W are the map's sides, J joints, 3 and 4 as they stand; `...` is anything.
ARRAYS: dict[str, tuple[str, tuple[Any, ...]]] = {
    "depth": ("uint16", ("H", "W")),
    "camera": ("float32", (4,)),
    "centre_mm": ("float32", (3,)),
    "cube_mm": ("float32", ()),
    "image_px": ("float32", (4,)),
    "joints_mm": ("float32", ("J", 3)),
    "visible": ("bool", ("J",)),
    "source": ("string", ()),
    "sequence": ("int32", ()),
    "frame": ("int32", ()),
    "side": ("int32", ()),
    "subject": ("int32", ()),
    "pose": ("float32", (...,)),
    "shape": ("float32", (...,)),
    "misfit_mm": ("float32", ()),
}
REQUIRED = ("depth", "camera", "centre_mm", "cube_mm")


def check_arrays(arrays: Mapping[str, Any], path: Path) -> None:
    """Check the names, types and shapes of a store's arrays.

    Args:
        arrays: Name -> Zarr array.
        path: Where the store lies, for the messages.

    Raises:
        StoreError: One is missing, or of another type or shape than the format says.
    """
    missing = [name for name in REQUIRED if name not in arrays]
    if missing:
        raise StoreError(f"{path} lacks the arrays {missing}; wanted at least {list(REQUIRED)}.")
    depth = arrays["depth"]
    if depth.ndim != 3 or depth.shape[1] != depth.shape[2]:
        raise StoreError(f"{path}: found depth of shape {depth.shape}, wanted (N, size, size).")
    sizes: dict[Any, int] = {"H": depth.shape[1], "W": depth.shape[2]}
    for name, array in arrays.items():
        dtype, axes = ARRAYS[name]
        if dtype != "string" and array.dtype != np.dtype(dtype):
            raise StoreError(f"{path}: found {name} of type {array.dtype}, wanted {dtype}.")
        wanted = tuple(
            sizes.setdefault(axis, n) if isinstance(axis, str) else axis
            for axis, n in zip(axes, array.shape[1:], strict=False)
        )
        open_ended = axes == (...,)
        if (
            array.shape[0] != depth.shape[0]
            or (not open_ended and array.shape[1:] != wanted)
            or (not open_ended and len(array.shape) - 1 != len(axes))
        ):
            raise StoreError(
                f"{path}: found {name} of shape {array.shape}, wanted ({depth.shape[0]}, "
                f"{', '.join(str(axis) for axis in axes)}) as depth has {depth.shape}."
            )
