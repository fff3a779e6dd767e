"""Fit the hand of every map of a set: one shape for all, then each map from many starts, then from other maps' hands.

A person's hand is one, so its shape is found from many maps first, by variable projection: Gauss-Newton on the shape
alone, with all poses brought to rest after each step. Many maps count no more against the spread of shapes than one
does. Each map may then leave that shape a little, since a hand with seventeen numbers is never quite the person's. A
palm and a back are found for each map, and one of the two is chosen when poses that recur have helped both.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from refiner.datasets.inspection import read_items, spread_items
from refiner.datasets.store import DepthStore
from refiner.datasets.store_format import REQUIRED
from refiner.errors import StoreError
from refiner.fitting.settle import PlacedHand, reduced_equations, settle, shape_precision
from refiner.fitting.starts import Bank
from refiner.fitting.target import Target, target_of
from refiner.geometry.depth import to_mm
from refiner.threads import map_frames

STARTS, KEPT = 10, 2
"""Hands of the bank that each map is tried from, palms and backs together, and how many are fitted to the end."""
_FIRST, _LAST = 8, 30
_SHAPE_MAPS, _SHAPE_ROUNDS, _GOOD = 96, 8, 0.8
"""Maps that the shared shape is found from; the share of them that fits best counts."""
TIGHTNESS = 0.3
"""Weight of the spread of human shapes about the shared one, of each map's own."""
SIDE_MAPS = 32
RECURRING = 6
"""Poses of the sequence, those that fit best, that each of its maps is tried in: most come more than once."""
PASSES, REACH = 2, 2
"""Rounds in which each map is tried from its neighbours' hands, and how many frames to either side."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Maps:
    """Maps to fit, with the centres of their cubes (n, 3) and their sequence numbers (n,); a target may be missing."""

    targets: list[Target | None]
    centre_mm: Floats
    sequence: NDArray[np.int64]


def maps_of(rows: Mapping[str, NDArray[Any]], unit_mm: float, window_px: int = 1) -> Maps:
    """Prepare maps.

    Args:
        rows: Arrays of n items by name, as in the store; `image_px` and `sequence` may be missing.
        unit_mm: Of `depth`.
        window_px: Of the camera, see `refiner.sensors.window`.
    """
    depth_mm, centre_mm = to_mm(rows["depth"], unit_mm), rows["centre_mm"].astype(np.float64)
    count = len(depth_mm)
    targets = map_frames(
        partial(target_of, window_px=window_px), depth_mm, rows["camera"].astype(np.float64), centre_mm,
        rows["cube_mm"].astype(np.float64), rows.get("image_px", [None] * count),
    )  # fmt: skip
    return Maps(targets, centre_mm, np.asarray(rows.get("sequence", np.arange(count)), dtype=np.int64))


def _take(store: DepthStore, items: NDArray[np.int64], window_px: int) -> Maps:
    """Prepare single maps, and none without readings."""
    names = [*REQUIRED, *(name for name in ("image_px", "sequence") if name in store)]
    rows = {name: read_items(store, name, items) for name in names}
    some = _known(maps_of(rows, store.depth_unit_mm, window_px))[0]
    if not some.targets:
        raise StoreError(f"{store.path}: none of {len(items)} maps has a reading. Prepare the recording again.")
    return some


def _known(maps: Maps) -> tuple[Maps, list[int]]:
    """Leave out the maps without readings; and say which are left."""
    known = [k for k, target in enumerate(maps.targets) if target is not None]
    return Maps([maps.targets[k] for k in known], maps.centre_mm[known], maps.sequence[known]), known


def side_misfits(store: DepthStore, bank: Bank, window_px: int = 1) -> tuple[float, float]:
    """Fit right and left hands to some maps, and give the median misfit of either in mm."""
    maps = _take(store, spread_items(len(store), SIDE_MAPS), window_px)
    mean = np.zeros(len(shape_precision()))
    fitted = [_best_view(_from_bank(maps, bank, side, mean, free=False)) for side in (0, 1)]
    return tuple(float(np.median([hand.misfit_mm for hand in hands])) for hands in fitted)  # pyright: ignore[reportReturnType]


def shared_shape(
    store: DepthStore, bank: Bank, side: int, window_px: int = 1,
    on_progress: Callable[[int], None] = lambda _done: None,
) -> Floats:  # fmt: skip
    """Find the one shape (17,) of all hands of a set.

    Args:
        store: The set.
        bank: Where fits begin.
        side: 0 right, 1 left.
        window_px: Of the camera, see `refiner.sensors.window`.
        on_progress: Called with 1 after each of `SHAPE_STEPS` steps.
    """
    maps = _take(store, spread_items(len(store), _SHAPE_MAPS), window_px)
    precision = shape_precision()
    shape = np.zeros(len(precision))
    hands = _best_view(_from_bank(maps, bank, side, shape, free=False))
    on_progress(1)
    for _ in range(_SHAPE_ROUNDS):
        misfit = np.array([hand.misfit_mm for hand in hands])
        good = np.flatnonzero(misfit <= np.quantile(misfit, _GOOD))
        parts = map_frames(reduced_equations, [hands[k] for k in good], [maps.targets[k] for k in good])
        normal = sum(part[0] for part in parts) / len(parts) + precision
        gradient = sum(part[1] for part in parts) / len(parts) + precision @ shape
        shape = shape - np.linalg.solve(normal + 1e-3 * np.diag(np.diag(normal)), gradient)
        hands = map_frames(settle, [replace(hand, shape=shape) for hand in hands], maps.targets, [10] * len(hands))
        on_progress(1)
    return shape


SHAPE_STEPS = _SHAPE_ROUNDS + 1


def fit_maps(
    maps: Maps, bank: Bank, side: int, shape: Floats,
    on_progress: Callable[[int], None] = lambda _done: None,
) -> list[PlacedHand | None]:  # fmt: skip
    """Fit every map; none where a map has no reading.

    Args:
        maps: The maps; neighbours of one sequence help each other.
        bank: Where fits begin.
        side: 0 right, 1 left.
        shape: (17,), the shared shape.
        on_progress: Called with 1 for each map that is done.
    """
    some, known = _known(maps)
    by_view = _from_bank(some, bank, side, shape, free=True, on_progress=on_progress)
    hands = _best_view([_helped(_recurring, some, hands, shape) for hands in by_view])
    for _ in range(PASSES):
        hands = _helped(_neighbours, some, hands, shape)
    result: list[PlacedHand | None] = [None] * len(maps.targets)
    for k, hand in zip(known, hands, strict=True):
        result[k] = hand
    return result


def _from_bank(
    maps: Maps, bank: Bank, side: int, shape: Floats, *, free: bool,
    on_progress: Callable[[int], None] = lambda _done: None,
) -> list[list[PlacedHand]]:  # fmt: skip
    """Fit each map by itself, for each of `Bank.views`."""
    more: dict[str, Any] = {"mean": shape, "tightness": TIGHTNESS} if free else {}
    kept = max(1, KEPT // len(bank.views))

    def one(target: Target, centre_mm: Floats) -> list[PlacedHand]:
        found = []
        for starts in bank.starts(target, centre_mm, side, STARTS):
            tried = sorted((settle(replace(hand, shape=shape), target, _FIRST) for hand in starts), key=_cost)[:kept]
            found.append(min((settle(hand, target, _LAST, **more) for hand in tried), key=_cost))
        on_progress(1)
        return found

    return [list(hands) for hands in zip(*map_frames(one, maps.targets, maps.centre_mm), strict=True)]


def _best_view(by_view: list[list[PlacedHand]]) -> list[PlacedHand]:
    return [min(hands, key=_cost) for hands in zip(*by_view, strict=True)]


def _cost(hand: PlacedHand) -> float:
    return hand.cost_mm


def _helped(
    others: Callable[[Maps, list[PlacedHand], int], list[PlacedHand]], maps: Maps, hands: list[PlacedHand],
    shape: Floats,
) -> list[PlacedHand]:  # fmt: skip
    """Try each map from what other maps' hands suggest."""
    tries = [others(maps, hands, n) for n in range(len(hands))]
    return map_frames(_best, hands, tries, maps.targets, [shape] * len(hands))


