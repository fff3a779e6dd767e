"""What crops can still tell, and what they cannot."""

import numpy as np
import pytest
from ball_hands import CUBE_MM, windows

from refiner.errors import UsageError
from refiner.geometry.crop import crop_cube
from refiner.sensors.measure.crops import measure_crops, why_not
from refiner.sensors.measure.names import MEASURES


def crops_of(see, size, count=12):
    seen = windows(see, count=count)
    parts = [crop_cube(window.depth_mm, window.camera, window.centre_mm, CUBE_MM, size) for window in seen]
    depth, camera = (np.array(column) for column in zip(*parts, strict=True))
    return depth, camera, np.array([window.centre_mm for window in seen]), np.full(count, CUBE_MM)


def losing(depth, rng):
    return np.where(rng.random(depth.shape) < 0.05, 0, depth)


def test_shares_survive_and_sizes_do_not():
    """At 64 px three of the camera's pixels make one."""
    found = measure_crops(*crops_of(losing, 64), camera_px=3.2)
    assert set(found) == set(MEASURES)
    # Fingers that touch in the crop enclose gaps, lost or not.
    gaps = measure_crops(*crops_of(lambda depth, _rng: depth, 64), camera_px=3.2)["lost"].value
    assert found["lost"].value - gaps == pytest.approx(0.05, rel=0.15)
    assert found["lost_single"] is None
    assert found["lost_outline_2px"] is None
    assert found["rim_left_mm"] is None


def test_maps_at_the_cameras_pixels_tell_sizes_and_rims():
    found = measure_crops(*crops_of(losing, 208), camera_px=1.0)
    assert found["lost_single"].value == pytest.approx(0.05, rel=0.2)
    assert found["rim_left_mm"].value == pytest.approx(5, abs=2)
    assert measure_crops(*crops_of(losing, 208))["lost_single"] is None  # nobody says so


def test_no_crop_tells_noise_steps_or_rows():
    found = measure_crops(*crops_of(losing, 208), camera_px=1.0)
    for name in MEASURES:
        if name.startswith(("unit", "step", "noise", "rows", "columns", "shadow_background")):
            assert found[name] is None
            assert why_not(name) != why_not("shadow_hand_asymmetry")


def test_shadows_within_the_hand():
    """A gap of 6 of the camera's pixels at the right of a strip that lies 50 mm before a plate."""

    def see(depth, _rng):
        scene = np.full_like(depth, 600)
        scene[:200, 90:130] = 550
        scene[:200, 130:136] = 0
        return scene

    found = measure_crops(*crops_of(see, 104), camera_px=2.0)
    assert found["shadow_hand_asymmetry"].value == pytest.approx(1, abs=0.01)
    assert found["shadow_hand_px"].value == pytest.approx(6, abs=1)


def test_no_map_is_refused():
    with pytest.raises(UsageError, match="wanted one and more"):
        measure_crops(np.zeros((0, 8, 8), np.float32), np.zeros((0, 4)), np.zeros((0, 3)), np.zeros(0))
