"""Read a camera from a JSON file, in the words of this program or of the tool that wrote the recording.

    {"fx": 475.1, "fy": 475.1, "cx": 319.5, "cy": 239.5, "depth_unit_mm": 0.125}     this program's
    {"width": 640, "height": 480, "fx": ..., "fy": ..., "ppx": ..., "ppy": ...}      RealSense
    {"width": 640, "height": 480, "intrinsic_matrix": [9 numbers]}                   Open3D; others call it K
    {"CalibrationInformation": {"Cameras": [...]}}                                   Azure Kinect

All in pixels; `depth_unit_mm` may be left out. `width` and `height` say which image the numbers are for. `depth_scale`
is metres a unit below 1 (RealSense), units a metre from 1 on (Open3D).
"""

import json
import math
from pathlib import Path
from typing import Any, NamedTuple

from refiner.errors import DepthFormatError
from refiner.sensors.catalogue import AZURE_KINECT_MODES

Camera = tuple[float, float, float, float]
"""fx fy cx cy in pixels."""

_PLAIN = ("fx", "fy", "cx", "cy")
_MORE = {"depth_unit_mm", "depth_scale", "width", "height", "model", "coeffs"}
_MATRICES = ("intrinsic_matrix", "camera_matrix", "K", "k")
_NESTED = ("depth", "depth_intrinsics", "intrinsic", "intrinsics")
WANTED = 'wanted an object of numbers like {"fx": 475, "fy": 475, "cx": 319.5, "cy": 239.5, "depth_unit_mm": 1}'


class GivenCamera(NamedTuple):
    """A camera as it was given.

    Attributes:
        camera: fx fy cx cy, px.
        image_px: Columns and rows of the image that the numbers are for, where that is known.
        by_size: The camera for maps of these columns and rows, where it is known for several; takes precedence.
        distorted: Whether it came with coefficients of lens distortion, which nothing here undoes.
        loose_crops: Whether maps of sizes that are not in `by_size` are crops of its image at its own pixels: nobody
            knows from where, and it is taken to look at the middle of each.
    """

    camera: Camera
    image_px: tuple[int, int] | None = None
    by_size: dict[tuple[int, int], Camera] | None = None
    distorted: bool = False
    loose_crops: bool = False

    @property
    def fits_one_size(self) -> bool:
        """Whether nothing says which image the numbers are for: then all maps must have one size."""
        return self.image_px is None and self.by_size is None

    def of_image(self, columns: int, rows: int) -> Camera:
        """Return the camera of maps of this size.

        Where the numbers are for an image of another size, the maps are taken to show its whole width, and as much of
        its height, about the middle, as their shape allows.
        """
        if self.by_size is not None and (columns, rows) in self.by_size:
            return self.by_size[columns, rows]
        if self.loose_crops:
            return (*self.camera[:2], (columns - 1) / 2, (rows - 1) / 2)
        if self.image_px is None or self.image_px == (columns, rows):
            return self.camera
        fx, fy, cx, cy = self.camera
        width, height = self.image_px
        scale = columns / width
        return (
            fx * scale, fy * scale, (cx - (width - 1) / 2) * scale + (columns - 1) / 2,
            (cy - (height - 1) / 2) * scale + (rows - 1) / 2,
        )  # fmt: skip


class CameraFile(NamedTuple):
    """What a camera file says.

    Attributes:
        given: The camera.
        depth_unit_mm: Millimetres in one unit of the maps' numbers, where it says so.
    """

    given: GivenCamera
    depth_unit_mm: float | None


def read_camera_file(path: Path) -> CameraFile:
    """Read a camera file.

    Raises:
        DepthFormatError: It holds no camera; the message names what it holds.
    """
    try:
        record = json.loads(path.read_text(encoding="utf-8-sig"))
    except ValueError as error:
        raise DepthFormatError(f"{path} is not JSON: {error}; {WANTED}.") from error
    if isinstance(record, dict):
        record = next((record[key] for key in _NESTED if isinstance(record.get(key), dict)), record)
    found = _parse(record)
    if found is None:
        keys = ", ".join(map(str, record)) if isinstance(record, dict) else type(record).__name__
        raise DepthFormatError(f"{path} is not a camera: found {keys or 'nothing'}, {WANTED}.")
    (fx, fy, cx, cy), unit = found.given.camera, found.depth_unit_mm
    if not all(map(_is_number, (fx, fy, cx, cy, unit or 1.0))) or min(fx, fy, 1.0 if unit is None else unit) <= 0:
        raise DepthFormatError(f"{path} is not a camera: found {record}, {WANTED}; fx, fy and the unit above 0.")
    return found


def _parse(record: Any) -> CameraFile | None:
    """Return what a record of one of the known kinds says, or nothing."""
    if not isinstance(record, dict):
        return None
    unit = record.get("depth_unit_mm", _unit_of_scale(record.get("depth_scale")))
    size = (record.get("width"), record.get("height"))
    image_px = (int(size[0]), int(size[1])) if all(map(_is_number, size)) else None  # pyright: ignore[reportArgumentType]
    bent = any(_is_number(k) and k != 0 for k in record.get("coeffs") or ())
    if "CalibrationInformation" in record:
        given = _azure_kinect(record)
        return None if given is None else CameraFile(given, unit)
    matrix = next((record[key] for key in _MATRICES if key in record), None)
    if matrix is not None:
        camera = _of_matrix(matrix)
    elif {"fx", "fy", "ppx", "ppy"} <= set(record):
        camera = tuple(record[key] for key in ("fx", "fy", "ppx", "ppy"))
    elif set(_PLAIN) <= set(record) <= {*_PLAIN, *_MORE}:
        camera = tuple(record[key] for key in _PLAIN)
    else:
        return None
    return None if camera is None else CameraFile(GivenCamera(camera, image_px, None, bent), unit)  # pyright: ignore[reportArgumentType]


def _of_matrix(matrix: Any) -> Camera | None:
    """Return the camera of a 3 x 3 matrix: rows one after the other, or columns, or a list of rows."""
    flat = [n for row in matrix for n in (row if isinstance(row, list) else [row])] if isinstance(matrix, list) else []
    if len(flat) != 9 or not all(map(_is_number, flat)) or flat[8] != 1:
        return None
    # The principal point is in the last column, beside zeros in the last row: one of the two is given as the other.
    cx, cy = (flat[2], flat[5]) if flat[6] == flat[7] == 0 else (flat[6], flat[7])
    return float(flat[0]), float(flat[4]), float(cx), float(cy)


def _azure_kinect(record: Any) -> GivenCamera | None:
    """Return the depth camera of a factory calibration, which is in shares of the whole sensor's side."""
    try:
        cameras = {camera["Location"]: camera for camera in record["CalibrationInformation"]["Cameras"]}
        shares = cameras["CALIBRATION_CameraLocationD0"]["Intrinsics"]["ModelParameters"]
        cx, cy, fx, fy = (float(share) for share in shares[:4])
    except (KeyError, TypeError, ValueError):
        return None
    by_size: dict[tuple[int, int], Camera] = {
        size: (fx * side, fy * side, cx * side - left - 0.5, cy * side - top - 0.5)
        for size, (side, left, top) in AZURE_KINECT_MODES.items()
    }
    return GivenCamera(by_size[1024, 1024], (1024, 1024), by_size, distorted=True)


def _unit_of_scale(scale: Any) -> float | None:
    if not _is_number(scale) or scale <= 0:
        return None
    return scale * 1000.0 if scale < 1 else 1000.0 / scale


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
