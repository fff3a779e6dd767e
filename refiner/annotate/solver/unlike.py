"""What a joint costs by the likeness of its surroundings, read between the samples of its window."""

import numba
import numpy as np

from refiner.annotate.solver.terms import NCC_STEPS


@numba.njit(nogil=True, cache=True)
def _spline(values, u, v):
    """Return a smooth surface through a window's samples at (u, v): value, two slopes, three curvatures.

    Quadratic B-splines over 3 x 3 samples (they smooth a little). Outside the window the border's value holds, without
    slope, and ok is False.
    """
    size = values.shape[0]
    x, y = int(np.floor(u + 0.5)), int(np.floor(v + 0.5))
    ok = 1 <= x < size - 1 and 1 <= y < size - 1
    x, y = min(max(x, 1), size - 2), min(max(y, 1), size - 2)
    s, t = min(max(u - x, -0.5), 0.5), min(max(v - y, -0.5), 0.5)
    value = slope_u = slope_v = curve_uu = curve_uv = curve_vv = 0.0
    for j in range(3):
        if j == 0:
            b, b1, b2 = 0.5 * (0.5 - t) ** 2, t - 0.5, 1.0
        elif j == 1:
            b, b1, b2 = 0.75 - t * t, -2.0 * t, -2.0
        else:
            b, b1, b2 = 0.5 * (0.5 + t) ** 2, t + 0.5, 1.0
        for i in range(3):
            if i == 0:
                a, a1, a2 = 0.5 * (0.5 - s) ** 2, s - 0.5, 1.0
            elif i == 1:
                a, a1, a2 = 0.75 - s * s, -2.0 * s, -2.0
            else:
                a, a1, a2 = 0.5 * (0.5 + s) ** 2, s + 0.5, 1.0
            sample = values[y - 1 + j, x - 1 + i]
            value += a * b * sample
            slope_u += a1 * b * sample
            slope_v += a * b1 * sample
            curve_uu += a2 * b * sample
            curve_uv += a1 * b1 * sample
            curve_vv += a * b2 * sample
    return ok, value, slope_u, slope_v, curve_uu, curve_uv, curve_vv


@numba.njit(nogil=True, cache=True)
def unlike_cost(terms, weights, n, k, u, v, slope, curve):
    """Return w ds + w2 ds^2 for ds = 1 - NCC at (u, v); slope (2,) and curvature (2, 2) are added to.

    Of the curvature w ds'' + w2 (2 ds' ds'^T + 2 ds ds'') the nearest positive semidefinite part of ds'' is taken.
    """
    middle = terms.unlike.shape[2] // 2
    ok, value, a, b, aa, ab, bb = _spline(
        terms.unlike[n, k], u - terms.unlike_uv_px[n, k, 0] + middle, v - terms.unlike_uv_px[n, k, 1] + middle
    )
    value /= NCC_STEPS
    cost = weights.appearance * value + weights.appearance_square * value * value
    if not ok:
        return cost
    a, b, aa, ab, bb = a / NCC_STEPS, b / NCC_STEPS, aa / NCC_STEPS, ab / NCC_STEPS, bb / NCC_STEPS
    first = weights.appearance + 2.0 * weights.appearance_square * value
    slope[0] += first * a
    slope[1] += first * b
    mean, half = 0.5 * (aa + bb), 0.5 * (aa - bb)
    radius = np.sqrt(half * half + ab * ab)
    low, high = mean - radius, mean + radius
    if low < 0.0:
        if high <= 0.0 or radius == 0.0:
            aa = ab = bb = 0.0
        else:
            part = 0.5 * high / radius
            aa, bb, ab = part * (radius + half), part * (radius - half), part * ab
    square = 2.0 * weights.appearance_square
    curve[0, 0] += first * aa + square * a * a
    curve[0, 1] += first * ab + square * a * b
    curve[1, 0] += first * ab + square * a * b
    curve[1, 1] += first * bb + square * b * b
    return cost
