"""The unit of depths, and the law of the steps between the levels that occur.

A camera that measures disparities in steps has levels that are evenly spaced in 1/z: the step grows with the square of
the distance, step(z) = step(1 m) (z / 1 m)^2 (Khoshelham and Elberink, "Accuracy and resolution of Kinect depth data",
Sensors 2012). One that rounds depths has levels that are evenly spaced in z. Which levels occur, and how often against
their neighbourhood, is a comb in one of both; its period is where the comb's spectrum peaks. Files hold levels rounded
to their unit, which the spectrum bears.
"""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter1d

from refiner.sensors.measure.estimates import Bootstrap, Estimate, interval
from refiner.sensors.measure.window import HandWindow

_FEWEST_LEVELS = 20
_FEWEST_AROUND, _AROUND = 20.0, 15
_COHERENT, _ABOVE_MEDIAN = 0.45, 5.0
_LEFT_OUT, _SHORTEST = 0.5, 1.15
_BEFORE, _BEHIND = 0.9, 1.2
_WHOLE = 0.02
_MOST_LEVELS = 40_000


def level_counts(windows: Sequence[HandWindow], unit_mm: float) -> NDArray[np.int64] | None:
    """Return how often each whole multiple of the unit occurs in each frame, (frames, levels).

    Background that lies about as far as the hands counts, too: the wider the range of distances the
    better laws are told apart.

    Returns:
        Nothing where readings are no whole multiples of the unit.
    """
    levels = []
    nearest = _BEFORE * min(window.near_mm for window in windows)
    farthest = _BEHIND * max(window.far_mm for window in windows)
    for window in windows:
        asked = (window.depth_mm >= nearest) & (window.depth_mm <= farthest) & (window.depth_mm > 0)
        depth = window.depth_mm[asked].astype(np.float64) / unit_mm
        whole = np.rint(depth)
        if np.abs(depth - whole).max(initial=0) > _WHOLE:
            return None
        levels.append(whole.astype(np.int64))
    most = min(max((int(level.max(initial=0)) for level in levels), default=0), _MOST_LEVELS) + 1
    return np.array([np.bincount(level[level < most], minlength=most) for level in levels])


def measure_unit(counts: NDArray[np.int64] | None, unit_mm: float) -> Estimate | None:
    """Return the greatest unit that all readings are whole multiples of; nothing where fewer than 20 levels occur.

    It is exact: n levels of a finer unit would all be such multiples by chance once in 2^n times.
    """
    if counts is None:
        return None
    levels = np.flatnonzero(counts.sum(axis=0))
    if len(levels) < _FEWEST_LEVELS:
        return None
    unit = unit_mm * int(np.gcd.reduce(levels))
    return Estimate(unit, unit, unit)


