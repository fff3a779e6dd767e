"""The layout `folder`: depth maps in a folder and its subfolders, one sequence a folder, in natural order of names.

A file that holds several maps is a sequence of its own. Links to folders are followed. A `camera.json` in a folder
holds for it and all folders below, up to the next one; `camera_file.py` says what may stand in it.
"""

import os
from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path, PurePath

from refiner.datasets.layouts.camera_file import CameraFile, GivenCamera, read_camera_file
from refiner.datasets.layouts.depth_file import SUFFIXES, count_maps, read_depth_file
from refiner.datasets.layouts.frame import Frame
from refiner.datasets.layouts.names import file_key, natural_key, stored_name
from refiner.errors import DatasetNotFoundError

CAMERA_FILES = ("camera.json", "intrinsic.json", "camera_intrinsic.json")
"""This program's name for it, and the names that Open3D's recorders give; the first that is there."""


def list_folder(
    src: Path, camera: GivenCamera | None, depth_unit_mm: float | None, *, pattern: str | None = None
) -> list[Frame]:
    """List the depth maps of a folder and its subfolders, or of one file that holds several.

    Args:
        src: The folder, or the file.
        camera: Camera of all maps; overrides every `camera.json`.
        depth_unit_mm: Unit of all maps; overrides every `camera.json`.
        pattern: Only files whose path inside the recording ends like this: `depth/*.png`.

    Returns:
        The frames, sequence by sequence; `frame` counts the maps of one folder, or of one file of several, in order.

    Raises:
        DatasetNotFoundError: The folder is missing, or holds no file that may be a depth map.
        DepthFormatError: A `camera.json` does not hold a camera.
    """
    if not src.exists():
        raise DatasetNotFoundError(f"No recording at {src}: found nothing, wanted a folder of depth maps.")
    frames: list[Frame] = []
    others: Counter[str] = Counter()
    sequence = 0
    for folder, camera_file, names in _folders(src):
        given = camera or (camera_file.given if camera_file else None)
        unit = depth_unit_mm or (camera_file.depth_unit_mm if camera_file else None)
        singles = 0
        taken = [name for name in names if _is_taken(folder / name, src, pattern)]
        others.update(PurePath(name).suffix for name in names if name not in taken and name not in CAMERA_FILES)
        stacks: list[tuple[Path, int]] = []
        for name in sorted(taken, key=file_key):
            path, count = folder / name, count_maps(folder / name)
            if count > 1:
                stacks.append((path, count))
                continue
            frames.append(Frame(path, _source(path, src), sequence, singles, given, unit))
            singles += 1
        sequence += singles > 0
        for path, count in stacks:
            frames += [
                Frame(
                    path, f"{_source(path, src)}#{page}", sequence, page, given, unit,
                    load=partial(read_depth_file, page=page),
                )
                for page in range(count)
            ]  # fmt: skip
            sequence += 1
    if not frames:
        found = ", ".join(f"{n} x {suffix or 'no suffix'}" for suffix, n in others.most_common(3)) or "no file"
        wanted = ", ".join(SUFFIXES) + (f" that match the pattern {pattern}" if pattern else "")
        raise DatasetNotFoundError(f"No depth map in {src} or its subfolders: found {found}, wanted {wanted}.")
    return frames


def _folders(src: Path) -> Iterator[tuple[Path, CameraFile | None, list[str]]]:
    """Walk the folders in natural order, with the camera that holds in each and the names of its files."""
    if src.is_file():
        yield src.parent, _camera_of(src.parent, [path.name for path in src.parent.iterdir()]), [src.name]
        return
    cameras: dict[Path, CameraFile | None] = {}
    above: dict[Path, frozenset[str]] = {}
    for folder, below, names in os.walk(src, followlinks=True):
        here = Path(folder)
        way = above.get(here.parent, frozenset()) if here != src else frozenset()
        above[here] = way | {os.path.realpath(here)}
        # A link to a folder that it lies in would be followed for ever.
        below[:] = sorted((n for n in below if os.path.realpath(here / n) not in above[here]), key=natural_key)
        cameras[here] = _camera_of(here, names) or (cameras.get(here.parent) if here != src else None)
        yield here, cameras[here], names


def _camera_of(folder: Path, names: list[str]) -> CameraFile | None:
    return next((read_camera_file(folder / name) for name in CAMERA_FILES if name in names), None)


def _is_taken(path: Path, src: Path, pattern: str | None) -> bool:
    if path.suffix.lower() not in SUFFIXES:
        return False
    return pattern is None or path.relative_to(src if src.is_dir() else src.parent).match(pattern)


def _source(path: Path, src: Path) -> str:
    return stored_name(path.relative_to(src if src.is_dir() else src.parent))
