"""The z-buffer: a triangle mesh in the camera frame to a depth map on the camera's own pixels.

The depth of a triangle is exact at each pixel centre (1/z is linear in the image). Corners are snapped to 1/4096 px and
the edge functions of Pineda ("A parallel algorithm for polygon rasterization", SIGGRAPH 1988) are then whole numbers
that float64 holds exactly, so with the top-left rule a pixel centre on a shared edge belongs to one triangle: no
cracks, nothing drawn twice. Triangles may wind either way, and are cut where they come too near.

Only a window of the image is drawn. Its pixels are bit for bit those of the whole image. All kernels run without the
interpreter lock.
"""

import math

import numba
import numpy as np
from numpy.typing import ArrayLike, NDArray

NEAR_MM = 50.0
"""Triangles are cut at this depth; no depth camera measures nearer."""
SUBPIXELS = 4096.0
"""Steps of a pixel to which corners snap. The error of 1/8192 px is 0.0014 mm on a surface tilted by 80 degrees at
600 mm and 300 px, and edge functions stay below 2^53 up to 8,000 px away from the window."""

ROUNDING = 4e-12
"""Columns. A centre on an edge must not be lost to the rounding of a quotient (below 2e-12 in images of 4,096 px); one
that is not on it misses it by more than this for triangles up to 9,000 px high."""


@numba.njit(nogil=True, cache=True)
def _fill(au, av, aw, bu, bv, bw, cu, cv, cw, inverse_depth):
    """Draw one triangle: corners in snapped subpixels of the window, w = 1/z; keeps the greatest 1/z."""
    height, width = inverse_depth.shape
    column_from = max(0, math.ceil(min(au, bu, cu) / SUBPIXELS))
    column_to = min(width - 1, math.floor(max(au, bu, cu) / SUBPIXELS))
    row_from = max(0, math.ceil(min(av, bv, cv) / SUBPIXELS))
    row_to = min(height - 1, math.floor(max(av, bv, cv) / SUBPIXELS))
    area = (bu - au) * (cv - av) - (bv - av) * (cu - au)
    if column_from > column_to or row_from > row_to or area == 0.0:
        return
    if area < 0.0:
        bu, bv, bw, cu, cv, cw = cu, cv, cw, bu, bv, bw
        area = -area
    # Edge k faces corner k and is positive inside. An edge that is no top or left one loses the centres on it.
    u_a, u_b, u_c = bv - cv, cv - av, av - bv
    v_a, v_b, v_c = cu - bu, au - cu, bu - au
    u, v = column_from * SUBPIXELS, row_from * SUBPIXELS
    edge_a = u_a * (u - bu) + v_a * (v - bv) - (0.0 if u_a > 0.0 or (u_a == 0.0 and v_a > 0.0) else 1.0)
    edge_b = u_b * (u - cu) + v_b * (v - cv) - (0.0 if u_b > 0.0 or (u_b == 0.0 and v_b > 0.0) else 1.0)
    edge_c = u_c * (u - au) + v_c * (v - av) - (0.0 if u_c > 0.0 or (u_c == 0.0 and v_c > 0.0) else 1.0)
    u_a, u_b, u_c = u_a * SUBPIXELS, u_b * SUBPIXELS, u_c * SUBPIXELS
    v_a, v_b, v_c = v_a * SUBPIXELS, v_b * SUBPIXELS, v_c * SUBPIXELS
    # 1/z as a plane over the window's pixels, held within the corners' range against rounding in slivers.
    area *= SUBPIXELS
    slope_u = (u_a * aw + u_b * bw + u_c * cw) / area * SUBPIXELS
    slope_v = (v_a * aw + v_b * bw + v_c * cw) / area * SUBPIXELS
    start = aw - (slope_u * au + slope_v * av) / SUBPIXELS
    low, high = min(aw, bw, cw), max(aw, bw, cw)
    # Column k of a row lies inside where edge + k u >= 0 for all three: a lower or an upper bound on k from each edge.
    k_a = -1.0 / u_a if u_a != 0.0 else 0.0
    k_b = -1.0 / u_b if u_b != 0.0 else 0.0
    k_c = -1.0 / u_c if u_c != 0.0 else 0.0
    for row in range(row_from, row_to + 1):
        first, last = 0.0, float(column_to - column_from)
        if u_a > 0.0:
            first = max(first, edge_a * k_a)
        elif u_a < 0.0:
            last = min(last, edge_a * k_a)
        elif edge_a < 0.0:
            last = -1.0
        if u_b > 0.0:
            first = max(first, edge_b * k_b)
        elif u_b < 0.0:
            last = min(last, edge_b * k_b)
        elif edge_b < 0.0:
            last = -1.0
        if u_c > 0.0:
            first = max(first, edge_c * k_c)
        elif u_c < 0.0:
            last = min(last, edge_c * k_c)
        elif edge_c < 0.0:
            last = -1.0
        base = start + slope_v * row
        for column in range(column_from + math.ceil(first - ROUNDING), column_from + math.floor(last + ROUNDING) + 1):
            w = np.float32(min(max(base + slope_u * column, low), high))
            if w > inverse_depth[row, column]:
                inverse_depth[row, column] = w
        edge_a += v_a
        edge_b += v_b
        edge_c += v_c


