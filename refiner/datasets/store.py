"""The store: one dataset is one Zarr v3 group, `NAME.zarr`.

`DepthStore` reads, `StoreWriter` writes. All arrays share the item axis N and its chunk length; a writer owns whole
chunks, and writes `depth` last in each chunk range, so that a chunk of `depth` on disk means: this range is whole.
A store is `complete` only after `StoreWriter.finish`; until then reading it is refused with the command that continues
its writing, and the same command does continue it.
"""

import hashlib
import json
import os
import shutil
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray
from zarr.codecs import ZstdCodec

from refiner.errors import DatasetNotFoundError, IncompleteStoreError, OutputExistsError, StoreError
from refiner.hand.skeleton import HAND21, Skeleton

FORMAT = "depth-refiner/1"
CHUNK_ITEMS = 256

# Name -> (type, axes after N). H and W are the map's sides, J joints, 3 and 4 as they stand; `...` is anything.
ARRAYS: dict[str, tuple[str, tuple[Any, ...]]] = {
    "depth": ("uint16", ("H", "W")),
    "camera": ("float32", (4,)),
    "centre_mm": ("float32", (3,)),
    "cube_mm": ("float32", ()),
    "joints_mm": ("float32", ("J", 3)),
    "visible": ("bool", ("J",)),
    "source": ("string", ()),
    "sequence": ("int32", ()),
    "frame": ("int32", ()),
    "side": ("int32", ()),
    "subject": ("int32", ()),
    "pose": ("float32", (...,)),
    "shape": ("float32", (...,)),
}
REQUIRED = ("depth", "camera", "centre_mm", "cube_mm")


def store_digest(path: Path) -> str:
    """Give a short fingerprint of a store's content: SHA-256 over its files' names and bytes, in order of name."""
    total = hashlib.sha256()
    for file in sorted(p for p in path.rglob("*") if p.is_file() and not p.name.endswith(".partial")):
        total.update(file.relative_to(path).as_posix().encode())
        with file.open("rb") as stream:
            total.update(hashlib.file_digest(stream, "sha256").digest())
    return total.hexdigest()[:16]


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


