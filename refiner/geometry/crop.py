"""Cut the cube around a hand out of a depth map: the one function that renders and real maps both go through.

Both steps work on float32 maps in millimetres in which 0 means no reading. They are compiled without the interpreter
lock, so that callers run them in threads.
"""

import math

import numba
import numpy as np
from numpy.typing import ArrayLike, NDArray

from refiner.geometry.camera import crop_camera

SAME_SURFACE_MM = 10.0
"""Readings further apart than this belong to different surfaces and are never averaged. A surface tilted by 80
degrees from the image plane changes by about 7 mm per pixel at 600 mm and a focal length of 475 px."""


@numba.njit(nogil=True, cache=True)
def _resample(depth_mm, u0, v0, step_u, step_v, near_mm, far_mm, surface_mm, out):
    height, width = depth_mm.shape
    size = out.shape[0]
    radius_u, radius_v = max(1.0, step_u), max(1.0, step_v)
    middle = (size - 1) / 2
    for row in range(size):
        v = v0 + (row - middle) * step_v
        v_nearest = math.floor(v + 0.5)
        for column in range(size):
            u = u0 + (column - middle) * step_u
            u_nearest = math.floor(u + 0.5)
            out[row, column] = 0.0
            if u_nearest < 0 or u_nearest >= width or v_nearest < 0 or v_nearest >= height:
                continue
            reference = depth_mm[v_nearest, u_nearest]
            if not (reference > 0.0 and reference >= near_mm and reference <= far_mm):
                continue
            total, weights = 0.0, 0.0
            for y in range(max(0, math.ceil(v - radius_v)), min(height - 1, math.floor(v + radius_v)) + 1):
                weight_v = 1.0 - abs(y - v) / radius_v
                for x in range(max(0, math.ceil(u - radius_u)), min(width - 1, math.floor(u + radius_u)) + 1):
                    value = depth_mm[y, x]
                    if value > 0.0 and abs(value - reference) <= surface_mm:
                        weight = weight_v * (1.0 - abs(x - u) / radius_u)
                        total += weight * value
                        weights += weight
            # The nearest pixel is within half a pixel of (u, v), so its weight is at least a quarter.
            out[row, column] = min(max(total / weights, near_mm), far_mm)


@numba.njit(nogil=True, cache=True)
def _mean_point(depth_mm, fx, fy, cx, cy, x0, y0, z0, half_mm):
    height, width = depth_mm.shape
    near = max(z0 - half_mm, 1.0)
    # The cube's outline is widest at its near face.
    u_low = max(0, math.floor(fx * min((x0 - half_mm) / near, (x0 - half_mm) / (z0 + half_mm)) + cx))
    u_high = min(width - 1, math.ceil(fx * max((x0 + half_mm) / near, (x0 + half_mm) / (z0 + half_mm)) + cx))
    v_low = max(0, math.floor(fy * min((y0 - half_mm) / near, (y0 - half_mm) / (z0 + half_mm)) + cy))
    v_high = min(height - 1, math.ceil(fy * max((y0 + half_mm) / near, (y0 + half_mm) / (z0 + half_mm)) + cy))
    count, sum_x, sum_y, sum_z = 0, 0.0, 0.0, 0.0
    for v in range(v_low, v_high + 1):
        for u in range(u_low, u_high + 1):
            z = depth_mm[v, u]
            if z > 0.0 and abs(z - z0) <= half_mm:
                x, y = (u - cx) * z / fx, (v - cy) * z / fy
                if abs(x - x0) <= half_mm and abs(y - y0) <= half_mm:
                    count += 1
                    sum_x += x
                    sum_y += y
                    sum_z += z
    return count, sum_x, sum_y, sum_z


def refine_centre(
    depth_mm: NDArray[np.float32], camera: ArrayLike, start_mm: ArrayLike, cube_mm: float, iterations: int = 3
) -> NDArray[np.float64] | None:
    """Move a cube to the mean of the points inside it, a few times over.

    Args:
        depth_mm: (H, W), 0 = no reading.
        camera: fx fy cx cy of the map, px.
        start_mm: (3,) first guess in the camera frame.
        cube_mm: Side of the cube.
        iterations: How often the cube is moved.

    Returns:
        (3,) centre in millimetres, or nothing where the cube held no reading.
    """
    fx, fy, cx, cy = (float(value) for value in np.asarray(camera))
    centre = np.asarray(start_mm, dtype=np.float64)
    for _ in range(iterations):
        count, *sums = _mean_point(depth_mm, fx, fy, cx, cy, centre[0], centre[1], centre[2], cube_mm / 2)
        if count == 0:
            return None
        centre = np.array(sums) / count
    return centre


def crop_cube(
    depth_mm: NDArray[np.float32],
    camera: ArrayLike,
    centre_mm: ArrayLike,
    cube_mm: float,
    size: int,
    surface_mm: float = SAME_SURFACE_MM,
) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """Cut the cube out of a depth map and bring it to size x size pixels.

    Each pixel of the crop is a tent-weighted mean over its footprint in the source (at least bilinear), taken over
    the readings within `surface_mm` of the source pixel nearest to it; where that pixel has no reading or lies
    outside the cube, the crop holds 0. So no depth is invented between two surfaces, and holes stay holes.

    Args:
        depth_mm: (H, W), 0 = no reading.
        camera: fx fy cx cy of the map, px.
        centre_mm: (3,) the cube's centre in the camera frame.
        cube_mm: Side of the cube.
        size: Side of the crop in pixels.
        surface_mm: Greatest difference between readings of one surface.

    Returns:
        The crop (size, size) in millimetres, and its camera fx fy cx cy (see `crop_camera`).
    """
    fx, fy, cx, cy = (float(value) for value in np.asarray(camera))
    x, y, z = (float(value) for value in np.asarray(centre_mm))
    out = np.empty((size, size), dtype=np.float32)
    per_pixel_mm = cube_mm / size
    _resample(
        depth_mm,
        fx * x / z + cx,
        fy * y / z + cy,
        fx * per_pixel_mm / z,
        fy * per_pixel_mm / z,
        z - cube_mm / 2,
        z + cube_mm / 2,
        surface_mm,
        out,
    )
    return out, crop_camera(centre_mm, cube_mm, size)


def seen_pixels(image_px: ArrayLike | None, size: int) -> NDArray[np.bool_]:
    """Say which pixels of a map the recorded image covers.

    Args:
        image_px: Left, top, right and bottom edge of the image in the map, px; all where nothing is given.
        size: Side of the map, px.

    Returns:
        (size, size).
    """
    if image_px is None:
        return np.ones((size, size), dtype=np.bool_)
    left, top, right, bottom = np.asarray(image_px, dtype=np.float64)
    at = np.arange(size)
    return ((at > top) & (at < bottom))[:, None] & ((at > left) & (at < right))
