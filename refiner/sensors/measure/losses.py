"""How often readings inside a hand are lost, one by one and in blots.

Only holes that the hand encloses are known to be lost; where readings fade out at the outline, the outline recedes.

Losses of single pixels touch by chance. Where each is lost by itself with probability p, a share p (1 - p)^4 is lost
with four neighbours that are there, and blots of n pixels come about as often as there are shapes of n pixels
(polyominoes), each p^n (1 - p)^(its neighbours). From the share of lone pixels follows p, which is what is returned;
and what chance makes of it is taken off the blots.
"""

import itertools

import numpy as np
from numpy.typing import NDArray

from refiner.sensors.measure.estimates import Bootstrap, Estimate
from refiner.sensors.measure.noise import DISTANCE_EDGES_MM, TILT_EDGES_DEG
from refiner.sensors.measure.window import Hand, surface_tilts

BLOT_EDGES_PX = (2, 5, 16, 64)
"""Blots of 2 to 4, 5 to 15, 16 to 63, and 64 px and more."""
OUTLINE_EDGES_PX = (2, 3, 5, 9)
"""Pixels from the outline: 2, 3 to 4, 5 to 8, 9 and more. The outermost pixel, 1, is never a hole."""
_FEWEST_PIXELS = 500
_EDGE_MISFIT_MM = 6.0
_MOST_LONE = 0.2
# Sizes of polyominoes: (pixels, neighbours) -> how many there are in all turns (Redelmeier 1981 counts by size).
_SHAPES = {
    2: ((6, 2),),
    3: ((7, 4), (8, 2)),
    4: ((8, 9), (9, 8), (10, 2)),
}


def bin_name(low: float, edges: tuple[int, ...], index: int, unit: str) -> str:
    """Return the name of a bin of whole pixels: `2px`, `3_4px`, or `9px_on` for the last."""
    if index + 1 == len(edges):
        return f"{low}{unit}_on"
    high = edges[index + 1] - 1
    return f"{low}{unit}" if high == low else f"{low}_{high}{unit}"


def _categories(hand: Hand, edge_mm: float) -> list[NDArray[np.bool_]]:
    """Return masks of all pixels, of each bin of tilt, of distance, of distance from the outline, and beside edges."""
    tilt, misfit = surface_tilts(hand)
    smooth = misfit <= edge_mm
    depth = hand.window.depth_mm
    filled_depth = np.where(hand.readings, depth, np.median(depth[hand.readings]) if hand.readings.any() else 0)
    masks = [hand.filled]
    masks += [smooth & (tilt >= low) & (tilt < high) for low, high in itertools.pairwise(TILT_EDGES_DEG)]
    masks += [(filled_depth >= low) & (filled_depth < high) for low, high in itertools.pairwise(DISTANCE_EDGES_MM)]
    masks += [
        (hand.inside_px >= low) & (hand.inside_px < high)
        for low, high in zip(OUTLINE_EDGES_PX, (*OUTLINE_EDGES_PX[1:], np.inf), strict=True)
    ]
    return [*masks, misfit > edge_mm]


CATEGORIES = (
    "",
    *(f"_tilt_{low:.0f}_{high:.0f}" for low, high in itertools.pairwise(TILT_EDGES_DEG)),
    *(f"_at_{low:.0f}_{high:.0f}" for low, high in itertools.pairwise(DISTANCE_EDGES_MM)),
    *(f"_outline_{bin_name(low, OUTLINE_EDGES_PX, i, 'px')}" for i, low in enumerate(OUTLINE_EDGES_PX)),
    "_edge",
)
"""Ends of names, one for each mask of `_categories`."""
BLOTS = tuple(f"lost_blot_{bin_name(low, BLOT_EDGES_PX, i, 'px')}" for i, low in enumerate(BLOT_EDGES_PX))


def loss_sums(hand: Hand, noise_mm: float) -> dict[str, NDArray[np.float64]]:
    """Return sums over one hand.

    Args:
        hand: The hand.
        noise_mm: Of facing surfaces; where a plane misfits by much more, two surfaces meet.

    Returns:
        `lost`: (categories, 3) pixels lost singly, pixels lost in blots, and all. `blots`: (sizes + 1,) pixels lost in
        blots of each size, and all.
    """
    single, blot = hand.hole_px == 1, hand.hole_px > 1
    # The outermost pixel is never a hole, and is not asked.
    asked = hand.filled & (hand.inside_px >= 2)
    masks = [mask & asked for mask in _categories(hand, max(_EDGE_MISFIT_MM, 2.5 * noise_mm))]
    lost = [((mask & single).sum(), (mask & blot).sum(), mask.sum()) for mask in masks]
    highs = (*BLOT_EDGES_PX[1:], np.iinfo(np.int32).max)
    sizes = [
        ((hand.hole_px >= low) & (hand.hole_px < high)).sum() for low, high in zip(BLOT_EDGES_PX, highs, strict=True)
    ]
    return {"lost": np.array(lost, dtype=float), "blots": np.array([*sizes, asked.sum()], dtype=float)}


def single_rate(lone: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return p of which p (1 - p)^4 is the share of lone pixels: the smaller one, at most 0.2."""
    p = np.linspace(0, _MOST_LONE, 2001)
    return np.interp(lone, p * (1 - p) ** 4, p)


def blots_by_chance(p: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the share of pixels in blots of each size that single losses of probability p make, (sets, sizes)."""
    total = np.zeros((len(p), len(BLOT_EDGES_PX)))
    for size, shapes in _SHAPES.items():
        total[:, 0] += sum(size * count * p**size * (1 - p) ** around for around, count in shapes)
    # Whatever else is lost lies in larger ones, nearly all of them of 5 to 15 px.
    total[:, 1] = np.maximum(p - p * (1 - p) ** 4 - total[:, 0], 0)
    return total


def _all(totals: NDArray[np.float64]) -> NDArray[np.float64]:
    return (totals[:, 0] + totals[:, 1]) / totals[:, 2]


def _single(totals: NDArray[np.float64]) -> NDArray[np.float64]:
    return single_rate(totals[:, 0] / totals[:, 2])


def _blot(totals: NDArray[np.float64]) -> NDArray[np.float64]:
    chance = blots_by_chance(_single(totals)).sum(axis=1)
    return np.maximum(totals[:, 1] / totals[:, 2] - chance, 0)


def measure_losses(sums: dict[str, NDArray[np.float64]], bootstrap: Bootstrap) -> dict[str, Estimate | None]:
    """Return rates of loss, see `refiner.sensors.measure.names.MEASURES`.

    Args:
        sums: Of all frames, see `loss_sums`; the first axis is the frame.
        bootstrap: The resampled sets.
    """
    lost, blots = sums["lost"], sums["blots"]
    result = {}
    for index, ending in enumerate(CATEGORIES):
        part = lost[:, index]
        for kind, function in (("", _all), ("_single", _single), ("_blot", _blot)):
            result[f"lost{kind}{ending}"] = bootstrap.estimate(part, function, part[:, 2], _FEWEST_PIXELS)
    for index, name in enumerate(BLOTS):
        joined = np.stack([lost[:, 0, 0], blots[:, index], lost[:, 0, 2]], axis=1)

        def share(totals: NDArray[np.float64], index: int = index) -> NDArray[np.float64]:
            return np.maximum(totals[:, 1] / totals[:, 2] - blots_by_chance(_single(totals))[:, index], 0)

        result[name] = bootstrap.estimate(joined, share, joined[:, 2], _FEWEST_PIXELS)
    return result
