"""How unlike frames are, row by row: the table of all pairs of 100,000 frames, 40 GB, is never held."""

from collections.abc import Iterator
from functools import cached_property
from typing import Any, Protocol

import numba
import numpy as np
from numpy.typing import NDArray

_BLOCK = 1 << 21
"""Numbers in a block of rows, 8 MB: each descriptor read serves all rows of a block, which stays in the cache."""
_TILE, _DEEP = 2048, 64
"""Frames and numbers of the part of the descriptors that is in the cache for all rows of a block, 256 KB."""


class Distances(Protocol):
    """Distances between N frames, symmetric, 0 from each to itself. A NumPy array (N, N) is one."""

    def __len__(self) -> int:
        """Return the number of frames."""
        ...

    def __getitem__(self, frames: Any, /) -> Any:
        """Return the distances from one frame to all, (N,), or from each of some frames, (M, N)."""
        ...

    def min(self) -> Any:
        """Return the least of all distances."""
        ...

    def max(self) -> Any:
        """Return the greatest of all distances."""
        ...


class CosineDistances:
    """1 - cosine of the angle between descriptors, in [0, 2]; a descriptor of zeros lies at 1 from every other frame.

    The distance of two frames is always the same number, whichever frames are asked for beside them and in whichever
    order: its products are added one after another in single precision. BLAS, which is hardly faster, adds them in an
    order that depends on the shape of the product.
    """

    def __init__(self, descriptors: NDArray[np.floating]) -> None:
        """Take descriptors (N, D), of any length; the distances are computed when they are asked for."""
        count, numbers = descriptors.shape
        self._columns = np.empty((numbers, count), np.float32)
        step = max(1, _BLOCK // numbers)
        for start in range(0, count, step):
            rows = np.asarray(descriptors[start : start + step], np.float32)
            if not np.isfinite(rows).all():
                raise ValueError("Descriptors must be finite.")
            length = np.linalg.norm(rows, axis=1, keepdims=True)
            rows = np.divide(rows, length, out=np.zeros_like(rows), where=length > 0)
            self._columns[:, start : start + step] = rows.T

    def __len__(self) -> int:
        """Return the number of frames."""
        return self._columns.shape[1]

    def __getitem__(self, frames: Any, /) -> NDArray[np.float32]:
        """Return the distances from one frame to all, (N,), or from each of some frames, (M, N)."""
        found = np.arange(len(self))[frames]
        rows = self._between(np.atleast_1d(found), 0)
        return rows if np.ndim(found) else rows[0]

    def min(self) -> float:
        """Return the least of all distances, which is that of any frame to itself."""
        return 0.0

    def max(self) -> float:
        """Return the greatest of all distances."""
        return self._greatest

    @cached_property
    def _greatest(self) -> float:
        every = np.arange(len(self))
        blocks = np.split(every, range(_rows(self), len(self), _rows(self)))
        return max(float(self._between(some, some[0]).max()) for some in blocks)  # of each pair once

    def _between(self, frames: NDArray[np.int64], first: int) -> NDArray[np.float32]:
        """Return the distances (M, N - first) from some frames to all from `first` on."""
        rows = np.empty((len(frames), len(self) - first), np.float32)
        some = np.ascontiguousarray(self._columns[:, frames].T)
        _distances(self._columns, some, frames, first, rows)
        return rows


def in_blocks(
    distances: Distances, frames: NDArray[np.int64]
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float32]]]:
    """Yield some of the frames (M,) and the distances from them to all (M, N), until all of these frames were there."""
    for start in range(0, len(frames), _rows(distances)):
        some = frames[start : start + _rows(distances)]
        yield some, distances[some]


def _rows(distances: Distances) -> int:
    return max(1, _BLOCK // len(distances))


@numba.njit(nogil=True, cache=True)
def _distances(columns, some, frames, first, out):
    """Write the distances (M, N - first) from frames (M,), of descriptors `some` (M, D), to all from `first` on."""
    numbers, count = columns.shape
    for start in range(first, count, _TILE):
        stop = min(count, start + _TILE)
        at, after = start - first, stop - first
        out[:, at:after] = 0
        for top in range(0, numbers, _DEEP):
            below = min(top + _DEEP, numbers)
            for m in range(len(some)):
                row, k = out[m, at:after], top
                while k + 4 <= below:  # four at a time: the row is then loaded and stored a quarter as often
                    a, b, c, d = some[m, k], some[m, k + 1], some[m, k + 2], some[m, k + 3]
                    p, q = columns[k, start:stop], columns[k + 1, start:stop]
                    r, s = columns[k + 2, start:stop], columns[k + 3, start:stop]
                    for j in range(stop - start):
                        row[j] += ((a * p[j] + b * q[j]) + c * r[j]) + d * s[j]
                    k += 4
                while k < below:
                    a, p = some[m, k], columns[k, start:stop]
                    for j in range(stop - start):
                        row[j] += a * p[j]
                    k += 1
        for m in range(len(some)):
            row = out[m, at:after]
            for j in range(stop - start):
                away = np.float32(1) - row[j]
                away = away if away > 0 else np.float32(0)
                row[j] = away if away < 2 else np.float32(2)
    for m in range(len(some)):
        if frames[m] >= first:
            out[m, frames[m] - first] = 0
