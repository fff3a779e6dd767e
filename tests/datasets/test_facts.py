import numpy as np
import pytest
from fakes import CAMERA, write_balls, write_maps

from refiner.datasets.facts import CameraPixels, camera_pixels
from refiner.datasets.unpaired import UnpairedDepth


def measured(**changes):
    """The attribute `sensor` of a camera, with some of its measures changed, or none of a name."""
    return CAMERA | {"measured": {name: value for name, value in (CAMERA["measured"] | changes).items() if value}}


@pytest.mark.parametrize(
    ("sensor", "wanted"),
    [
        (CAMERA, CameraPixels(400.0, 1.0, 2.9, -2.0)),
        (measured(step_exponent={"value": 0.0}), CameraPixels(400.0, 1.0, 0.0, -2.0)),  # its steps are the unit
        (measured(step_mm_at_1m=None, step_exponent=None, rows_alternate_mm=None), CameraPixels(400.0, 1.0)),
        (CAMERA | {"camera": None}, None),  # loose crops of an image
        (None, None),
    ],
)
def test_a_cameras_pixels_by_hand(sensor, wanted):
    assert camera_pixels(sensor) == wanted


def test_a_training_is_told_of_the_renders_distances_and_of_the_camera():
    centres_mm = np.float32([[0.0, 0.0, z] for z in (500.0, 800.0, 900.0, 600.0) * 5])
    write_maps("a.zarr", np.full((20, 16, 16), 700.0, np.float32), centre_mm=centres_mm)
    write_balls("b.zarr", unit_mm=1.0, noisy=True, sensor=CAMERA)
    facts = UnpairedDepth("a.zarr", "b.zarr", dequantize=False).facts
    assert (facts.distance_mm, facts.nearest_mm) == (700.0, 500.0)
    assert facts.pixels == CameraPixels(400.0, 1.0, 2.9, -2.0)
    assert (facts.whole_units, facts.paired) == (True, False)