@numba.njit(nogil=True, cache=True)
def _snap(x, y, z, fx, fy, cx, cy, u0, v0):
    return (
        np.rint((fx * x / z + cx) * SUBPIXELS) - u0 * SUBPIXELS,
        np.rint((fy * y / z + cy) * SUBPIXELS) - v0 * SUBPIXELS,
    )


@numba.njit(nogil=True, cache=True)
def _fill_cut(vertices, triangle, fx, fy, cx, cy, u0, v0, inverse_depth):
    """Draw what of a triangle lies beyond the near plane: nothing, one triangle, or two."""
    piece = np.empty((4, 3))
    count = 0
    for k in range(3):
        here, there = vertices[triangle[k]], vertices[triangle[(k + 1) % 3]]
        if here[2] >= NEAR_MM:
            piece[count] = here
            count += 1
        if (here[2] >= NEAR_MM) != (there[2] >= NEAR_MM):
            # From the near end to the far end, so that both triangles of an edge cut it at the same point.
            near, far = (here, there) if here[2] < there[2] else (there, here)
            share = (NEAR_MM - near[2]) / (far[2] - near[2])
            for i in range(3):
                piece[count, i] = near[i] + share * (far[i] - near[i])
            piece[count, 2] = NEAR_MM
            count += 1
    for k in range(1, count - 1):
        a, b, c = piece[0], piece[k], piece[k + 1]
        au, av = _snap(a[0], a[1], a[2], fx, fy, cx, cy, u0, v0)
        bu, bv = _snap(b[0], b[1], b[2], fx, fy, cx, cy, u0, v0)
        cu, cv = _snap(c[0], c[1], c[2], fx, fy, cx, cy, u0, v0)
        _fill(au, av, 1.0 / a[2], bu, bv, 1.0 / b[2], cu, cv, 1.0 / c[2], inverse_depth)


@numba.njit(nogil=True, cache=True)
def _rasterize(vertices, triangles, closed, fx, fy, cx, cy, u0, v0, depth_mm):
    corners = np.empty((vertices.shape[0], 3))
    for n in range(vertices.shape[0]):
        x, y, z = float(vertices[n, 0]), float(vertices[n, 1]), float(vertices[n, 2])
        corners[n, 2] = -1.0
        if z >= NEAR_MM:
            corners[n, 0], corners[n, 1] = _snap(x, y, z, fx, fy, cx, cy, u0, v0)
            corners[n, 2] = 1.0 / z
    depth_mm[:] = 0.0
    for t in range(triangles.shape[0]):
        a, b, c = corners[triangles[t, 0]], corners[triangles[t, 1]], corners[triangles[t, 2]]
        if a[2] > 0.0 and b[2] > 0.0 and c[2] > 0.0:
            # Counter-clockwise from outside is negative here, since v points down.
            if closed and (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0]) >= 0.0:
                continue
            _fill(a[0], a[1], a[2], b[0], b[1], b[2], c[0], c[1], c[2], depth_mm)
        elif a[2] > 0.0 or b[2] > 0.0 or c[2] > 0.0:
            _fill_cut(vertices, triangles[t], fx, fy, cx, cy, u0, v0, depth_mm)
    for row in range(depth_mm.shape[0]):
        for column in range(depth_mm.shape[1]):
            w = depth_mm[row, column]
            if w > 0.0:
                depth_mm[row, column] = np.float32(1.0) / w


