"""The attribute `sensor` of a recording: what was given of its camera, and what its frames tell at its own pixels."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from refiner.datasets.hands import Hands
from refiner.datasets.inspection import spread_items
from refiner.sensors.depth_sensor import DepthSensor
from refiner.sensors.measure.estimates import Estimate
from refiner.sensors.measure.whole import measure
from refiner.sensors.measure.window import HandWindow
from refiner.threads import in_threads

MEASURED = 100
"""Frames that are measured at most: more hardly narrow the intervals."""
_MARGIN_PX = 24


def window_of(hands: Hands, index: int, cube_mm: float) -> HandWindow:
    """Read the part of a frame around its hand's cube, background included.

    Args:
        hands: The recording.
        index: Of the hand.
        cube_mm: Side of the cube.
    """
    depth = hands.frames[index].read()
    fx, fy, cx, cy = depth.camera
    x, y, z = hands.centres_mm[index]
    rows, columns = depth.depth_mm.shape
    near_mm = max(z - cube_mm / 2, 1.0)
    # The cube's outline is widest at its near face.
    half_u, half_v = (f * cube_mm / 2 / near_mm + _MARGIN_PX for f in (fx, fy))
    u, v = fx * x / z + cx, fy * y / z + cy
    left, top = max(math.floor(u - half_u), 0), max(math.floor(v - half_v), 0)
    right, bottom = min(math.ceil(u + half_u) + 1, columns), min(math.ceil(v + half_v) + 1, rows)
    part = np.ascontiguousarray(depth.depth_mm[top:bottom, left:right])
    return HandWindow(
        part, (fx, fy, cx - left, cy - top), (left, top), near_mm, float(z + cube_mm / 2), hands.centres_mm[index]
    )


def describe_recording(
    hands: Hands, known: DepthSensor | None, cube_mm: float, given: Mapping[str, Any]
) -> dict[str, Any]:
    """Describe and measure the camera of a recording.

    Args:
        hands: The recording, with one hand and more.
        known: The camera of the catalogue that it is said to be of; none where only numbers are known.
        cube_mm: Side of the cubes that are cut.
        given: What the user said of the camera, in plain types.

    Returns:
        The attribute `sensor`, see `refiner/datasets/README.md`.
    """
    cameras, sizes = set(hands.cameras), set(hands.image_sizes)
    sensor = known  # as it is, where maps are loose crops of its image
    if len(cameras) == len(sizes) == 1:
        sensor = DepthSensor(cameras.pop(), sizes.pop(), name=None if known is None else known.name)
    chosen = spread_items(len(hands), MEASURED).tolist()
    windows = [window for _, window in in_threads(lambda index: window_of(hands, index, cube_mm), chosen)]
    return sensor_attribute(sensor, hands.step_mm, given, measure(windows, hands.step_mm), len(windows))


def sensor_attribute(
    sensor: DepthSensor | None, unit_mm: float, given: Mapping[str, Any],
    measured: Mapping[str, Estimate | None], frames: int,
) -> dict[str, Any]:  # fmt: skip
    """Return the attribute `sensor` in plain types.

    Args:
        sensor: The camera; none where nobody knows its pixels.
        unit_mm: Unit of the files.
        given: What the user said of the camera.
        measured: What its maps tell.
        frames: Number of maps that were measured.
    """
    unknown = {"name": None, "image_px": None, "camera": None}
    return {
        **(unknown if sensor is None else sensor.describe()),
        "unit_mm": unit_mm,
        "given": dict(given),
        "measured": {name: None if value is None else value._asdict() for name, value in measured.items()},
        "frames": frames,
    }
