"""Depth maps that are read when they are asked for: 100,000 of 128 px would take 6.5 GB at once."""

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from refiner.datasets.store import DepthStore

_TOGETHER = 256


class Maps(Protocol):
    """Depth maps (N, H, W) in mm, 0 = no reading, sliced along N. A NumPy array is one."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Return (N, H, W)."""
        ...

    def __len__(self) -> int:
        """Return the number of maps."""
        ...

    def __getitem__(self, part: slice, /) -> NDArray[Any]:
        """Return the maps of a range."""
        ...


class StoredMaps:
    """The depth maps of a store in mm. The last 256 that were read stay in memory, for requests in order."""

    def __init__(self, store: DepthStore) -> None:
        self._store = store
        self._start, self._block = 0, np.empty((0, store.size, store.size), np.float32)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Return (N, H, W)."""
        return len(self._store), self._store.size, self._store.size

    def __len__(self) -> int:
        """Return the number of maps."""
        return len(self._store)

    def __getitem__(self, part: slice, /) -> NDArray[np.float32]:
        """Return the maps of a range."""
        start, stop, _ = part.indices(len(self))
        if start < self._start or stop > self._start + len(self._block):
            end = min(len(self), max(stop, start + _TOGETHER))
            self._block = self._store.read("depth", start, end) * np.float32(self._store.depth_unit_mm)
            self._start = start
        return self._block[start - self._start : stop - self._start]
