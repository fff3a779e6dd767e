"""Rows or columns that lie before or behind their neighbours at fixed places of the image.

Along an axis, h(n) = (z(n-2) - 4 z(n-1) + 6 z(n) - 4 z(n+1) + z(n+2)) / 16 is 0 on any cubic and has the gain
((1 - cos w) / 2)^2 at the frequency w. What repeats every p pixels of the *image* adds up in the mean of
h(n) exp(-2 pi i n / p) over all places of a recording; noise and shape, which stand at no fixed row, do not.
"""

import numpy as np
from numpy.typing import NDArray

from refiner.sensors.measure.estimates import Bootstrap, Estimate, interval
from refiner.sensors.measure.window import Hand

PERIODS_PX = (2, 3, 4)
_BENDS_MM = 25.0
_FEWEST = 500


def pattern_sums(hand: Hand) -> NDArray[np.float64]:
    """Return (2, 3, 3) sums over one hand: along v and along u, of each period, real and imaginary part, and count."""
    depth = hand.window.depth_mm.astype(np.float64)
    known = hand.readings & (hand.inside_px >= 3)
    sums = np.zeros((2, len(PERIODS_PX), 3))
    for axis, first in ((0, hand.window.origin[1]), (1, hand.window.origin[0])):
        z, there = (depth, known) if axis == 0 else (depth.T, known.T)
        if len(z) < 5:
            continue
        whole = there[:-4] & there[1:-3] & there[2:-2] & there[3:-1] & there[4:]
        bend = (z[:-4] - 4 * z[1:-3] + 6 * z[2:-2] - 4 * z[3:-1] + z[4:]) / 16
        # Edges of surfaces bend by more than patterns do.
        whole &= np.abs(bend) < _BENDS_MM
        per_row, count = np.where(whole, bend, 0).sum(axis=1), whole.sum(axis=1)
        place = first + 2 + np.arange(len(per_row))
        for index, period in enumerate(PERIODS_PX):
            # Each phase has the same weight, so that a constant bend is no pattern.
            phase = place % period
            counts = np.bincount(phase, count, period)
            if counts.min() < 1:
                continue
            means = np.bincount(phase, per_row, period) / counts
            turn = np.exp(-2j * np.pi * np.arange(period) / period)
            gain = ((1 - np.cos(2 * np.pi / period)) / 2) ** 2
            amplitude = (means * turn).mean() / gain
            weight = counts.min() * period
            sums[axis, index] = weight * amplitude.real, weight * amplitude.imag, weight
    return sums


def measure_patterns(sums: NDArray[np.float64], bootstrap: Bootstrap) -> dict[str, Estimate | None]:
    """Return offsets of odd rows and columns, and the strength of patterns of 3 and 4 px.

    Args:
        sums: (frames, 2, 3, 3), see `pattern_sums`.
        bootstrap: The resampled sets.
    """
    result: dict[str, Estimate | None] = {}
    for axis, lines in enumerate(("rows", "columns")):
        for index, period in enumerate(PERIODS_PX):
            name = f"{lines}_alternate_mm" if period == 2 else f"{lines}_period_{period}px_mm"
            part = sums[:, axis, index]
            if part[:, 2].sum() < _FEWEST or (part[:, 2] > 0).sum() < 2:
                result[name] = None
                continue
            totals = bootstrap.totals(part)
            totals = totals[totals[:, 2] > 0]
            real, imaginary = totals[:, 0] / totals[:, 2], totals[:, 1] / totals[:, 2]
            if period == 2:
                # Even lines at +a and odd ones at -a: odd ones lie behind by -2 a.
                result[name] = interval(-2 * real[0], -2 * real[1:])
                continue
            # The length of a mean of noise is not 0: its variance is taken off.
            spread = np.var(real[1:]) + np.var(imaginary[1:])
            length = 2 * np.sqrt(np.maximum(real**2 + imaginary**2 - spread, 0))
            result[name] = interval(length[0], length[1:])
    return result


def without_alternation(hand: Hand, found: dict[str, Estimate | None]) -> NDArray[np.float32]:
    """Return the depths of a window without the alternation of rows and columns, where one was found for certain.

    Args:
        hand: The hand.
        found: See `measure_patterns`.
    """
    depth = hand.window.depth_mm
    for axis, lines in enumerate(("rows", "columns")):
        offset = found[f"{lines}_alternate_mm"]
        if offset is None or offset.low <= 0 <= offset.high:
            continue
        odd = (hand.window.origin[1 - axis] + np.arange(depth.shape[axis])) % 2
        shift = np.float32(offset.value) * (np.float32(0.5) - odd.astype(np.float32))
        depth = depth + (shift[:, None] if axis == 0 else shift)
    return depth
