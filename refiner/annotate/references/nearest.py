"""Which reference a frame is most like, and in which order frames are solved from those that are most like them."""

from collections.abc import Sequence

import numba
import numpy as np
from numpy.typing import NDArray

from refiner.annotate.references.distances import Distances, in_blocks
from refiner.errors import UsageError

_AHEAD, _HELD = 1 << 21, 1 << 24
"""Numbers in rows that are computed together, and at most in those that wait to be used: 8 and 64 MB."""


def nearest_references(distances: Distances, references: Sequence[int]) -> NDArray[np.int64]:
    """Return every frame's nearest reference, (N,) frame numbers: of equals the earliest, of a reference itself."""
    return nearest_of(distances, references)[0]


def nearest_of(distances: Distances, references: Sequence[int]) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Return every frame's nearest reference (N,), as `nearest_references` does, and its distance (N,)."""
    frames = np.unique(np.asarray(references, np.int64))
    source, away = np.full(len(distances), -1), np.full(len(distances), np.inf, np.float32)
    for some, rows in in_blocks(distances, frames):
        for frame, row in zip(some.tolist(), rows, strict=True):
            _take_nearer(row, frame, away, source)
    source[frames] = frames
    return source, away


def propagation_order(distances: Distances, references: Sequence[int]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Order frames so that each is solved from the one most like it: Prim's tree, grown from all references at once.

    Args:
        distances: Of N frames.
        references: Frames that are solved already, one at least.

    Returns:
        The frames that are no references; and for each the reference, or the frame before it in this order, that is
        nearest to it. Of equally near frames the earliest goes first.

    Raises:
        UsageError: There is no reference.
    """
    if len(references) == 0:
        raise UsageError("Found no reference frame to start from; wanted at least one. Label a frame first.")
    source, away = nearest_of(distances, references)
    unknown = np.ones(len(distances), np.bool_)
    unknown[np.asarray(references, np.int64)] = False
    frames, neighbours, rows = [], [], dict[int, NDArray[np.float32]]()
    while (best := _nearest(unknown, away)) >= 0:
        if best not in rows:
            _fetch(distances, best, np.where(unknown, away, np.inf), rows)
        unknown[best] = False
        frames.append(best)
        neighbours.append(int(source[best]))
        _take_nearer(rows.pop(best), best, away, source)
    return np.array(frames, np.int64), np.array(neighbours, np.int64)


def _fetch(distances: Distances, best: int, away: NDArray[np.float32], rows: dict[int, NDArray[np.float32]]) -> None:
    """Compute the row of a frame, and beside it, as it costs little more, those of others that are nearest now.

    Each of these will be next before long, and is computed once: where enough of them wait, none is added.
    """
    count = len(distances)
    some = [best]
    if (len(rows) + 1) * count + _AHEAD <= _HELD:
        more = min(count - 1, _AHEAD // count)
        likely = np.argpartition(away, more)[:more].tolist()
        some += [frame for frame in likely if frame != best and frame not in rows and np.isfinite(away[frame])]
    rows.update(zip(some, distances[np.array(some)], strict=True))


@numba.njit(nogil=True, cache=True)
def _take_nearer(row, frame, away, source):
    """Note at all frames to which one is nearer than what is noted there."""
    for i in range(len(row)):
        if row[i] < away[i]:
            away[i], source[i] = row[i], frame


@numba.njit(nogil=True, cache=True)
def _nearest(unknown, away):
    best = -1
    for i in range(len(away)):
        if unknown[i] and (best < 0 or away[i] < away[best]):
            best = i
    return best
