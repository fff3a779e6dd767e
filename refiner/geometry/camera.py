"""The pinhole camera.

A camera is four numbers (fx, fy, cx, cy) in pixels. The camera frame is x right, y down, z away from the camera, in
millimetres; pixels are u right and v down with their centres at integers, so an image of width W spans [-0.5, W - 0.5].
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray


def project(points_mm: ArrayLike, camera: ArrayLike) -> NDArray[np.float64]:
    """Project camera-frame points to pixels: u = fx x / z + cx, v = fy y / z + cy.

    Args:
        points_mm: (..., 3), z > 0.
        camera: (..., 4), broadcast against the leading axes of the points: one camera for a set of K points of each
            of N items has the shape (N, 1, 4).

    Returns:
        (..., 2) pixels.
    """
    points, intrinsics = np.asarray(points_mm, dtype=np.float64), np.asarray(camera, dtype=np.float64)
    return points[..., :2] / points[..., 2:3] * intrinsics[..., :2] + intrinsics[..., 2:]


def unproject(uv_px: ArrayLike, depth_mm: ArrayLike, camera: ArrayLike) -> NDArray[np.float64]:
    """Lift pixels of known depth to camera-frame points, the inverse of `project`.

    Args:
        uv_px: (..., 2).
        depth_mm: (...), the z of each point, not its distance from the camera.
        camera: (..., 4), broadcast as in `project`.

    Returns:
        (..., 3) millimetres.
    """
    uv, intrinsics = np.asarray(uv_px, dtype=np.float64), np.asarray(camera, dtype=np.float64)
    z = np.asarray(depth_mm, dtype=np.float64)[..., None]
    xy = (uv - intrinsics[..., 2:]) / intrinsics[..., :2] * z
    return np.concatenate([xy, np.broadcast_to(z, (*xy.shape[:-1], 1))], axis=-1)


def crop_camera(centre_mm: ArrayLike, cube_mm: ArrayLike, size: int) -> NDArray[np.float64]:
    """Give the camera of a crop whose square covers the cube's middle plane exactly.

    The square of side `cube_mm` at the depth of the centre maps to [-0.5, size - 0.5] on both axes, so both focal
    lengths of the crop are size z / cube, whatever the focal length of the camera it was cut from.

    Args:
        centre_mm: (..., 3), the cube's centre, z > 0.
        cube_mm: (...), its side.
        size: Side of the crop in pixels.

    Returns:
        (..., 4) fx fy cx cy of the crop.
    """
    centre, cube = np.asarray(centre_mm, dtype=np.float64), np.asarray(cube_mm, dtype=np.float64)
    focal = size * centre[..., 2] / cube
    principal = (size - 1) / 2 - focal[..., None] * centre[..., :2] / centre[..., 2:3]
    return np.concatenate([focal[..., None], focal[..., None], principal], axis=-1)
