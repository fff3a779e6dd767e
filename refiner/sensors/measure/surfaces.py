"""Smooth surfaces fitted to small windows of hands, and what they leave.

A cubic is fitted to windows of 9 x 9 px. With Q the projection onto what it leaves and c_m the covariance of noise at
lag m, the mean product of residuals at lag l is a sum over m of M_lm c_m. `UNMIX` is the inverse of M for lags of up to
3 px along both axes; white noise of s mm comes out as s.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from refiner.sensors.measure.window import Hand

LAGS_PX = 3
_RADIUS_PX, _STRIDE_PX, _MOST_WINDOWS = 4, 4, 400
_SIDE_PX = 2 * _RADIUS_PX + 1
_INSIDE_PX, _WHOLE, _FILLINGS = 3, 0.8, 4


def _design() -> NDArray[np.float64]:
    v, u = np.mgrid[-_RADIUS_PX : _RADIUS_PX + 1, -_RADIUS_PX : _RADIUS_PX + 1].reshape(2, -1).astype(float)
    return np.stack([u**i * v**j for i in range(4) for j in range(4 - i)], axis=1)


_DESIGN = _design()
_SOLVE = np.linalg.pinv(_DESIGN)
_FIT = (_DESIGN @ _SOLVE).T.astype(np.float32)
_ALONG_V, _ALONG_U = 1, 4
_BENDING = _SOLVE[[2, 5, 7]] * [[2.0], [np.sqrt(2)], [2.0]]
"""Columns of v, of u, and second derivatives from those of v2 uv u2 in the design, whose order is
1 v v2 v3 u uv uv2 u2 u2v u3."""


def _mixing() -> NDArray[np.float64]:
    """Return M, (16, 16): row (dv, du) the mean residual product at this lag, column the covariance that makes it."""
    left = np.eye(_SIDE_PX**2) - _DESIGN @ _SOLVE
    v, u = np.mgrid[:_SIDE_PX, :_SIDE_PX].reshape(2, -1)
    down, across = abs(v[:, None] - v), abs(u[:, None] - u)
    pairs = [((down == j) & (across == i)).astype(float) for j in range(LAGS_PX + 1) for i in range(LAGS_PX + 1)]
    return np.array([[(at * (left @ of @ left)).sum() / at.sum() for of in pairs] for at in pairs])


_MIX = _mixing()
UNMIX = np.linalg.inv(_MIX)
_TAKEN = np.eye(len(_MIX))[0] - _MIX[:, 0]
"""What the fit takes of white noise's variance, and of its products at each lag."""


class Residuals(NamedTuple):
    """What fitted surfaces leave, window by window.

    Attributes:
        frame: (n,) index of the frame.
        depth_mm: (n,) of the fitted surface at the window's middle.
        tilt_deg: (n,) of its normal against the ray.
        variance_mm2: (n,) mean square of the residuals, for the share that the fit takes from white noise.
        fine_mm2: (n,) mean square of the fourth differences, over that of white noise of 1 mm.
        even: (n,) whether the slope changes by less than a quarter over half the window, beyond what noise makes.
        products_mm2: (n, 16) mean products at lags (dv, du) of 0 to 3 px.
    """

    frame: NDArray[np.int64]
    depth_mm: NDArray[np.float64]
    tilt_deg: NDArray[np.float64]
    variance_mm2: NDArray[np.float64]
    fine_mm2: NDArray[np.float64]
    even: NDArray[np.bool_]
    products_mm2: NDArray[np.float64]


