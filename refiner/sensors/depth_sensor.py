"""What is known of a depth camera before its maps are looked at."""

import math
from dataclasses import dataclass, replace
from typing import Any

from refiner.sensors.models.time_of_flight import TimeOfFlight
from refiner.sensors.sense import CameraModel

Camera = tuple[float, float, float, float]
"""fx fy cx cy, px."""


@dataclass(frozen=True)
class DepthSensor:
    """A depth camera.

    Attributes:
        camera: fx fy cx cy of the whole image, px.
        image_px: Its columns and rows.
        unit_mm: Millimetres in one unit of its files.
        name: In the catalogue; none for a camera that is known by numbers alone.
        model: How it sees and what noise it has; none where nobody knows.
    """

    camera: Camera
    image_px: tuple[int, int]
    unit_mm: float = 1.0
    name: str | None = None
    model: CameraModel | None = None

    @property
    def columns(self) -> int:
        """Width of the image, px."""
        return self.image_px[0]

    @property
    def rows(self) -> int:
        """Height of the image, px."""
        return self.image_px[1]

    @property
    def window_px(self) -> int:
        """Side of the windows that it matches, in its own pixels; 1 where each pixel is measured for itself."""
        return 1 if self.model is None or isinstance(self.model, TimeOfFlight) else self.model.window_px

    def window_in_maps_px(self, size: int, cube_mm: float, distance_mm: float) -> int:
        """Return the side of its windows in pixels of cropped maps, odd.

        Args:
            size: Side of the maps, px.
            cube_mm: Side of the cubes that they show.
            distance_mm: Of these cubes' centres.
        """
        of_camera_px = self.camera[0] * cube_mm / size / distance_mm
        return 2 * math.floor(self.window_px / of_camera_px / 2) + 1

    def mirrored(self) -> "DepthSensor":
        """Return the same camera with what stands beside it on the other side, as maps show it that were mirrored.

        Raises:
            ValueError: Nothing stands beside it.
        """
        if self.model is None or isinstance(self.model, TimeOfFlight):
            raise ValueError(f"Found {self}, wanted a camera with a baseline.")
        return replace(self, model=replace(self.model, baseline_mm=-self.model.baseline_mm))

    def describe(self) -> dict[str, Any]:
        """Return name, image, camera and unit in plain types, as a store's attribute `sensor` has them."""
        return {
            "name": self.name,
            "image_px": list(self.image_px),
            "camera": list(self.camera),
            "unit_mm": self.unit_mm,
        }