def _recurring(maps: Maps, hands: list[PlacedHand], n: int) -> list[PlacedHand]:
    """Give one hand, turned and placed as it is, in the poses of those of its sequence that fit best."""
    alike = [k for k in np.flatnonzero(maps.sequence == maps.sequence[n]) if k != n]
    best = sorted(alike, key=lambda k: hands[k].cost_mm)[:RECURRING]
    return [replace(hands[n], pose=np.concatenate([hands[n].pose[:3], hands[k].pose[3:]])) for k in best]


def _neighbours(maps: Maps, hands: list[PlacedHand], n: int) -> list[PlacedHand]:
    """Give the hands of the frames beside one, moved with the hand's centre."""
    tries = []
    for k in range(max(n - REACH, 0), min(n + REACH + 1, len(hands))):
        if k != n and maps.sequence[k] == maps.sequence[n]:
            wrist_mm = hands[k].wrist_mm + maps.centre_mm[n] - maps.centre_mm[k]
            tries.append(replace(hands[k], wrist_mm=wrist_mm))
    return tries


def _best(hand: PlacedHand, tries: list[PlacedHand], target: Target, shape: Floats) -> PlacedHand:
    if not tries:
        return hand
    tried = min((settle(start, target, _FIRST, shape, TIGHTNESS) for start in tries), key=_cost)
    return min(hand, settle(tried, target, _LAST, shape, TIGHTNESS), key=_cost)