def rasterize(
    vertices_mm: NDArray[np.floating],
    triangles: NDArray[np.int32],
    camera: ArrayLike,
    shape: tuple[int, int],
    origin: tuple[int, int] = (0, 0),
    *,
    closed: bool = False,
    out: NDArray[np.float32] | None = None,
) -> NDArray[np.float32]:
    """Draw the depth of a mesh.

    Args:
        vertices_mm: (V, 3) in the camera frame; points behind the camera are allowed.
        triangles: (T, 3) vertex indices.
        camera: fx fy cx cy of the whole image, px.
        shape: Rows and columns of the window that is drawn.
        origin: Column and row of the window's first pixel in the whole image; may be negative.
        closed: The mesh is closed and its triangles wind counter-clockwise seen from outside: the half that faces
            away is not drawn. Else triangles may wind either way and all are drawn.
        out: Written and returned where given, of the window's shape.

    Returns:
        (rows, columns) z of the nearest surface at each pixel centre in mm, 0 where there is none.
    """
    fx, fy, cx, cy = (float(value) for value in np.asarray(camera))
    depth_mm = np.empty(shape, dtype=np.float32) if out is None else out
    _rasterize(vertices_mm, triangles, closed, fx, fy, cx, cy, float(origin[0]), float(origin[1]), depth_mm)
    return depth_mm


@numba.njit(nogil=True, cache=True)
def _bounds(vertices, fx, fy, cx, cy):
    low_u, low_v, high_u, high_v = np.inf, np.inf, -np.inf, -np.inf
    for n in range(vertices.shape[0]):
        z = max(float(vertices[n, 2]), NEAR_MM)
        u, v = fx * vertices[n, 0] / z + cx, fy * vertices[n, 1] / z + cy
        low_u, high_u = min(low_u, u), max(high_u, u)
        low_v, high_v = min(low_v, v), max(high_v, v)
    return low_u, low_v, high_u, high_v


def window_of(
    vertices_mm: NDArray[np.floating], camera: ArrayLike, shape: tuple[int, int], margin: int = 0
) -> tuple[tuple[int, int], tuple[int, int]]:
    """Give the smallest window of an image that holds a mesh in front of the camera.

    Args:
        vertices_mm: (V, 3) in the camera frame; a point nearer than `NEAR_MM` counts as if it lay there.
        camera: fx fy cx cy of the image, px.
        shape: Rows and columns of the image.
        margin: Pixels added on each side, as far as the image goes.

    Returns:
        `origin` (column, row) and `shape` (rows, columns) as `rasterize` takes them; the shape has a 0 where the
        mesh lies beside the image.
    """
    fx, fy, cx, cy = (float(value) for value in np.asarray(camera))
    low_u, low_v, high_u, high_v = _bounds(vertices_mm, fx, fy, cx, cy)
    rows, columns = shape
    # Bounded before they become whole numbers: a point at the near plane may project further than an int goes.
    left = int(min(max(math.floor(low_u) - margin, 0), columns))
    top = int(min(max(math.floor(low_v) - margin, 0), rows))
    right = int(min(max(math.ceil(high_u) + margin, -1), columns - 1))
    bottom = int(min(max(math.ceil(high_v) + margin, -1), rows - 1))
    return (left, top), (max(bottom - top + 1, 0), max(right - left + 1, 0))
