"""Crop coordinates of joints: what a pose network answers in, and back to millimetres.

u and v run from -1 to +1 over the map, edge to edge, d from -1 to +1 over the depth of the crop cube, like the
network's depth values: a network that sees only the crop can know no more. The item's camera and cube give the rest.
"""

import numpy as np
from numpy.typing import NDArray

from refiner.geometry.camera import project, unproject


def to_crop(
    joints_mm: NDArray[np.floating],
    camera: NDArray[np.floating],
    centre_mm: NDArray[np.floating],
    cube_mm: NDArray[np.floating],
    size: int,
) -> NDArray[np.float32]:
    """Turn camera-frame joints into crop coordinates.

    Args:
        joints_mm: (N, J, 3), NaN where unknown.
        camera: (N, 4), of the maps.
        centre_mm: (N, 3).
        cube_mm: (N,).
        size: Side of the maps in pixels.

    Returns:
        (N, J, 3).
    """
    uv = (project(joints_mm, camera[:, None]) - (size - 1) / 2) / (size / 2)
    d = (joints_mm[..., 2] - centre_mm[:, None, 2]) / (cube_mm[:, None] / 2)
    return np.concatenate([uv, d[..., None]], axis=-1).astype(np.float32)


def to_mm(
    joints: NDArray[np.floating],
    camera: NDArray[np.floating],
    centre_mm: NDArray[np.floating],
    cube_mm: NDArray[np.floating],
    size: int,
) -> NDArray[np.float32]:
    """Turn crop coordinates (N, J, 3) into camera-frame joints in mm, the inverse of `to_crop`."""
    uv_px = joints[..., :2].astype(np.float64) * (size / 2) + (size - 1) / 2
    z_mm = centre_mm[:, None, 2] + joints[..., 2].astype(np.float64) * (cube_mm[:, None] / 2)
    return unproject(uv_px, z_mm, camera[:, None]).astype(np.float32)
