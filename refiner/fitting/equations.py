"""Kernels of the fit, most compiled: how far a drawn hand is from a map, and the equations that bring it nearer.

An articulated ICP (Tagliasacchi et al., "Robust articulated-ICP for real-time hand tracking", SGP 2015) of five parts:
each reading pulls the nearest visible point of the surface, along its normal and weakly along it; each visible point
is pulled to the reading at its pixel; visible points outside the silhouette are pulled sideways into it; and readings
that the hand leaves bare pull the point nearest to them in the image sideways. All are weighted down as they grow
(Cauchy), since some correspondences are wrong.
"""

import cv2
import numba
import numpy as np
from numpy.typing import NDArray

from refiner.hand.normals import vertex_normals

MISSED_MM = 40.0
"""What a pixel costs that only one of hand and map covers, and the most that any costs."""
_ALONG = 0.15
"""Weight of the distance along the surface, of that along its normal."""
_READING = 0.5
_OUTSIDE, _BARE = 5.0, 10.0
_POINT_MM, _DEPTH_MM, _SIDE_MM = 12.0, 15.0, 25.0
"""Distances at which a part weighs half: along the normal, in depth, and sideways."""
_BEHIND_MM = 6.0
"""So far behind the drawn surface a point still counts as visible."""
_FEWEST = 10
_CLIP_MM = 20.0
"""Errors count no more than this in a smooth one: two fingers that are mixed up would outweigh a palm."""


@numba.njit(nogil=True, cache=True)
def cut_drawn(drawn_mm, seen, near_mm, far_mm):
    """Take away what lies outside the recorded image or the cube."""
    for v in range(drawn_mm.shape[0]):
        for u in range(drawn_mm.shape[1]):
            if not seen[v, u] or drawn_mm[v, u] < near_mm or drawn_mm[v, u] > far_mm:
                drawn_mm[v, u] = 0.0


@numba.njit(nogil=True, cache=True)
def misfit_mm(drawn_mm, depth_mm):
    """Give the mean over the map's readings of how far the drawn hand is off, silhouettes included."""
    total, readings = 0.0, 0
    for v in range(depth_mm.shape[0]):
        for u in range(depth_mm.shape[1]):
            a, b = drawn_mm[v, u], depth_mm[v, u]
            readings += b > 0.0
            if a > 0.0 and b > 0.0:
                total += min(abs(a - b), MISSED_MM)
            elif a > 0.0 or b > 0.0:
                total += MISSED_MM
    return total / max(readings, 1)


def surface_mm(drawn_mm: NDArray[np.float32], depth_mm: NDArray[np.float32], smooth_px: float) -> float:
    """Give how far the drawn surface is off, with the noise of readings and what is narrow averaged away.

    Args:
        drawn_mm: (H, W), 0 = nothing.
        depth_mm: (H, W), 0 = no reading.
        smooth_px: Deviation of the Gaussian mean over the errors of pixels that both cover.

    Returns:
        The mean over those pixels of how large that mean is; 0 where none is covered by both.
    """
    both = ((drawn_mm > 0) & (depth_mm > 0)).astype(np.float32)
    error = np.clip(drawn_mm - depth_mm, -_CLIP_MM, _CLIP_MM) * both
    share, total = (cv2.GaussianBlur(values, (0, 0), smooth_px) for values in (both, error))
    return float((np.abs(total) / np.maximum(share, 1e-6) * both).sum() / max(both.sum(), 1.0))


@numba.njit(nogil=True, cache=True)
def _row(rows, errors, at, vertices, wrist, moves, k, direction, error, weight):
    """Write one weighted equation: the motion of vertex k along a direction, and its error."""
    root = np.sqrt(weight)
    x, y, z = vertices[k, 0] - wrist[0], vertices[k, 1] - wrist[1], vertices[k, 2] - wrist[2]
    a, b, c = direction
    rows[at, 0], rows[at, 1], rows[at, 2] = root * (y * c - z * b), root * (z * a - x * c), root * (x * b - y * a)
    rows[at, 3], rows[at, 4], rows[at, 5] = root * a, root * b, root * c
    for p in range(moves.shape[0]):
        rows[at, 6 + p] = root * (a * moves[p, k, 0] + b * moves[p, k, 1] + c * moves[p, k, 2])
    errors[at] = root * error
    return at + 1


@numba.njit(nogil=True, cache=True)
def _sideways(rows, errors, at, vertices, wrist, moves, k, focal, pixel, wanted, axis, weight):
    """Pull vertex k towards a column (axis 0) or row (1) of the image, in mm at its depth."""
    z = vertices[k, 2]
    error = (pixel - wanted) * z / focal
    weight /= 1.0 + (error / _SIDE_MM) ** 2
    slope = -vertices[k, axis] / z
    direction = (1.0, 0.0, slope) if axis == 0 else (0.0, 1.0, slope)
    return _row(rows, errors, at, vertices, wrist, moves, k, direction, error, weight)


