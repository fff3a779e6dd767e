"""Single maps of a session, quickly: whole chunks are decoded and kept, since neighbours are wanted next."""

import threading
from bisect import bisect_right
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from refiner.datasets.store import DepthStore

_KEPT_BYTES = 256 << 20


class FrameMaps:
    """Reads single maps of a store."""

    def __init__(self, store: DepthStore) -> None:
        self._store, self._lock = store, threading.Lock()
        self._ranges = list(store.chunk_ranges())
        self._first = [start for start, _ in self._ranges]
        longest = max((stop - start for start, stop in self._ranges), default=1)
        self._chunk = lru_cache(maxsize=max(2, _KEPT_BYTES // (longest * store.size**2 * 2)))(self._read)

    def raw(self, frame: int) -> NDArray[np.uint16]:
        """Return a map (H, W) as it is stored; do not write to it."""
        at = bisect_right(self._first, frame) - 1
        with self._lock:  # or two requests of one chunk would decode it twice
            return self._chunk(at)[frame - self._first[at]]

    def depth_mm(self, frame: int) -> NDArray[np.float32]:
        """Return a map (H, W) in mm, 0 = no reading."""
        return self.raw(frame) * np.float32(self._store.depth_unit_mm)

    def _read(self, at: int) -> NDArray[np.uint16]:
        return self._store.read("depth", *self._ranges[at])
