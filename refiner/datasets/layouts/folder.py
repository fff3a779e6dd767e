"""The layout `folder`: depth maps in a folder and its subfolders, one sequence a folder, in natural order of names.

A `camera.json` in a folder holds for it and all folders below, up to the next one:

    {"fx": 475.1, "fy": 475.1, "cx": 319.5, "cy": 239.5, "depth_unit_mm": 0.125}

in pixels; `depth_unit_mm` may be left out and then is 1.
"""

import json
import math
import os
import re
from collections import Counter
from pathlib import Path

from refiner.datasets.layouts.depth_file import SUFFIXES
from refiner.datasets.layouts.frame import Camera, Frame
from refiner.errors import DatasetNotFoundError, DepthFormatError

CAMERA_FILE = "camera.json"


def list_folder(src: Path, camera: Camera | None, depth_unit_mm: float | None) -> list[Frame]:
    """List the depth maps of a folder and its subfolders.

    Args:
        src: The folder.
        camera: fx fy cx cy of all maps; overrides every `camera.json`.
        depth_unit_mm: Unit of all maps; overrides every `camera.json`.

    Returns:
        The frames, sequence by sequence; `frame` counts the files of one folder in natural order.

    Raises:
        DatasetNotFoundError: The folder is missing, or holds no file that may be a depth map.
        DepthFormatError: A `camera.json` does not hold a camera.
    """
    if not src.is_dir():
        found = "a file" if src.exists() else "nothing"
        raise DatasetNotFoundError(f"No recording at {src}: found {found}, wanted a folder of depth maps.")
    frames: list[Frame] = []
    others: Counter[str] = Counter()
    cameras: dict[Path, tuple[Camera | None, float | None]] = {}
    sequence = 0
    for folder, below, names in os.walk(src):
        below.sort(key=natural_key)
        here = Path(folder)
        inherited = cameras.get(here.parent, (None, None)) if here != src else (None, None)
        cameras[here] = _read_camera(here / CAMERA_FILE) if CAMERA_FILE in names else inherited
        folder_camera, folder_unit = cameras[here]
        depth = sorted((name for name in names if Path(name).suffix.lower() in SUFFIXES), key=natural_key)
        others.update(Path(name).suffix for name in names if name not in depth)
        for index, name in enumerate(depth):
            path = here / name
            frames.append(
                Frame(
                    path=path,
                    source=path.relative_to(src).as_posix(),
                    sequence=sequence,
                    frame=index,
                    camera=camera or folder_camera,
                    depth_unit_mm=depth_unit_mm or folder_unit or 1.0,
                )
            )
        sequence += bool(depth)
    if not frames:
        found = ", ".join(f"{n} x {suffix or 'no suffix'}" for suffix, n in others.most_common(3)) or "no file"
        raise DatasetNotFoundError(
            f"No depth map in {src} or its subfolders: found {found}, wanted {', '.join(SUFFIXES)}. Check the path."
        )
    return frames


def natural_key(name: str) -> list[tuple[bool, int, str]]:
    """Return the key by which names are sorted: frame_2 before frame_10."""
    # The name itself comes last, so that a1 and a01 have one order everywhere.
    parts = re.split(r"(\d+)", name)
    return [(part.isdecimal(), int(part) if part.isdecimal() else 0, part) for part in (*parts, name)]


def _read_camera(path: Path) -> tuple[Camera, float | None]:
    wanted = 'wanted an object of numbers like {"fx": 475, "fy": 475, "cx": 319.5, "cy": 239.5, "depth_unit_mm": 1}'
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise DepthFormatError(f"{path} is not JSON: {error}; {wanted}.") from error
    keys, optional = ("fx", "fy", "cx", "cy"), "depth_unit_mm"
    if not isinstance(record, dict) or not set(keys) <= set(record) <= {*keys, optional}:
        found = ", ".join(map(str, record)) if isinstance(record, dict) else type(record).__name__
        raise DepthFormatError(f"{path} is not a camera: found {found or 'nothing'}, {wanted}.")
    numbers = {key: value for key, value in record.items() if isinstance(value, int | float) and math.isfinite(value)}
    positive = all(numbers.get(key, 1.0) > 0 for key in ("fx", "fy", optional))
    if len(numbers) < len(record) or not positive:
        raise DepthFormatError(f"{path} is not a camera: found {record}, {wanted}; fx, fy and the unit above 0.")
    fx, fy, cx, cy = (float(numbers[key]) for key in keys)
    return (fx, fy, cx, cy), numbers.get(optional)