@numba.njit(nogil=True, cache=True)
def surface_equations(vertices, wrist, triangles, moves, drawn_mm, depth_mm, camera, seen, nearest_px, points_mm,
                      points_px, sigma_mm, most, normal, gradient):  # fmt: skip
    """Write J'WJ and J'Wr of one hand before one map.

    Args:
        vertices: (V, 3) in the camera frame.
        wrist: (3,), which turns are about.
        triangles: (T, 3), counter-clockwise seen from outside.
        moves: (P - 6, V, 3), derivatives of the vertices by what comes after turn and place.
        drawn_mm: (H, W) depth of the hand, cut (see `cut_drawn`).
        depth_mm: (H, W).
        camera: fx fy cx cy.
        seen: (H, W), see `Target`.
        nearest_px: (H, W, 2), see `Target`.
        points_mm: (n, 3), see `Target`.
        points_px: (n, 2), see `Target`.
        sigma_mm: Deviation of readings from a hand that fits.
        most: Readings count as so many at most, and visible points as so many.
        normal: Written: (P, P).
        gradient: Written: (P,), half the cost's.

    Returns:
        Whether enough of the hand is visible to say anything.
    """
    size, count = depth_mm.shape[0], vertices.shape[0]
    normals = vertex_normals(vertices, triangles)
    pixel, visible = np.empty((count, 2)), np.empty(count, dtype=np.int64)
    shown = 0
    for k in range(count):
        z = vertices[k, 2]
        if z <= 1.0:
            continue
        pixel[k, 0] = camera[0] * vertices[k, 0] / z + camera[2]
        pixel[k, 1] = camera[1] * vertices[k, 1] / z + camera[3]
        u, v = int(np.rint(pixel[k, 0])), int(np.rint(pixel[k, 1]))
        if u < 0 or v < 0 or u >= size or v >= size or not seen[v, u]:
            continue
        facing = normals[k, 0] * vertices[k, 0] + normals[k, 1] * vertices[k, 1] + normals[k, 2] * vertices[k, 2] < 0.0
        if facing and (drawn_mm[v, u] == 0.0 or z < drawn_mm[v, u] + _BEHIND_MM):
            visible[shown] = k
            shown += 1
    normal[:] = 0.0
    gradient[:] = 0.0
    if shown < _FEWEST:
        return False
    points, width = len(points_mm), 6 + moves.shape[0]
    rows = np.empty((6 * points + 2 * shown, width))
    errors = np.empty(len(rows))
    at = 0
    of_point = min(most, points) / points / sigma_mm**2
    of_vertex = min(most, points) / shown / sigma_mm**2
    for n in range(points):
        x, y, z = points_mm[n, 0], points_mm[n, 1], points_mm[n, 2]
        least, nearest = np.inf, 0
        for j in range(shown):
            k = visible[j]
            distance = (vertices[k, 0] - x) ** 2 + (vertices[k, 1] - y) ** 2 + (vertices[k, 2] - z) ** 2
            if distance < least:
                least, nearest = distance, k
        weight = of_point / (1.0 + least / _POINT_MM**2)
        dx, dy, dz = vertices[nearest, 0] - x, vertices[nearest, 1] - y, vertices[nearest, 2] - z
        n0, n1, n2 = normals[nearest, 0], normals[nearest, 1], normals[nearest, 2]
        error = n0 * dx + n1 * dy + n2 * dz
        at = _row(rows, errors, at, vertices, wrist, moves, nearest, (n0, n1, n2), error, weight)
        at = _row(rows, errors, at, vertices, wrist, moves, nearest, (1.0, 0.0, 0.0), dx, _ALONG * weight)
        at = _row(rows, errors, at, vertices, wrist, moves, nearest, (0.0, 1.0, 0.0), dy, _ALONG * weight)
        at = _row(rows, errors, at, vertices, wrist, moves, nearest, (0.0, 0.0, 1.0), dz, _ALONG * weight)
        if drawn_mm[int(points_px[n, 1]), int(points_px[n, 0])] > 0.0:
            continue
        u, v = points_px[n, 0], points_px[n, 1]
        least = np.inf
        for j in range(shown):
            k = visible[j]
            distance = (pixel[k, 0] - u) ** 2 + (pixel[k, 1] - v) ** 2
            if distance < least:
                least, nearest = distance, k
        weight = _BARE * of_point
        at = _sideways(rows, errors, at, vertices, wrist, moves, nearest, camera[0], pixel[nearest, 0], u, 0, weight)
        at = _sideways(rows, errors, at, vertices, wrist, moves, nearest, camera[1], pixel[nearest, 1], v, 1, weight)
    for j in range(shown):
        k = visible[j]
        u, v = int(np.rint(pixel[k, 0])), int(np.rint(pixel[k, 1]))
        if depth_mm[v, u] > 0.0:
            error = vertices[k, 2] - depth_mm[v, u]
            weight = _READING * of_vertex / (1.0 + (error / _DEPTH_MM) ** 2)
            at = _row(rows, errors, at, vertices, wrist, moves, k, (0.0, 0.0, 1.0), error, weight)
            continue
        near_u, near_v = nearest_px[v, u, 0], nearest_px[v, u, 1]
        if near_u != u or near_v != v:  # else a gap that was closed
            weight = _OUTSIDE * of_vertex
            at = _sideways(rows, errors, at, vertices, wrist, moves, k, camera[0], pixel[k, 0], near_u, 0, weight)
            at = _sideways(rows, errors, at, vertices, wrist, moves, k, camera[1], pixel[k, 1], near_v, 1, weight)
    transposed = np.ascontiguousarray(rows[:at].T)
    normal[:] = np.dot(transposed, rows[:at])
    gradient[:] = np.dot(transposed, errors[:at])
    return True
