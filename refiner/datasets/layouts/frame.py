"""One frame of a recording, as every layout lists it: where it is, how to read it, which camera took it."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from refiner.datasets.layouts.camera_file import Camera, GivenCamera
from refiner.datasets.layouts.depth_file import read_depth_file
from refiner.errors import DepthFormatError
from refiner.sensors.catalogue import PLAIN

ASSUMED_FOCAL_PX = PLAIN.camera[0]
"""Kinect v1; the camera that is assumed where none is given, as if each map were a crop of its image."""
_ASSUMED = GivenCamera(PLAIN.camera, loose_crops=True)
ASSUMED_UNIT_MM = 1.0
"""What nearly every camera's files count in; assumed where no unit is given."""
FLOAT_STEP_MM = 0.1
"""Step that floating-point maps, which have none of their own, are stored in."""


class DepthMap(NamedTuple):
    """A depth map in memory.

    Attributes:
        depth_mm: (H, W), 0 = no reading.
        camera: fx fy cx cy, px.
        step_mm: Millimetres between two neighbouring depths that the source can tell apart.
        numbers: (H, W) as the file has them.
    """

    depth_mm: NDArray[np.float32]
    camera: Camera
    step_mm: float
    numbers: NDArray[Any]


@dataclass(frozen=True, eq=False)
class Frame:
    """A depth map that lies in a file.

    Attributes:
        path: The file.
        source: The name under which the frame is stored: its path inside the recording, with slashes, and for one of
            several maps of a file `#` and its number.
        sequence: Number of the sequence it belongs to.
        frame: Its index there.
        given: Its camera; where there is none, a Kinect v1 that looks at the middle of the image is assumed.
        depth_unit_mm: Millimetres that one unit of the file's numbers stands for; where nothing is given, 1.
        load: Reads the file's numbers as one channel, integer or float, 0 = no reading.
        joints_mm: (J, 3) labels in the camera frame, y down, NaN where unknown, of layouts that have them.
        centre_mm: (3,) centre of the crop cube, where the layout's protocol gives it; else the hand is looked for.
    """

    path: Path
    source: str
    sequence: int
    frame: int
    given: GivenCamera | None
    depth_unit_mm: float | None
    load: Callable[[Path], NDArray[Any]] = read_depth_file
    joints_mm: NDArray[np.float32] | None = None
    centre_mm: NDArray[np.float64] | None = None

    def read(self) -> DepthMap:
        """Read the file.

        Raises:
            DepthFormatError: It is not a depth map; the message names file, finding and way out.
        """
        numbers = self.load(self.path)
        if numbers.size == 0 or not (numbers > 0).any():
            raise DepthFormatError(f"{self.path} holds no reading at all: found only zeros, wanted depths > 0.")
        rows, columns = numbers.shape
        camera = (self.given or _ASSUMED).of_image(columns, rows)
        unit_mm = self.depth_unit_mm or ASSUMED_UNIT_MM
        step_mm = unit_mm if np.issubdtype(numbers.dtype, np.integer) else FLOAT_STEP_MM
        return DepthMap(numbers.astype(np.float32) * np.float32(unit_mm), camera, step_mm, numbers)
