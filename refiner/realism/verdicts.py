"""Verdicts on two sets: what fresh classifiers are shown, which maps they learn from, and in how many rounds.

One classifier that learns from 44 maps and is asked about 44 others says little: on one and the same refined set of a
Kinect v2 three told 0.79, 0.88 and 0.74. Small sets are judged in several rounds, each with a classifier and a split of
its own, and the answers are put together.

Other frames of the same sequences are not quite other frames. What a smooth surface leaves of a hand, creases and
sinews, is much the same for as long as it holds a pose. A classifier that learns from them knows this hand again, and
names what does not have its creases, however real. `refiner.realism.runs` keeps what is learnt from apart from what is
asked about. Where there are sequences to spare, classifiers may learn from all of these and be asked about the others.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from refiner.datasets.inspection import spread_items
from refiner.realism.classifier import Sample, Verdict, pooled, tell_apart
from refiner.realism.maps import read_depth_mm
from refiner.realism.patches import STEPS_PX, cut_patches, two_scales
from refiner.realism.runs import ASKED, LEARNT, Divide, Division, apart, clusters, learnable, short_runs, stretches
from refiner.realism.timeline import Placed

FEWEST_PATCHES = 6000
WHOLE_PX = 32
ENOUGH_MAPS, MOST_ROUNDS = 120, 3
"""There are as many rounds as it takes to ask about so many maps of the smaller set, and no more than this."""
_ROUND = 1001
"""Between the seeds of two rounds: those of neighbouring seeds must not meet. Odd, since odd seeds ask about what even
ones learn from."""


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
        runs: (n,), the run of frames that each belongs to, see `Sample`.
    """

    depth_mm: NDArray[np.float32]
    items: NDArray[np.int64]
    runs: NDArray[np.int64]


Split = tuple[Shown, Shown]
"""Maps to train on, and to test on."""


@dataclass(frozen=True)
class Side:
    """One of two sets that are compared.

    Attributes:
        asked: The set that is asked about.
        unit_mm: Coarser unit of the sets that are compared.
        variants: Maps that were refined from each render; one of each is shown.
        half: Where given, every other stretch of camera maps, see `refiner.realism.runs.stretches`: 0 or 1.
        change: Where given, what is done to the maps before they are shown.
        learn: Where given, a set of the same kind, of other sequences: classifiers learn from it, and are asked about
            all of `asked`. Else they learn from a part of `asked`, and are asked about another.
        divide: How `asked` is divided then.
    """

    asked: Placed
    unit_mm: float
    variants: int = 1
    half: int | None = None
    change: Callable[[NDArray[np.float32]], NDArray[np.float32]] | None = None
    learn: Placed | None = None
    divide: Divide = apart

    def tested(self, effort: Effort) -> int:
        """Return how many maps are asked about in a round."""
        return min(len(self._chosen(seed=0)[1]), effort.maps)

    def split(self, effort: Effort, seed: int) -> Split:
        """Read the maps of one round."""
        learnt, asked = (items[spread_items(len(items), effort.maps)] for items in self._chosen(seed))
        learn = self.learn or self.asked
        # A part of what is learnt from is held out in short runs: by whole sequences too little would be left.
        runs = self._stretches(seed)[1] if self.half is not None else clusters(self.asked.timeline)
        return self._shown(learn, learnt, short_runs(learn.timeline)), self._shown(self.asked, asked, runs)

    def counts(self, seed: int) -> dict[str, int | None]:
        """Return how many maps may be learnt from, are left out or may be asked about, and the gap in frames."""
        learnt, asked = map(len, self._chosen(seed))
        every = -(-len((self.learn or self.asked).rows) // self.variants)
        left_out = every - learnt - (0 if self.learn else asked)
        return {"learnt": learnt, "left_out": left_out, "asked": asked, "gap_frames": self._division(seed).gap_frames}

    def _division(self, seed: int) -> Division:
        """Divide the timeline of what is learnt from."""
        if self.learn is None:
            return self.divide(self.asked.timeline, seed)
        return learnable(self.learn.timeline, self.asked.timeline)

    def _chosen(self, seed: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Choose the items that may be learnt from, and those that may be asked about."""
        learn, asked = self.learn or self.asked, self.asked
        roles = self._division(seed).roles
        wanted = [roles == LEARNT, roles == ASKED if self.learn is None else np.ones(len(asked.timeline), bool)]
        if self.half is not None:
            half = (self.half + np.random.default_rng((0x6861, seed)).integers(2)) % 2
            wanted = [part & (number % 2 == half) for part, number in zip(wanted, self._stretches(seed), strict=True)]
        items = [np.flatnonzero(part[placed.rows]) for part, placed in zip(wanted, (learn, asked), strict=True)]
        learnt, tested = (some[some % self.variants == 0] for some in items)
        return learnt, tested

    def _stretches(self, seed: int) -> list[NDArray[np.int64]]:
        """Return the stretch of each item of the timelines of what is learnt from and of what is asked about."""
        roles = self._division(seed).roles
        if self.learn is None:
            return [stretches(self.asked.timeline, roles)] * 2
        learn, asked = self.learn.timeline, self.asked.timeline
        numbers = stretches(learn.followed_by(asked), np.append(roles, np.full(len(asked), ASKED)))
        return [numbers[: len(learn)], numbers[len(learn) :]]

    def _shown(self, placed: Placed, items: NDArray[np.int64], runs: NDArray[np.int64]) -> Shown:
        depth_mm = read_depth_mm(placed.store, items, self.unit_mm)
        changed = depth_mm if self.change is None else self.change(depth_mm)
        return Shown(changed, items, runs[placed.rows[items]])


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
    return Sample(patches, shown.items[owners], shown.runs[owners])


def _whole(shown: Shown, effort: Effort, seed: int) -> Sample:  # noqa: ARG001
    """Show whole maps to a classifier, picked down to about 32 px."""
    step = max(1, shown.depth_mm.shape[1] // WHOLE_PX)  # pixels are picked, so that nothing is mixed across an edge
    return Sample(two_scales(shown.depth_mm)[:, :, ::step, ::step], shown.items, shown.runs)


LEVELS = {"patches": _patches, "whole_maps": _whole}
"""What classifiers are shown: name -> how it is cut of maps."""
