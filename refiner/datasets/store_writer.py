"""Writing a store, chunk by chunk, so that a kill loses a chunk at most.

A writer owns whole chunks, and writes `depth` last in each chunk range, so that a chunk of `depth` on disk means: this
range is whole. A store is `complete` only after `StoreWriter.finish`; the same command continues it until then.
"""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray

from refiner.datasets.chunks import CODECS
from refiner.datasets.store import DepthStore, is_whole, store_digest
from refiner.datasets.store_format import ARRAYS, FORMAT
from refiner.errors import DatasetNotFoundError, OutputExistsError, StoreError, UsageError
from refiner.files import partial_folder, remove
from refiner.hand.skeleton import Skeleton

CHUNK_ITEMS = 256


def provenance(command: str, configuration: Mapping[str, Any], seed: int | None, parents: list[Path]) -> dict[str, Any]:
    """Describe how a store is made: two writings with equal provenance give the same bytes.

    Args:
        command: The words that make it again or continue it, as typed in a shell.
        configuration: Every setting that the content depends on, in plain types.
        seed: The seed, where there is one.
        parents: The stores it is made from.
    """
    from refiner import __version__

    record = {
        "command": command,
        "configuration": dict(configuration),
        "version": __version__,
        "seed": seed,
        "parents": {str(parent): store_digest(parent) for parent in parents},
    }
    return json.loads(json.dumps(record))


def require_writable(target: Path, overwrite: bool) -> None:
    """Refuse an output that could not be written, before long work is done for it.

    Raises:
        UsageError: Its folder cannot be written.
        OutputExistsError: It exists and is whole.
    """
    above = next(folder for folder in target.absolute().parents if folder.exists())
    if not above.is_dir() or not os.access(above, os.W_OK):
        what = "a folder without leave to write in it" if above.is_dir() else "a file"
        raise UsageError(f"{target} cannot be written: {above} is {what}. Give another place.")
    if not overwrite and is_whole(target):
        raise OutputExistsError(f"{target} exists and is complete. Give another name, or --overwrite.")


class StoreWriter:
    """A dataset being written, in whole chunks, in any order, by one or several threads.

    Attributes:
        path: Where the dataset will lie.
        count: Number of items.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        count: int,
        size: int,
        depth_unit_mm: float,
        provenance: Mapping[str, Any],
        arrays: Mapping[str, tuple[int, ...]],
        skeleton: Skeleton | None = None,
        sensor: Mapping[str, Any] | None = None,
        overwrite: bool = False,
        chunk_items: int = CHUNK_ITEMS,
    ) -> None:
        """Create the store, or continue an incomplete one of equal provenance.

        Args:
            path: Where to write.
            count: Number of items, known before the first is written.
            size: Side of the maps in pixels.
            depth_unit_mm: Millimetres in one step of `depth`.
            provenance: See `provenance`.
            arrays: The arrays beside the four required ones, with their axes after N, for example
                {"joints_mm": (21, 3), "source": ()}.
            skeleton: Names and parents of the joints, needed with "joints_mm".
            sensor: What is known of the camera, in plain types.
            overwrite: Remove what lies at `path`.
            chunk_items: Items in a chunk.

        Raises:
            OutputExistsError: Something else lies at `path`.
        """
        self.path, self.count, self._size = Path(path), count, size
        self.chunk_items = min(chunk_items, max(count, 1))
        attributes: dict[str, Any] = {
            "format": FORMAT,
            "depth_unit_mm": depth_unit_mm,
            "provenance": json.loads(json.dumps(dict(provenance))),
            "complete": False,
        }
        if skeleton is not None:
            attributes["skeleton"] = skeleton.to_attrs()
        if sensor is not None:
            attributes["sensor"] = json.loads(json.dumps(dict(sensor)))
        axes = {"depth": (size, size), "camera": (4,), "centre_mm": (3,), "cube_mm": (), **arrays}
        attributes["arrays"] = sorted(axes)  # a copy that lost a whole array is known by it
        if overwrite and self.path.exists():
            remove(self.path)
        if self.path.exists():
            self._require_same_work(attributes, axes)
        else:
            self._create(attributes, axes)
        self._group = zarr.open_group(self.path, mode="r+")
        # Else an all-zero chunk is not stored, and a restart never ends.
        self._arrays = {name: self._group[name].with_config({"write_empty_chunks": True}) for name in axes}  # pyright: ignore

    def missing(self) -> list[tuple[int, int]]:
        """Give the (start, stop) of every chunk that is not yet written, in order."""
        ranges = [
            (start, min(start + self.chunk_items, self.count)) for start in range(0, self.count, self.chunk_items)
        ]
        return [r for r in ranges if not (self.path / f"depth/c/{r[0] // self.chunk_items}/0/0").exists()]

    def write(self, start: int, rows: Mapping[str, NDArray[Any] | list[str]]) -> None:
        """Write one whole chunk; `depth` last, as the mark that the range is whole.

        Args:
            start: First item, a multiple of the chunk length.
            rows: One array for each of the store's arrays, as long as the chunk (or as what is left of the items).
        """
        stop = min(start + self.chunk_items, self.count)
        if start % self.chunk_items or set(rows) != set(self._arrays):
            raise ValueError(
                f"A write must start at a multiple of {self.chunk_items} and hold {sorted(self._arrays)}; "
                f"found start {start} and {sorted(rows)}."
            )
        for name in sorted(rows, key=lambda name: name == "depth"):
            if len(rows[name]) != stop - start:
                raise ValueError(f"{name}: found {len(rows[name])} rows for the items [{start}, {stop}).")
            values = np.asarray(rows[name], dtype=object if ARRAYS[name][0] == "string" else ARRAYS[name][0])
            self._arrays[name][start:stop] = values

    def finish(self) -> None:
        """Mark the store complete.

        Raises:
            StoreError: A chunk is missing.
        """
        if missing := self.missing():
            raise StoreError(f"{self.path}: {len(missing)} chunks are not written, the first is {missing[0]}.")
        for partial in self.path.rglob("*.partial"):
            partial.unlink()  # left by writers that were killed
        self._group.attrs["complete"] = True

    def _create(self, attributes: Mapping[str, Any], axes: Mapping[str, tuple[int, ...]]) -> None:
        with partial_folder(self.path) as folder:
            group = zarr.open_group(folder, mode="w", zarr_format=3, attributes=dict(attributes))
            for name, tail in axes.items():
                group.create_array(
                    name,
                    shape=(self.count, *tail),
                    chunks=(self.chunk_items, *tail),
                    dtype=ARRAYS[name][0],
                    compressors=CODECS,
                )

    def _require_same_work(self, attributes: Mapping[str, Any], axes: Mapping[str, tuple[int, ...]]) -> None:
        try:
            found = DepthStore(self.path, allow_incomplete=True)
        except (DatasetNotFoundError, StoreError) as error:
            raise OutputExistsError(
                f"{self.path} exists and is not a dataset of this program ({error}) Give another name, or --overwrite."
            ) from None
        if found.complete:
            raise OutputExistsError(
                f"{self.path} exists and is complete ({len(found)} items). Give another name, or --overwrite."
            )
        same = found.provenance == attributes["provenance"] and found.depth_unit_mm == attributes["depth_unit_mm"]
        if not same or len(found) != self.count or sorted(found.names) != sorted(axes):
            raise OutputExistsError(
                f"{self.path} holds the unfinished work of another command: "
                f"{found.provenance.get('command', 'unknown')}. Run that one to continue it, give another name, or "
                "--overwrite."
            )
