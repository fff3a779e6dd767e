"""Greedy coverage: again and again the frame that newly covers the most, and then the one farthest from all chosen."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numba
import numpy as np
from numpy.typing import NDArray

from refiner.annotate.references.distances import Distances, in_blocks
from refiner.annotate.references.nearest import nearest_of
from refiner.annotate.references.neighbours import Neighbours

_STEPS = 1 << 20
"""Distances are added up as whole numbers of this many steps, so that a sum does not depend on its order."""


@dataclass(frozen=True)
class Scale:
    """The least distance in a sequence, and how far the others go beyond it."""

    least: float
    spread: float

    @classmethod
    def of(cls, distances: Distances, usable: NDArray[np.bool_]) -> "Scale":
        """Measure the distances between usable frames.

        Raises:
            ValueError: They are not finite.
        """
        if usable.all():
            least, most = distances.min(), distances.max()
        else:
            blocks = in_blocks(distances, np.flatnonzero(usable))
            ends = [(part.min(), part.max()) for part in (rows[:, usable] for _, rows in blocks)]
            least, most = min(low for low, _ in ends), max(high for _, high in ends)
        spread = float(np.float32(most) - np.float32(least))
        if not math.isfinite(least + spread):
            raise ValueError("Distances must be finite.")
        return cls(float(least), spread)

    def reach(self, radius: float) -> float:
        """Return how far beyond the least distance a relative radius goes; where all frames are the same, to all."""
        return radius * self.spread if self.spread > 0 else math.inf


@dataclass(frozen=True)
class Pick:
    """A chosen frame.

    Attributes:
        frame: Its number.
        covered: How many usable frames it and those before it cover.
        farthest: Whether it was chosen for its distance, since all were covered before.
    """

    frame: int
    covered: int
    farthest: bool


def greedy_picks(
    distances: Distances, neighbours: Neighbours, scale: Scale, reach: float, usable: NDArray[np.bool_],
    preferred: NDArray[np.bool_],
) -> Iterator[Pick]:  # fmt: skip
    """Choose usable frames one after another until there are no more.

    Args:
        distances: Of all N frames.
        neighbours: Within `reach` or more.
        scale: Of the distances.
        reach: A frame covers those that are less far away than this beyond the least distance.
        usable: (N,) frames that may be chosen and ask to be covered.
        preferred: (N,) frames that go first where others would newly cover as many.
    """
    gain, apart = np.zeros(len(usable), np.int64), np.zeros(len(usable), np.int64)
    limits = scale.least, reach, _STEPS / (scale.spread or 1.0)
    waiting, free, picked, covered = usable.copy(), usable.copy(), list[int](), 0
    for listed in neighbours.of(np.flatnonzero(usable)):
        _count(*listed, *limits, 1, gain, apart)
    while (best := _most(free, gain, preferred, apart)) >= 0:
        ((_, near, away),) = neighbours.of(np.array([best]))
        new = near[waiting[near] & ((away.astype(np.float64) - scale.least < reach) | (near == best))]
        waiting[new], free[best] = False, False
        for listed in neighbours.of(new.astype(np.int64)):
            _count(*listed, *limits, -1, gain, apart)
        picked.append(best)
        covered += len(new)
        yield Pick(best, covered, False)
    if not free.any():
        return
    _, away = nearest_of(distances, picked)
    while (best := _farthest(free, away, preferred)) >= 0:
        free[best] = False
        np.minimum(away, distances[best], out=away)
        yield Pick(best, covered, True)


@numba.njit(nogil=True, cache=True)
def _count(frame, near, away, least, reach, step, sign, gain, apart):
    """Add a frame that waits for cover (sign 1), or take it away (-1), at all frames that would cover it."""
    for k in range(len(near)):
        beyond, j = away[k] - least, near[k]
        if beyond < reach or j == frame:
            gain[j] += sign
            apart[j] += sign * np.int64(beyond * step)


@numba.njit(nogil=True, cache=True)
def _most(free, gain, preferred, apart):
    """Find the free frame that would newly cover the most, -1 where none covers anything."""
    best = -1
    for j in range(len(free)):
        if not free[j] or gain[j] == 0 or (best >= 0 and gain[j] < gain[best]):
            continue
        if best < 0 or (gain[j], preferred[j], -apart[j]) > (gain[best], preferred[best], -apart[best]):
            best = j
    return best


@numba.njit(nogil=True, cache=True)
def _farthest(free, nearest, preferred):
    """Find the free frame that is farthest from all chosen ones, -1 where none is free."""
    best = -1
    for j in range(len(free)):
        if free[j] and (best < 0 or (nearest[j], preferred[j]) > (nearest[best], preferred[best])):
            best = j
    return best