class DepthStore:
    """A dataset opened for reading.

    Attributes:
        path: Where it lies.
        size: Side of its square maps in pixels.
        depth_unit_mm: Millimetres in one step of `depth`.
        skeleton: Names and parents of its joints, or nothing where it has none.
        provenance: How it was made; may be empty.
    """

    def __init__(self, path: str | Path, *, allow_incomplete: bool = False) -> None:
        """Open and check a store.

        Raises:
            DatasetNotFoundError: There is no Zarr group.
            IncompleteStoreError: Its writing was interrupted.
            StoreError: It breaks the format; the message says where.
        """
        self.path = Path(path)
        if not (self.path / "zarr.json").is_file():
            raise DatasetNotFoundError(
                f"No dataset at {self.path}: found {_what_is_there(self.path)}, wanted a Zarr v3 group written by "
                "`refiner render` or `refiner prepare`. Check the path."
            )
        try:
            self._group = zarr.open_group(self.path, mode="r")
        except (ValueError, KeyError, FileNotFoundError) as error:
            raise StoreError(f"{self.path} is not a readable Zarr v3 group: {error}. Make it again.") from error
        attributes = dict(self._group.attrs)
        if attributes.get("format") != FORMAT:
            raise StoreError(
                f"{self.path}: found the attribute format = {attributes.get('format')!r}, wanted {FORMAT!r}. "
                "It was written by another program or another version."
            )
        self.provenance: dict[str, Any] = attributes.get("provenance") or {}  # pyright: ignore[reportAttributeAccessIssue]
        self.complete: bool = bool(attributes.get("complete", True))
        if not self.complete and not allow_incomplete:
            raise IncompleteStoreError(
                f"{self.path} is incomplete: its writing was interrupted. Continue it with: "
                f"{self.provenance.get('command', 'the command that began it')}"
            )
        unit = attributes.get("depth_unit_mm")
        if not isinstance(unit, int | float) or not unit > 0:
            raise StoreError(f"{self.path}: found the attribute depth_unit_mm = {unit!r}, wanted a number > 0 (mm).")
        self.depth_unit_mm = float(unit)
        self._check_arrays()
        self.size = int(self._array("depth").shape[1])
        self.skeleton = self._read_skeleton(attributes.get("skeleton"))
        self._check_finite()

    def __len__(self) -> int:
        """Give the number of items."""
        return int(self._array("depth").shape[0])

    def __contains__(self, name: str) -> bool:
        """Say whether the store holds an array of this name."""
        return name in self._group

    @property
    def names(self) -> list[str]:
        """Give the names of the arrays it holds, in the order of the format."""
        return [name for name in ARRAYS if name in self._group]

    def read(self, name: str, start: int = 0, stop: int | None = None) -> NDArray[Any]:
        """Read the rows [start, stop) of one array into memory."""
        return np.asarray(self._array(name)[start : len(self) if stop is None else stop])

    def chunk_ranges(self) -> Iterator[tuple[int, int]]:
        """Give the (start, stop) of each chunk of `depth`: the ranges that are cheap to read."""
        step = int(self._array("depth").chunks[0])
        return ((start, min(start + step, len(self))) for start in range(0, len(self), step))

    def digest(self) -> str:
        """Give the fingerprint of the store's content (see `store_digest`)."""
        return store_digest(self.path)

    def _array(self, name: str) -> Any:
        try:
            return self._group[name]
        except KeyError:
            raise StoreError(f"{self.path} has no array {name!r}; it holds {', '.join(sorted(self._group))}.") from None

    def _check_arrays(self) -> None:
        missing = [name for name in REQUIRED if name not in self._group]
        if missing:
            raise StoreError(f"{self.path} lacks the arrays {missing}; wanted at least {list(REQUIRED)}.")
        depth = self._array("depth")
        if depth.ndim != 3 or depth.shape[1] != depth.shape[2]:
            raise StoreError(f"{self.path}: found depth of shape {depth.shape}, wanted (N, size, size).")
        sizes: dict[Any, int] = {"H": depth.shape[1], "W": depth.shape[2]}
        for name in self.names:
            array, (dtype, axes) = self._array(name), ARRAYS[name]
            if dtype != "string" and array.dtype != np.dtype(dtype):
                raise StoreError(f"{self.path}: found {name} of type {array.dtype}, wanted {dtype}.")
            wanted = tuple(
                sizes.setdefault(axis, n) if isinstance(axis, str) else axis
                for axis, n in zip(axes, array.shape[1:], strict=False)
            )
            open_ended = axes == (...,)
            if (
                array.shape[0] != depth.shape[0]
                or (not open_ended and array.shape[1:] != wanted)
                or (not open_ended and len(array.shape) - 1 != len(axes))
            ):
                raise StoreError(
                    f"{self.path}: found {name} of shape {array.shape}, wanted ({depth.shape[0]}, "
                    f"{', '.join(str(axis) for axis in axes)}) as depth has {depth.shape}."
                )

    def _read_skeleton(self, attribute: Any) -> Skeleton | None:
        if "joints_mm" not in self._group:
            return None
        try:
            skeleton = HAND21 if attribute is None else Skeleton.from_attrs(attribute)
        except (ValueError, KeyError, TypeError) as error:
            raise StoreError(f"{self.path}: its attribute `skeleton` is not one: {error}") from error
        found = self._array("joints_mm").shape[1]
        if found != len(skeleton.joints):
            raise StoreError(
                f"{self.path}: found {found} joints, wanted the {len(skeleton.joints)} of {skeleton.name!r}."
            )
        return skeleton

    def _check_finite(self) -> None:
        for name in ("camera", "centre_mm", "cube_mm"):
            values = self.read(name)
            finite = np.isfinite(values).reshape(len(values), -1).all(axis=1)
            if self.complete and not finite.all():
                raise StoreError(
                    f"{self.path}: {name} is not finite in {int((~finite).sum())} items, the first is item "
                    f"{int(np.argmin(finite))} ({values[np.argmin(finite)]}). Only joints_mm may hold NaN."
                )


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
        axes = {"depth": (size, size), "camera": (4,), "centre_mm": (3,), "cube_mm": (), **arrays}
        if overwrite and self.path.exists():
            _remove(self.path)
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
        # Made beside the target and renamed, so that a kill leaves either nothing or a store that can be continued.
        self.path.parent.mkdir(parents=True, exist_ok=True)
        temporary = self.path.with_name(f".{self.path.name}.{uuid.uuid4().hex[:8]}.partial")
        try:
            group = zarr.open_group(temporary, mode="w", zarr_format=3, attributes=dict(attributes))
            for name, tail in axes.items():
                group.create_array(
                    name,
                    shape=(self.count, *tail),
                    chunks=(self.chunk_items, *tail),
                    dtype=ARRAYS[name][0],
                    compressors=ZstdCodec(level=1),
                )
            os.replace(temporary, self.path)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)

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


def _remove(path: Path) -> None:
    # Renamed first: a kill in the middle of the removal must not leave half a dataset under the name.
    doomed = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.partial")
    os.replace(path, doomed)
    if doomed.is_dir():
        shutil.rmtree(doomed)
    else:
        doomed.unlink()


def _what_is_there(path: Path) -> str:
    if not path.exists():
        return "nothing"
    return "a file" if path.is_file() else f"a folder with {len(list(path.iterdir()))} entries and no zarr.json"
