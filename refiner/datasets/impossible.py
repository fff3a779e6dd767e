"""Labels that no hand in its crop can have: how sets code a joint that nobody labelled.

Some write -1 or 0 for all three coordinates, some leave every joint in one place. Such joints count as unknown, as NaN
does, wherever a store's joints are read; `refiner inspect` names them.
"""

import numpy as np
from numpy.typing import NDArray

FAR_CUBES = 1.0
"""Farther from the cube's centre along an axis than this many sides of the cube: the cube itself reaches to 0.5."""


def impossible_joints(
    joints_mm: NDArray[np.floating], centre_mm: NDArray[np.floating], cube_mm: NDArray[np.floating]
) -> dict[str, NDArray[np.bool_]]:
    """Find joints that cannot be where their label is.

    Args:
        joints_mm: (N, J, 3) in the camera's frame, NaN where unknown.
        centre_mm: (N, 3) centres of the crop cubes.
        cube_mm: (N,) sides of the crop cubes.

    Returns:
        Reason -> (N, J), true where it holds. A joint has one reason at most.
    """
    joints = np.asarray(joints_mm, np.float64)
    known = np.isfinite(joints).all(axis=-1)
    behind = known & (joints[..., 2] <= 0)
    first = np.take_along_axis(joints, known.argmax(axis=1)[:, None, None], axis=1)
    elsewhere = known & np.any(joints != first, axis=-1)
    alike = known & (known.sum(axis=1) > 1)[:, None] & ~elsewhere.any(axis=1)[:, None]
    with np.errstate(invalid="ignore"):
        away = np.abs(joints - centre_mm[:, None]).max(axis=-1) > FAR_CUBES * cube_mm[:, None]
    return {
        "behind the camera": behind,
        "all joints in one place": alike & ~behind,
        "far outside the cube": known & away & ~behind & ~alike,
    }
