"""The analytic camera models by name: the baseline that a learned refiner has to beat.

They work on the camera's own pixels, before the hand is centred and cropped, as a real camera's noise does.
"""

from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from refiner.errors import UsageError
from refiner.render.structured_light import StructuredLight, structured_light
from refiner.render.time_of_flight import TimeOfFlight, time_of_flight

Sensor = StructuredLight | TimeOfFlight

SENSORS: dict[str, Sensor] = {"structured-light": StructuredLight(), "tof": TimeOfFlight()}
"""With the published strengths."""


def sensor_named(name: str) -> Sensor:
    """Give a sensor with its published strengths.

    Raises:
        UsageError: There is none of that name.
    """
    if name not in SENSORS:
        raise UsageError(f"Found the sensor {name!r}, wanted one of {', '.join(SENSORS)}, or none for clean maps.")
    return SENSORS[name]


def describe_sensor(sensor: Sensor) -> dict[str, Any]:
    """Give a sensor's name and settings in plain types, for a store's provenance."""
    return {"type": type(sensor).__name__, **asdict(sensor)}


def sense(
    depth_mm: NDArray[np.float32],
    camera: ArrayLike,
    sensor: Sensor,
    *,
    seed: int,
    item: int,
    origin: tuple[int, int] = (0, 0),
    out: NDArray[np.float32] | None = None,
) -> NDArray[np.float32]:
    """See a clean depth map through a sensor; see `structured_light` and `time_of_flight` for the arguments."""
    if isinstance(sensor, StructuredLight):
        return structured_light(depth_mm, camera, sensor, seed=seed, item=item, origin=origin, out=out)
    return time_of_flight(depth_mm, camera, sensor, seed=seed, item=item, origin=origin, out=out)
