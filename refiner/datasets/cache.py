"""A store's depth maps, decoded once into a flat file that is quick to read at random.

A single random item of a compressed store costs milliseconds. Here map i is the bytes [i, i + 1) * size^2 * 2 of a
plain file of little-endian uint16, read with one system call. The file is read and not mapped: mapped pages count as
the process's own memory, and a training run would grow by the size of its data.

The file is named after the digest of the store's content, so it can be shared by any number of processes and is never
out of date. It lies in `DEPTH_REFINER_CACHE`, else in `XDG_CACHE_HOME/depth-refiner`, else in ~/.cache/depth-refiner;
it may be deleted at any time when nothing trains.
"""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from refiner.datasets.store import DepthStore
from refiner.errors import StoreError
from refiner.files import partial_file, remove_abandoned

_STORED = np.dtype("<u2")


def cache_folder() -> Path:
    """Give the folder of decoded files; it need not exist."""
    if own := os.environ.get("DEPTH_REFINER_CACHE"):
        return Path(own)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "depth-refiner"


def decode_store(store: DepthStore, digest: str | None = None) -> "DecodedMaps":
    """Open a store's decoded file, writing it first where there is none.

    Args:
        store: A complete store.
        digest: Its digest, where the caller knows it already.
    """
    path = cache_folder() / f"{digest or store.digest()}.u16"
    bytes_wanted = len(store) * store.size**2 * _STORED.itemsize
    if not path.is_file() or path.stat().st_size != bytes_wanted:
        path.parent.mkdir(parents=True, exist_ok=True)
        remove_abandoned(path.parent)  # of any store: each may be gigabytes
        # Written beside and renamed: another process, or the next run after a kill, sees a whole file or none.
        with partial_file(path) as file:
            for start, stop in store.chunk_ranges():
                file.write(store.read("depth", start, stop).astype(_STORED, copy=False).tobytes())
    return DecodedMaps(path, len(store), store.size)


class DecodedMaps:
    """The maps of one decoded file; may be used from several threads and carried into child processes."""

    def __init__(self, path: Path, count: int, size: int) -> None:
        """Open the file.

        Args:
            path: The file.
            count: Number of maps in it.
            size: Side of a map in pixels.
        """
        self.path, self.count, self.size = path, count, size
        self._descriptor: int | None = None

    def __len__(self) -> int:
        """Give the number of maps."""
        return self.count

    def read(self, items: Sequence[int] | NDArray[np.integer[Any]]) -> NDArray[np.uint16]:
        """Read maps in any order.

        Args:
            items: (n,) numbers of maps.

        Returns:
            (n, size, size) in the store's depth unit.
        """
        if self._descriptor is None:
            self._descriptor = os.open(self.path, os.O_RDONLY)
        maps = np.empty((len(items), self.size, self.size), dtype=_STORED)
        for row, item in zip(maps, items, strict=True):
            if not 0 <= item < self.count:
                raise IndexError(f"Found map {item}, wanted 0 to {self.count - 1}.")
            data = os.pread(self._descriptor, row.nbytes, int(item) * row.nbytes)
            if len(data) != row.nbytes:
                raise StoreError(f"{self.path} was cut short while in use. Delete it and start again.")
            row[:] = np.frombuffer(data, _STORED).reshape(row.shape)
        return maps.astype(np.uint16, copy=False)

    def close(self) -> None:
        """Give the file back; reading opens it again."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def __getstate__(self) -> dict[str, Any]:
        """Travel without the open file, which belongs to one process."""
        return {**self.__dict__, "_descriptor": None}

    def __del__(self) -> None:
        """Close the file with the object."""
        self.close()
