"""What a training is told of its maps beside the maps themselves."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from refiner.geometry.depth import DepthCodec


class CameraPixels(NamedTuple):
    """How a camera samples depth, before anything is cut from its image.

    Attributes:
        focal_px: Its focal length.
        unit_mm: Unit of its files.
        step_mm: One step of its disparity at 1 m, with the square of the distance elsewhere; 0 is none.
        rows_mm: How far its odd rows lie behind the even ones.
    """

    focal_px: float
    unit_mm: float
    step_mm: float = 0.0
    rows_mm: float = 0.0


class TrainingFacts(NamedTuple):
    """What a training is told of its maps.

    Attributes:
        codec: What the networks' values mean; the unit is the camera's.
        distance_mm: Median depth of the centres of the rendered maps' cubes, where it is known.
        nearest_mm: The least of them.
        pixels: The camera's own, where its recording says how it samples.
        whole_units: Whether camera maps keep their units, so that refined ones are rounded before D sees them.
        paired: Whether camera maps of a batch show the rendered hands, one by one.
    """

    codec: DepthCodec
    distance_mm: float | None = None
    nearest_mm: float | None = None
    pixels: CameraPixels | None = None
    whole_units: bool = False
    paired: bool = False


def camera_pixels(sensor: Mapping[str, Any] | None) -> CameraPixels | None:
    """Read how a camera samples out of a store's attribute `sensor`; nothing where that does not say.

    Args:
        sensor: See `refiner/datasets/README.md`.
    """
    if sensor is None or sensor["camera"] is None:
        return None
    step_mm, exponent, rows_mm = (
        0.0 if (estimate := sensor["measured"].get(name)) is None else float(estimate["value"])
        for name in ("step_mm_at_1m", "step_exponent", "rows_alternate_mm")
    )
    # Steps that do not grow with the distance are the unit.
    return CameraPixels(float(sensor["camera"][0]), float(sensor["unit_mm"]), step_mm if exponent > 1 else 0.0, rows_mm)
