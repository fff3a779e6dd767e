"""How depth runs towards the outline of a hand: sharp, mixed with the background, or fattened.

Seen from the outline inwards a round surface falls off as the square root of the distance x from the outline,
z(x) = z(0) - A sqrt(x), so that a pixel's mean depth over x = 0..1, 1..2, 2..3 and 3..4 px is 0.667, 1.219, 1.578 and
1.868 A nearer than the outline itself. Three kinds of rims follow from the differences of neighbours along the way in:

- sharp: the outermost difference is the greatest, 0.85 times the next two together;
- mixed: pixels at the outline hold light of the background, too, and fly behind what this says;
- fattened: windows that are matched carry the surface's depth beyond its outline. The outermost pixels are flat, and
  the steepest place lies farther in.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from refiner.sensors.measure.estimates import Bootstrap, Estimate, median_of, ratio
from refiner.sensors.measure.window import Hand

SIDES = ("left", "right", "top", "bottom")
_IN_PX, _PLACES = 3, 7
_EDGES_MM = np.arange(-60.0, 131.0)
_SHARP_RATIO = (1.219 - 0.667) / (1.868 - 1.219)
_FLYING_RATIO, _FLYING_MM = 1.5, 10.0
_CREASE_MM, _NEAR_FAR_MM, _BEHIND_MM = 15.0, 40.0, 15.0
_SLOPE_LIMIT_MM, _LEAST_SLOPE_MM = 20.0, 0.3
_FEWEST = 100


def _from_side(image: NDArray, side: str) -> NDArray:
    """Return an image turned so that the side is at its left and columns run inwards."""
    turned = image if side in ("left", "right") else image.T
    return turned if side in ("left", "top") else turned[:, ::-1]


def _profiles(hand: Hand, side: str) -> NDArray[np.float32]:
    """Return depths of the outermost pixels and of the six behind each, from one side, (n, 7); 0 where the hand ends.

    Where the hand is cut, by the cube's far face, by the window or by what lies before it, is no outline.
    """
    depth, filled = _from_side(hand.window.depth_mm, side), _from_side(hand.filled, side)
    readings = _from_side(hand.readings, side)
    columns = depth.shape[1]
    if columns < _PLACES + 1:
        return np.empty((0, _PLACES), np.float32)
    v, u = np.nonzero(readings[:, 1:] & ~filled[:, :-1])
    u = u + 1
    # Readings go on for four pixels and more.
    keep = u + _IN_PX + 1 < columns
    v, u = v[keep], u[keep]
    places = u[:, None] + np.arange(_PLACES)
    inside = places < columns
    places = np.minimum(places, columns - 1)
    unbroken = np.logical_and.accumulate(readings[v[:, None], places] & inside, axis=1)
    profile = np.where(unbroken, depth[v[:, None], places], 0)
    outside = depth[v, u - 1]
    ends = (outside == 0) | (outside > profile[:, 0] + _BEHIND_MM)
    deep = profile[:, _IN_PX] < hand.window.far_mm - _NEAR_FAR_MM
    smooth = np.abs(profile[:, _IN_PX - 1] - profile[:, _IN_PX + 1]) < _CREASE_MM
    return profile[ends & deep & smooth & unbroken[:, _IN_PX + 1]]


def rim_sums(hand: Hand, noise_mm: float) -> dict[str, NDArray[np.float64]]:
    """Return sums over one hand: histograms of rims by side and of their excess, flying ones, slopes on the way in.

    Args:
        hand: The hand.
        noise_mm: Of facing surfaces, which is not to be taken for flying.
    """
    by_side = [_profiles(hand, side) for side in SIDES]
    behind = np.array([_histogram(rim[:, 0] - rim[:, _IN_PX]) for rim in by_side])
    every = np.concatenate(by_side).astype(np.float64)
    outer, inner = every[:, 0] - every[:, 1], every[:, 1] - every[:, 3]
    flying = outer > _FLYING_RATIO * np.maximum(inner, 0) + _FLYING_MM + 3 * noise_mm
    known = (every[:, 1:] > 0) & (every[:, :-1] > 0)
    slopes = np.where(known, np.clip(every[:, :-1] - every[:, 1:], -_SLOPE_LIMIT_MM, _SLOPE_LIMIT_MM), 0)
    return {
        "behind": behind,
        "excess": _histogram(outer - _SHARP_RATIO * inner),
        "flying": np.array([flying.sum(), len(every)], dtype=float),
        "slopes": np.stack([slopes.sum(axis=0), known.sum(axis=0)]).astype(float),
    }


def _histogram(values: NDArray[np.floating]) -> NDArray[np.float64]:
    inside = np.clip(values, _EDGES_MM[0], _EDGES_MM[-1] - 1e-3)
    # Whole millimetres stand in the middle of their bins.
    return np.histogram(inside + 0.5, _EDGES_MM)[0].astype(np.float64)


def _median(histograms: NDArray[np.float64]) -> NDArray[np.float64]:
    return median_of(_EDGES_MM)(histograms) - 0.5


def _flat_px(totals: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the width of the flat rim: up to the steepest place, what each pixel lacks of the steepest slope."""
    slopes = totals[:, 0] / np.maximum(totals[:, 1], 1)
    steepest = np.argmax(slopes, axis=1)
    most = slopes.max(axis=1)
    before = np.arange(slopes.shape[1]) < steepest[:, None]
    with np.errstate(invalid="ignore", divide="ignore"):
        lacks = np.where(before, 1 - np.clip(slopes / most[:, None], 0, 1), 0).sum(axis=1)
    return np.where(most >= _LEAST_SLOPE_MM, lacks, np.nan)


def measure_rims(sums: dict[str, NDArray[np.float64]], bootstrap: Bootstrap) -> dict[str, Estimate | None]:
    """Return how rims end, see `refiner.sensors.measure.names.MEASURES`.

    Args:
        sums: Of all frames, see `rim_sums`; the first axis is the frame.
        bootstrap: The resampled sets.
    """
    count = sums["flying"][:, 1]
    wanted: dict[str, tuple[NDArray[np.float64], Callable[[NDArray[np.float64]], NDArray[np.float64]]]] = {
        f"rim_{side}_mm": (sums["behind"][:, index], _median) for index, side in enumerate(SIDES)
    }
    wanted["rim_excess_mm"] = sums["excess"], _median
    wanted["rim_flying"] = sums["flying"], ratio
    wanted["rim_flat_px"] = sums["slopes"], _flat_px
    result = {}
    for name, (part, function) in wanted.items():
        own = part.sum(axis=1) if name in [f"rim_{side}_mm" for side in SIDES] else count
        result[name] = bootstrap.estimate(part, function, own, _FEWEST)
    return result
