"""The store: one dataset is one Zarr v3 group, `NAME.zarr`; `refiner.datasets.store_writer` writes it.

All arrays share the item axis N and its chunk length. A store that is not `complete` is refused with the command that
continues its writing, and one of this program whose arrays or chunks were lost with the name of what is missing.
"""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray

from refiner.datasets.chunks import DAMAGE, damaged_chunks, is_written_here, lost_chunks
from refiner.datasets.impossible import impossible_joints
from refiner.datasets.store_format import ARRAYS, FORMAT, check_arrays
from refiner.errors import DatasetNotFoundError, IncompleteStoreError, StoreError
from refiner.hand.skeleton import HAND21, Skeleton


def store_digest(path: Path) -> str:
    """Return a short fingerprint of a store's content: SHA-256 over its files' names and bytes, in order of name.

    What was measured of the camera (the attribute `sensor`) has no part in it.
    """
    total = hashlib.sha256()
    for file in sorted(p for p in path.rglob("*") if p.is_file() and not p.name.endswith(".partial")):
        total.update(file.relative_to(path).as_posix().encode())
        if file == path / "zarr.json":
            total.update(hashlib.sha256(_without_sensor(file.read_bytes())).digest())
            continue
        with file.open("rb") as stream:
            total.update(hashlib.file_digest(stream, "sha256").digest())
    return total.hexdigest()[:16]


def _without_sensor(text: bytes) -> bytes:
    """Return a group's JSON without the attribute `sensor`, written as zarr writes it."""
    try:
        group = json.loads(text)
    except ValueError:  # damaged: its bytes are all there is to tell it by
        return text
    if not isinstance(group, dict) or "sensor" not in (group.get("attributes") or {}):
        return text
    del group["attributes"]["sensor"]
    return json.dumps(group, indent=2).encode()


def is_whole(path: Path) -> bool:
    """Say whether a dataset lies there that was written to its end."""
    return (path / "zarr.json").exists() and DepthStore(path, allow_incomplete=True).complete


