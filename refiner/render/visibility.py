"""Which joints a depth map shows: the one rule for `visible`."""

import numba
import numpy as np
from numpy.typing import ArrayLike, NDArray

SLACK_MM = 15.0


@numba.njit(nogil=True, cache=True)
def _visible(depth_mm, fx, fy, cx, cy, joints_mm, offset_mm, out):
    rows, columns = depth_mm.shape
    for k in range(joints_mm.shape[0]):
        x, y, z = joints_mm[k]
        out[k] = False
        if z <= 0.0:
            continue
        # Pixel centres lie at integers.
        u, v = int(np.floor(fx * x / z + cx + 0.5)), int(np.floor(fy * y / z + cy + 0.5))
        if 0 <= u < columns and 0 <= v < rows and depth_mm[v, u] > 0.0:
            out[k] = z - depth_mm[v, u] < offset_mm[k] + SLACK_MM


def visible_joints(
    depth_mm: NDArray[np.float32], camera: ArrayLike, joints_mm: NDArray[np.floating], offset_mm: NDArray[np.floating]
) -> NDArray[np.bool_]:
    """Say which joints are seen: depth over the joint exists, and joint depth - surface depth < offset + 15 mm.

    Args:
        depth_mm: (H, W), 0 = no reading.
        camera: fx fy cx cy of the map, px.
        joints_mm: (J, 3) in the camera frame.
        offset_mm: (J,) depth of each joint below the skin.

    Returns:
        (J,).
    """
    fx, fy, cx, cy = (float(value) for value in np.asarray(camera))
    out = np.empty(len(joints_mm), dtype=np.bool_)
    _visible(depth_mm, fx, fy, cx, cy, joints_mm, offset_mm, out)
    return out


def seen_joints(
    depth: NDArray[np.uint16],
    depth_unit_mm: float,
    camera: NDArray[np.floating],
    joints_mm: NDArray[np.floating],
    offset_mm: NDArray[np.floating],
) -> NDArray[np.bool_]:
    """Say which joints are seen in maps: (N, J), by the rule of `visible_joints`.

    Args:
        depth: (N, H, W), 0 = no reading.
        depth_unit_mm: Of `depth`.
        camera: (N, 4).
        joints_mm: (N, J, 3); one that is unknown is not seen.
        offset_mm: (J,) depth of each joint below the surface.
    """
    depth_mm = depth * np.float32(depth_unit_mm)
    known_mm = np.where(np.isfinite(joints_mm), joints_mm, 0.0)  # unknown: z = 0 is never seen
    return np.stack([visible_joints(*item, offset_mm) for item in zip(depth_mm, camera, known_mm, strict=True)])