def _comb(counts: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return levels that are surrounded by readings, and how often each occurs against its neighbourhood, less 1.

    Args:
        counts: (sets, levels).
    """
    around = uniform_filter1d(counts, 2 * _AROUND + 1, axis=1, mode="constant")
    # Readings on either side: beyond where a hand ends no level is left out.
    side = uniform_filter1d(counts[0], _AROUND, mode="constant")
    levels = np.arange(_AROUND, counts.shape[1] - _AROUND)
    levels = levels[np.minimum(side[levels - _AROUND // 2 - 1], side[levels + _AROUND // 2 + 1]) >= _FEWEST_AROUND]
    around = np.maximum(around[:, levels], 1e-9)
    return levels, np.minimum(counts[:, levels] / around, 4.0) - 1.0


def _peak(
    place: NDArray[np.float64], comb: NDArray[np.float64], slowest: float, fastest: float
) -> tuple[float, float, float]:
    """Return the frequency at which a comb is most coherent, its coherence, and the median's.

    Places are binned four times as finely as the fastest frequency needs, and transformed at once.
    """
    cell = 1 / (8 * fastest)
    at = np.rint((place - place[0]) / cell).astype(np.int64)
    length = 4 * 2 ** math.ceil(math.log2(int(at.max()) + 1))
    coherence = np.abs(np.fft.rfft(np.bincount(at, comb), length)) / len(place)
    frequencies = np.arange(len(coherence)) / (length * cell)
    searched = (frequencies >= slowest) & (frequencies <= fastest)
    coherence, frequencies = coherence[searched], frequencies[searched]
    best = int(np.argmax(coherence))
    return float(frequencies[best]), float(coherence[best]), float(np.median(coherence))


def _bound(step_mm: NDArray[np.float64], unit_mm: float) -> float:
    """Return the coherence that levels keep which are rounded to the unit; steps of two whole units keep more.

    A comb that is weaker by half is no law of steps: levels may occur more and less often without any being left out.
    Nor is one whose levels in between occur all the same.
    """
    return float(np.mean(np.sinc(unit_mm / step_mm)))


def _unfolded(frequency: float, unit_mm: float, empty: float) -> float:
    """Return the frequency itself or that beyond 1 / (2 units) which looks the same on whole units.

    Steps of 2.5 units leave three of five levels empty, those of 5/3 units two of five.
    """
    both = np.array([frequency, 1 / unit_mm - frequency])
    return float(both[np.argmin(np.abs(1 - unit_mm * both - empty))])


def _refined(
    place: NDArray[np.float64], combs: NDArray[np.float64], frequency: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return for each set the frequency of its highest coherence near a frequency, and that coherence."""
    near = frequency + np.linspace(-0.25, 0.25, 61) / np.ptp(place)
    turns = np.exp(-2j * np.pi * np.outer(near, place - place[0]))
    coherence = np.abs(combs @ turns.T) / len(place)
    return near[np.argmax(coherence, axis=1)], coherence.max(axis=1)


def measure_steps(
    counts: NDArray[np.int64] | None, unit: Estimate | None, unit_mm: float, bootstrap: Bootstrap
) -> dict[str, Estimate | None]:
    """Return the step at 1 m and the exponent of its growth with distance, 0 or 2.

    Where no steps beyond the unit are found, the step is the unit and the exponent 0.

    Args:
        counts: (frames, levels), see `level_counts`.
        unit: See `measure_unit`.
        unit_mm: Unit of the levels.
        bootstrap: The resampled sets.
    """
    nothing: dict[str, Estimate | None] = {"step_mm_at_1m": None, "step_exponent": None}
    if counts is None or unit is None:
        return nothing
    multiple = max(1, round(unit.value / unit_mm))
    total = counts[:, ::multiple].astype(np.float64)
    levels, combs = _comb(bootstrap.totals(total))
    if len(levels) < _FEWEST_LEVELS:
        return nothing
    depth = (levels * unit.value).astype(np.float64)
    far = float(np.average(depth, weights=combs[0] + 1))
    # Steps from just above the unit to 20 mm at the mean distance.
    shortest, longest = _SHORTEST * unit.value, max(20.0, 4 * unit.value)
    laws = []
    empty = float(np.mean(combs[0] <= -1))
    searched = ((0, depth, 1.0, 2 * unit.value), (2, -1e6 / depth, (1000 / far) ** 2, shortest))
    for exponent, place, scale, least in searched:
        frequency, coherence, usual = _peak(place, combs[0], 1 / (longest * scale), 1 / (least * scale))
        if exponent == 0:
            frequency = _unfolded(frequency, unit.value, empty)
            if frequency * shortest > 1:
                continue
        step = (depth / 1000) ** exponent / frequency
        left_out = empty / max(np.mean(1 - unit.value / step), 0.1)
        if coherence >= max(_COHERENT * _bound(step, unit.value), _ABOVE_MEDIAN * usual) and left_out >= _LEFT_OUT:
            laws.append((exponent, *_refined(place, combs, frequency)))
    plain = Estimate(unit.value, unit.value, unit.value)
    if not laws:
        return {"step_mm_at_1m": plain, "step_exponent": Estimate(0.0, 0.0, 0.0)}
    chosen = np.argmax(np.stack([coherence for _, _, coherence in laws]), axis=0)
    exponents = np.array([law[0] for law in laws], dtype=float)[chosen]
    steps = 1 / np.stack([frequency for _, frequency, _ in laws])[chosen, np.arange(len(chosen))]
    same = exponents == exponents[0]
    step = interval(steps[0], steps[same])
    return {"step_mm_at_1m": step, "step_exponent": interval(exponents[0], exponents[1:])}
