"""Which frames lie within a radius of which: lists that are kept as far as they are few, else found again."""

from collections.abc import Iterator

import numba
import numpy as np
from numpy.typing import NDArray

from refiner.annotate.references.distances import Distances, in_blocks

KEPT_PAIRS = 1 << 26
"""So many pairs are kept, of 8 bytes each, 512 MB."""


class Neighbours:
    """The frames within reach of each frame.

    Attributes:
        reach: Frames that are less far apart than this, beyond the least distance, are neighbours, and each is its own.
    """

    def __init__(self, distances: Distances, least: float, reach: float) -> None:
        self._distances, self._least, self.reach = distances, least, reach
        self._kept: dict[int, tuple[NDArray[np.int32], NDArray[np.float32]]] = {}
        self._room = KEPT_PAIRS

    def of(self, frames: NDArray[np.int64]) -> Iterator[tuple[int, NDArray[np.int32], NDArray[np.float32]]]:
        """Yield each of some frames, in any order, its neighbours (M,), and their distances (M,)."""
        missing = [frame for frame in frames.tolist() if frame not in self._kept]
        for frame in frames.tolist() if not missing else set(frames.tolist()) - set(missing):
            yield frame, *self._kept[frame]
        for some, rows in in_blocks(self._distances, np.array(missing, np.int64)):
            for frame, row in zip(some.tolist(), rows, strict=True):
                found = _within(row, frame, self._least, self.reach)
                if len(found[0]) <= self._room:
                    self._kept[frame] = found
                    self._room -= len(found[0])
                yield frame, *found

    def hold(self, frames: NDArray[np.int64]) -> bool:
        """Return whether the lists of all these frames are kept."""
        return all(frame in self._kept for frame in frames.tolist())


@numba.njit(nogil=True, cache=True)
def _within(row, frame, least, reach):
    count = 0
    for j in range(len(row)):
        count += row[j] - least < reach or j == frame
    near, away, k = np.empty(count, np.int32), np.empty(count, np.float32), 0
    for j in range(len(row)):
        if row[j] - least < reach or j == frame:
            near[k], away[k] = j, row[j]
            k += 1
    return near, away