def residuals(hands: Sequence[Hand], depths_mm: Sequence[NDArray[np.float32]]) -> Residuals:
    """Fit surfaces to the hands, 3 px and more inside their outlines, where four in five of the readings are there.

    Args:
        hands: The hands.
        depths_mm: Depths of their windows, without patterns.
    """
    parts = [
        _frame_residuals(index, hand, depth) for index, (hand, depth) in enumerate(zip(hands, depths_mm, strict=True))
    ]
    return Residuals(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def _frame_residuals(index: int, hand: Hand, depth_mm: NDArray[np.float32]) -> tuple[NDArray, ...]:
    known = hand.readings & (hand.inside_px >= _INSIDE_PX)
    side = _SIDE_PX
    if min(known.shape) < side:
        return _nothing()
    stepped = (slice(None, None, _STRIDE_PX), slice(None, None, _STRIDE_PX))
    masks = np.lib.stride_tricks.sliding_window_view(known, (side, side))[stepped]
    depths = np.lib.stride_tricks.sliding_window_view(depth_mm, (side, side))[stepped]
    rows, columns = np.nonzero(masks.sum(axis=(2, 3)) >= _WHOLE * side**2)
    if not len(rows):
        return _nothing()
    thin = max(1, -(-len(rows) // _MOST_WINDOWS))
    rows, columns = rows[::thin], columns[::thin]
    mask = masks[rows, columns].reshape(len(rows), -1)
    depth = depths[rows, columns].reshape(len(rows), -1).astype(np.float32)
    count = mask.sum(axis=1)
    middle = (np.where(mask, depth, 0).sum(axis=1) / count)[:, None]
    value = np.where(mask, depth - middle, 0).astype(np.float32)
    # Least squares over the readings alone: gaps are filled with the fit until both agree.
    gaps = np.flatnonzero(count < side**2)
    for _ in range(_FILLINGS if len(gaps) else 0):
        value[gaps] = np.where(mask[gaps], value[gaps], value[gaps] @ _FIT)
    left = np.where(mask, value - value @ _FIT, 0).astype(np.float32)
    slopes = value @ _SOLVE[[_ALONG_U, _ALONG_V]].T + 0.0
    z = middle[:, 0] + value @ _SOLVE[0]
    fx, fy, cx, cy = (float(number) for number in np.asarray(hand.window.camera))
    u, v = columns * _STRIDE_PX + _RADIUS_PX - cx, rows * _STRIDE_PX + _RADIUS_PX - cy
    normal = np.sqrt(
        (fx * slopes[:, 0]) ** 2 + (fy * slopes[:, 1]) ** 2 + (z + u * slopes[:, 0] + v * slopes[:, 1]) ** 2
    )
    cosine = z / (normal * np.sqrt(1 + (u / fx) ** 2 + (v / fy) ** 2))
    tilt = np.degrees(np.arccos(np.clip(cosine, 0, 1)))
    # Fits to fewer readings take a greater share of noise, as of white noise, where the fit's own is 1 / readings.
    products = _lag_products(left.reshape(-1, side, side), mask.reshape(-1, side, side))
    variance = products[:, 0] / (1 - _DESIGN.shape[1] / count)
    products += np.outer(variance * (side**2 / count - 1), _TAKEN)
    # On a sphere's flank the tilt runs away within a window. Noise bends fits, too.
    bend2 = np.square(value @ _BENDING.T).sum(axis=1) - 4 * variance * np.square(_BENDING).sum()
    even = np.maximum(bend2, 0) * _RADIUS_PX**2 < 0.0625 * (np.square(slopes).sum(axis=1) + (z / fx) ** 2)
    return np.full(len(rows), index), z.astype(float), tilt, variance, _fourth_differences(depth, mask), even, products


def _nothing() -> tuple[NDArray, ...]:
    return np.empty(0, int), *[np.empty(0)] * 4, np.empty(0, bool), np.empty((0, (LAGS_PX + 1) ** 2))


def _fourth_differences(depth: NDArray[np.float32], mask: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return the mean square of fourth differences along u and v over 70, which white noise of 1 mm has, (n,)."""
    depth, mask = depth.reshape(-1, _SIDE_PX, _SIDE_PX), mask.reshape(-1, _SIDE_PX, _SIDE_PX)
    total, count = np.zeros(len(depth)), np.zeros(len(depth))
    for z, there in ((depth, mask), (depth.swapaxes(1, 2), mask.swapaxes(1, 2))):
        whole = there[:, :-4] & there[:, 1:-3] & there[:, 2:-2] & there[:, 3:-1] & there[:, 4:]
        bend = z[:, :-4] - 4 * z[:, 1:-3] + 6 * z[:, 2:-2] - 4 * z[:, 3:-1] + z[:, 4:]
        total += np.where(whole, bend**2, 0).sum(axis=(1, 2))
        count += whole.sum(axis=(1, 2))
    return total / np.maximum(count, 1) / 70


def _lag_products(left: NDArray[np.float32], mask: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return mean products of residuals at lags (dv, du) of 0 to 3 px, both diagonals together, (n, 16)."""
    side, result = left.shape[1], []
    weight = mask.astype(np.float32)
    for dv in range(LAGS_PX + 1):
        for du in range(LAGS_PX + 1):
            total, count = 0.0, 0.0
            for sign in (1, -1) if dv and du else (1,):
                first = (slice(None), slice(0, side - dv), slice(0, side - du))
                second = (slice(None), slice(dv, side), slice(du, side))
                if sign < 0:
                    first, second = (first[0], first[1], second[2]), (second[0], second[1], first[2])
                total = total + np.einsum("nij,nij->n", left[first], left[second])
                count = count + np.einsum("nij,nij->n", weight[first], weight[second])
            result.append(total / np.maximum(count, 1))
    return np.stack(result, axis=1).astype(np.float64)
