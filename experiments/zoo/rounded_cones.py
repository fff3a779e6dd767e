"""Depth maps of rounded cones, by intersecting each pixel's ray with them.

A rounded cone with ends (a, r) and (b, s) is the union of two spheres and of the piece of a cone that touches both. Let
L be the distance of the ends, w the direction from a to b, k = (r - s) / L the sine of the cone's half angle, and
y = (p - a).w the place of a point along the axis. The cone is

    (1 - k^2) |p - a|^2 - y^2 + 2 r k y - r^2 = 0        for        r k < y < L + s k,

which is of second degree in the depth z of the point p = z d on a pixel's ray d = ((u - cx) / fx, (v - cy) / fy, 1).
The least of all valid roots is the surface that is seen.
"""

import math

import numba
import numpy as np
from numpy.typing import ArrayLike, NDArray

NEAREST_MM = 30.0
"""What is nearer to the camera than this is not drawn."""


@numba.njit(nogil=True, cache=True)
def _bounds(cone, fx, fy, cx, cy, rows, columns):
    """Return first and last column, first and last row that a cone may cover: those of the cubes around its ends."""
    low_u, high_u, low_v, high_v = np.inf, -np.inf, np.inf, -np.inf
    for end in (0, 4):
        x, y, z, r = cone[end], cone[end + 1], cone[end + 2], cone[end + 3]
        if z - r < NEAREST_MM:
            return 0, columns - 1, 0, rows - 1
        for side in (-r, r):
            for depth in (z - r, z + r):
                u, v = fx * (x + side) / depth + cx, fy * (y + side) / depth + cy
                low_u, high_u, low_v, high_v = min(low_u, u), max(high_u, u), min(low_v, v), max(high_v, v)
    return (
        int(min(max(math.floor(low_u), 0.0), columns)), int(max(min(math.ceil(high_u), columns - 1.0), -1.0)),
        int(min(max(math.floor(low_v), 0.0), rows)), int(max(min(math.ceil(high_v), rows - 1.0), -1.0)),
    )  # fmt: skip


@numba.njit(nogil=True, cache=True)
def _sphere(dx, dy, square, x, y, z, rest):
    """Return the depth at which a ray enters a sphere, infinite where it misses; `rest` is |centre|^2 - radius^2."""
    along = dx * x + dy * y + z
    inside = along * along - square * rest
    return (along - math.sqrt(inside)) / square if inside > 0.0 else np.inf


@numba.njit(nogil=True, cache=True)
def _draw(cones, fx, fy, cx, cy, depth):
    rows, columns = depth.shape
    for n in range(cones.shape[0]):
        ax, ay, az, r, bx, by, bz, s = cones[n]
        wx, wy, wz = bx - ax, by - ay, bz - az
        length = math.sqrt(wx * wx + wy * wy + wz * wz)
        whole = length > abs(r - s)  # else one end lies inside the other, and there is no cone between them
        k = (r - s) / length if whole else 0.0
        if whole:
            wx, wy, wz = wx / length, wy / length, wz / length
        a_square, b_square = ax * ax + ay * ay + az * az, bx * bx + by * by + bz * bz
        a_along = ax * wx + ay * wy + az * wz
        flat = 1.0 - k * k
        constant = flat * a_square - a_along * a_along - 2.0 * r * k * a_along - r * r
        low_u, high_u, low_v, high_v = _bounds(cones[n], fx, fy, cx, cy, rows, columns)
        for v in range(low_v, high_v + 1):
            dy = (v - cy) / fy
            for u in range(low_u, high_u + 1):
                dx = (u - cx) / fx
                square = dx * dx + dy * dy + 1.0
                z = min(_sphere(dx, dy, square, ax, ay, az, a_square - r * r),
                        _sphere(dx, dy, square, bx, by, bz, b_square - s * s))  # fmt: skip
                if whole:
                    d_along = dx * wx + dy * wy + wz
                    two = flat * square - d_along * d_along
                    one = -flat * (dx * ax + dy * ay + az) + a_along * d_along + r * k * d_along
                    inside = one * one - two * constant
                    if inside > 0.0 and two != 0.0:
                        root = math.sqrt(inside)
                        for sign in (-1.0, 1.0):
                            t = (-one + sign * root) / two
                            y = t * d_along - a_along
                            if t < z and r * k < y < length + s * k:
                                z = t
                if NEAREST_MM <= z < depth[v, u]:
                    depth[v, u] = z


def draw_cones(
    cones_mm: NDArray[np.float64], camera: ArrayLike, shape: tuple[int, int], origin: tuple[int, int] = (0, 0)
) -> NDArray[np.float64]:
    """Draw rounded cones.

    Args:
        cones_mm: (K, 8) centre and radius of one end, centre and radius of the other, in the camera frame.
        camera: fx fy cx cy of the whole image, px.
        shape: Rows and columns of the window that is drawn.
        origin: Column and row of its first pixel in the image.

    Returns:
        (rows, columns) depth in mm, infinite where there is nothing.
    """
    fx, fy, cx, cy = (float(value) for value in np.asarray(camera))
    depth = np.full(shape, np.inf)
    _draw(np.ascontiguousarray(cones_mm, np.float64), fx, fy, cx - origin[0], cy - origin[1], depth)
    return depth