class DepthStore:
    """A dataset opened for reading.

    Attributes:
        path: Where it lies.
        size: Side of its square maps in pixels.
        depth_unit_mm: Millimetres in one step of `depth`.
        skeleton: Names and parents of its joints, or nothing where it has none.
        provenance: How it was made; may be empty.
        sensor: What is known of the camera, as `refiner/datasets/README.md` has it; nothing where nobody says.
    """

    def __init__(self, path: str | Path, *, allow_incomplete: bool = False) -> None:
        """Open and check a store.

        Args:
            path: Where it lies.
            allow_incomplete: Open it also where its writing was interrupted or parts of it were lost.

        Raises:
            DatasetNotFoundError: There is no Zarr group.
            IncompleteStoreError: Its writing was interrupted.
            StoreError: It breaks the format, or parts of it are missing; the message says where.
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
        self.sensor = self._read_sensor(attributes.get("sensor"))
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
        self._arrays = {name: self._open(name) for name in ARRAYS if (self.path / name).is_dir()}
        self._written: list[str] = list(attributes.get("arrays") or ())  # pyright: ignore[reportArgumentType]
        if not allow_incomplete and (lost := next(self.lost(), None)):
            raise StoreError(self._damaged(lost))
        check_arrays(self._arrays, self.path)
        self.size = int(self._array("depth").shape[1])
        self.skeleton = self._read_skeleton(attributes.get("skeleton"))
        if not allow_incomplete:
            self._check_finite()

    def __len__(self) -> int:
        """Give the number of items."""
        return int(self._array("depth").shape[0])

    def __contains__(self, name: str) -> bool:
        """Say whether the store holds an array of this name."""
        return name in self._arrays

    @property
    def names(self) -> list[str]:
        """Give the names of the arrays it holds, in the order of the format."""
        return list(self._arrays)

    def read(self, name: str, start: int = 0, stop: int | None = None) -> NDArray[Any]:
        """Read the rows [start, stop) of one array into memory; joints that cannot be are NaN, as unknown ones are.

        Raises:
            StoreError: A chunk of them cannot be decoded; the message names it.
        """
        rows = self._read(name, start, stop)
        if name == "joints_mm":
            for mask in self._impossible(rows, start, stop).values():
                rows[mask] = np.nan
        return rows

    def impossible_joints(self, start: int = 0, stop: int | None = None) -> dict[str, NDArray[np.bool_]]:
        """Find labels that cannot be, by reason (see `refiner.datasets.impossible`)."""
        return self._impossible(self._read("joints_mm", start, stop), start, stop)

    def _impossible(self, joints_mm: NDArray[Any], start: int, stop: int | None) -> dict[str, NDArray[np.bool_]]:
        return impossible_joints(joints_mm, self._read("centre_mm", start, stop), self._read("cube_mm", start, stop))

    def _read(self, name: str, start: int, stop: int | None) -> NDArray[Any]:
        array, stop = self._array(name), len(self) if stop is None else stop
        try:
            return np.asarray(array[start:stop])
        except DAMAGE as error:
            found = next(damaged_chunks(array, self.path / name, start, stop), None)
            if found is None:
                raise
            raise StoreError(self._damaged(found)) from error

    def lost(self) -> Iterator[str]:
        """Describe the arrays and chunks that this program wrote and that are not there any more."""
        if "version" not in self.provenance:
            return  # another program's, which may leave out chunks of zeros
        for name in dict.fromkeys([*self._written, *self.names]):
            if name not in self._arrays:
                yield f"the array {name} is missing"
            elif is_written_here(self._array(name)):
                yield from lost_chunks(self._array(name), self.path / name)

    def damaged(self) -> Iterator[str]:
        """Read everything, and describe the chunks that cannot be decoded."""
        for name in self.names:
            yield from damaged_chunks(self._array(name), self.path / name)

    def chunk_ranges(self) -> Iterator[tuple[int, int]]:
        """Give the (start, stop) of each chunk of `depth`: the ranges that are cheap to read."""
        step = int(self._array("depth").chunks[0])
        return ((start, min(start + step, len(self))) for start in range(0, len(self), step))

    def digest(self) -> str:
        """Give the fingerprint of the store's content (see `store_digest`)."""
        return store_digest(self.path)

    def require_whole(self) -> None:
        """Read everything once: for users of a part, who would not notice that another part is damaged.

        Raises:
            StoreError: A chunk cannot be decoded; the message names it.
        """
        if damaged := next(self.damaged(), None):
            raise StoreError(self._damaged(damaged))

    def _damaged(self, what: str) -> str:
        command = self.provenance.get("command")
        again = f"make it again (--overwrite) with: {command}" if command else "make it again"
        return f"{self.path} is not whole: {what}. `refiner inspect` lists all. Copy it once more, or {again}"

    def _open(self, name: str) -> Any:
        try:
            return self._group[name]
        except (KeyError, ValueError) as error:
            raise StoreError(self._damaged(f"{name}/zarr.json is missing or damaged ({error})")) from error

    def _array(self, name: str) -> Any:
        if name not in self._arrays:
            raise StoreError(f"{self.path} has no array {name!r}; it holds {', '.join(self._arrays)}.")
        return self._arrays[name]

    def _read_sensor(self, attribute: Any) -> dict[str, Any] | None:
        if attribute is None:
            return None
        wanted = {"name", "image_px", "camera", "unit_mm", "given", "measured", "frames"}
        if not isinstance(attribute, dict) or not wanted <= set(attribute):
            raise StoreError(
                f"{self.path}: found the attribute sensor = {str(attribute)[:200]}, wanted an object with "
                f"{', '.join(sorted(wanted))}, or none."
            )
        return attribute

    def _read_skeleton(self, attribute: Any) -> Skeleton | None:
        if "joints_mm" not in self._arrays:
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
            if not finite.all():
                raise StoreError(
                    f"{self.path}: {name} is not finite in {int((~finite).sum())} items, the first is item "
                    f"{int(np.argmin(finite))} ({values[np.argmin(finite)]}). Only joints_mm may hold NaN."
                )


def _what_is_there(path: Path) -> str:
    if not path.exists():
        return "nothing"
    return "a file" if path.is_file() else f"a folder with {len(list(path.iterdir()))} entries and no zarr.json"
