"""See a scene through any of the analytic models: the baseline that a learned refiner has to beat.

They work on the camera's own pixels, before the hand is centred and cropped, as a real camera's noise does.
"""

from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from refiner.sensors.models import active_stereo, structured_light, time_of_flight
from refiner.sensors.models.active_stereo import ActiveStereo
from refiner.sensors.models.structured_light import StructuredLight
from refiner.sensors.models.time_of_flight import TimeOfFlight

CameraModel = StructuredLight | TimeOfFlight | ActiveStereo

_MODULES: dict[type, Any] = {
    StructuredLight: structured_light, TimeOfFlight: time_of_flight, ActiveStereo: active_stereo,
}  # fmt: skip
"""Each has the functions `optics` and `sense`."""


def describe_model(model: CameraModel) -> dict[str, Any]:
    """Return a model's name and settings in plain types, for a store's provenance."""
    return {"type": type(model).__name__, **asdict(model)}


def optics(depth_mm: NDArray[np.float32], camera: ArrayLike, model: CameraModel) -> NDArray[np.float32]:
    """Return what a camera sees of a clean depth map without noise: what windows, blur and a blind side make of it.

    Args:
        depth_mm: (rows, columns) window of the camera's image, 0 where there is no surface.
        camera: fx fy cx cy of the whole image, px.
        model: The camera's.
    """
    return _MODULES[type(model)].optics(depth_mm, _focal_px(camera), model)


def sense(
    depth_mm: NDArray[np.float32],
    camera: ArrayLike,
    model: CameraModel,
    *,
    seed: int,
    item: int,
    origin: tuple[int, int] = (0, 0),
    out: NDArray[np.float32] | None = None,
) -> NDArray[np.float32]:
    """See a clean depth map through a camera, noise included.

    Args:
        depth_mm: (rows, columns) window of the camera's image, 0 where there is no surface.
        camera: fx fy cx cy of the whole image, px.
        model: The camera's.
        seed: Of the noise; with `item` it fixes every byte.
        item: Number of the map.
        origin: Column and row of the window's first pixel.
        out: Written and returned where given, of the map's shape; not the map itself.

    Returns:
        (rows, columns) readings in mm, 0 where there is none.
    """
    out = np.empty_like(depth_mm) if out is None else out
    _MODULES[type(model)].sense(depth_mm, _focal_px(camera), model, seed, item, origin, out)
    return out


def _focal_px(camera: ArrayLike) -> tuple[float, float]:
    fx, fy = (float(value) for value in np.asarray(camera)[:2])
    return fx, fy
