"""Verdicts on two sets: what fresh classifiers are shown, which maps they learn from, and in how many rounds.

One classifier that learns from 44 maps and is asked about 44 others says little: on one and the same refined set of a
Kinect v2 three told 0.79, 0.88 and 0.74. Small sets are judged in several rounds, each with a classifier and a split of
its own, and the answers are put together.

Other frames of the same sequences are not quite other frames. What a smooth surface leaves of a hand, creases and
sinews, is much the same for as long as it holds a pose: on a Kinect v1 it correlates by 0.70 over 80 frames, and by
0.36 with that of other poses (`experiments.same_hand`). A classifier that learns from them knows this hand again, and
names what does not have its creases, however real. Where there are sequences to spare, it may learn from these and be
asked about the others.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from refiner.datasets.inspection import spread_items
from refiner.datasets.store import DepthStore
from refiner.realism.classifier import Sample, Verdict, pooled, tell_apart
from refiner.realism.maps import in_blocks, read_depth_mm
from refiner.realism.patches import STEPS_PX, cut_patches, two_scales

FEWEST_PATCHES = 6000
WHOLE_PX = 32
ENOUGH_MAPS, MOST_ROUNDS = 120, 3
"""There are as many rounds as it takes to ask about so many maps of the smaller set, and no more than this."""
_ROUND = 1000
"""Between the seeds of two rounds: those of neighbouring seeds must not meet."""


@dataclass(frozen=True)
class Effort:
    """How much is looked at.

    Attributes:
        maps: Maps of each set to train on, and as many to test on, at most.
        patches: Wanted patches of each set to train on, and to test on.
        most_epochs: Of each classifier, where no plateau comes.
    """

    maps: int = 1500
    patches: int = FEWEST_PATCHES
    most_epochs: int = 60


@dataclass(frozen=True)
class Shown:
    """Maps of a set.

    Attributes:
        depth_mm: (n, H, W), 0 = no reading.
        items: (n,), ascending: which they are.
    """

    depth_mm: NDArray[np.float32]
    items: NDArray[np.int64]


Split = tuple[Shown, Shown]
"""Maps to train on, and to test on."""


@dataclass(frozen=True)
class Side:
    """One of two sets that are compared.

    Attributes:
        store: The set.
        unit_mm: Coarser unit of the sets that are compared.
        variants: Maps that were refined from each render; one of each is shown.
        half: Where given, every other map of each part of the split, by lot: 0 or 1 for what the other leaves.
        change: Where given, what is done to the maps before they are shown.
        learn: Where given, a set of the same kind, of other sequences: classifiers learn from it, and are asked about
            all of `store`. Else they learn from a half of `store`, in runs of neighbours, and are asked about the rest.
    """

    store: DepthStore
    unit_mm: float
    variants: int = 1
    half: int | None = None
    change: Callable[[NDArray[np.float32]], NDArray[np.float32]] | None = None
    learn: DepthStore | None = None

    def tested(self, effort: Effort) -> int:
        """Give how many maps are asked about in a round."""
        maps = len(self._parts(effort, seed=0)[1][1])
        return maps if self.half is None else maps // 2

    def split(self, effort: Effort, seed: int) -> Split:
        """Read the maps of one round. A refined map is tested where its render is not trained on."""
        parts = self._parts(effort, seed)
        return tuple(self._shown(store, items, seed, part) for part, (store, items) in enumerate(parts))  # pyright: ignore[reportReturnType]

    def _parts(self, effort: Effort, seed: int) -> list[tuple[DepthStore, NDArray[np.int64]]]:
        """Choose what is learnt from, and what is asked about, before variants and halves."""
        if self.learn is None:
            blocks = in_blocks(len(self.store) // self.variants, effort.maps, seed)
            return [(self.store, items) for items in blocks]
        stores = (self.learn, self.store)
        return [(store, spread_items(len(store) // self.variants, effort.maps)) for store in stores]

    def _shown(self, store: DepthStore, items: NDArray[np.int64], seed: int, part: int) -> Shown:
        items = items * self.variants
        if self.half is not None:
            lot = np.random.default_rng((0x6861, seed, part)).permutation(len(items))
            items = items[np.sort(lot[self.half :: 2])]
        depth_mm = read_depth_mm(store, items, self.unit_mm)
        return Shown(depth_mm if self.change is None else self.change(depth_mm), items)


def rounds_for(first: Side, second: Side, effort: Effort) -> int:
    """Give how many rounds two sets want."""
    tested = min(side.tested(effort) for side in (first, second))
    return int(np.clip(-(-ENOUGH_MAPS // max(tested, 1)), 1, MOST_ROUNDS))


def verdict_on(first: Side, second: Side, level: str, effort: Effort, seed: int) -> Verdict:
    """Say how well fresh classifiers tell two sets apart, in as many rounds as they want.

    Args:
        first: One set.
        second: The other.
        level: Of `LEVELS`.
        effort: How much is looked at.
        seed: Of the classifiers and of what is looked at.

    Raises:
        ValueError: A set has no pictures.
    """
    verdicts = []
    for number in range(rounds_for(first, second, effort)):
        own = seed + _ROUND * number
        samples = [[LEVELS[level](part, effort, own) for part in side.split(effort, own)] for side in (first, second)]
        train, test = ((samples[0][k], samples[1][k]) for k in (0, 1))
        verdicts.append(tell_apart(train, test, own, effort.most_epochs))
    return pooled(verdicts, seed)


def _patches(shown: Shown, effort: Effort, seed: int) -> Sample:
    """Cut about as many patches as are wanted, for a classifier."""
    per_map = max(1, -(-effort.patches // max(len(shown.items), 1)))
    # Some maps show little of a hand: take more of the others, then from places closer together.
    for most, step_px in ((per_map, STEPS_PX[0]), *((4 * per_map, step_px) for step_px in STEPS_PX)):
        patches, owners = cut_patches(shown.depth_mm, most, np.random.default_rng((0x7061, seed)), step_px)
        if len(patches) >= effort.patches:
            break
    return Sample(patches, shown.items[owners])


def _whole(shown: Shown, effort: Effort, seed: int) -> Sample:  # noqa: ARG001
    """Show whole maps to a classifier, picked down to about 32 px."""
    step = max(1, shown.depth_mm.shape[1] // WHOLE_PX)  # pixels are picked, so that nothing is mixed across an edge
    return Sample(two_scales(shown.depth_mm)[:, :, ::step, ::step], shown.items)


LEVELS = {"patches": _patches, "whole_maps": _whole}
"""What classifiers are shown: name -> how it is cut of maps."""
