"""Noise of known strength and correlation is found again on curved hands."""

import numpy as np
import pytest
from ball_hands import windows
from scipy.ndimage import uniform_filter

from refiner.sensors.measure.estimates import Bootstrap
from refiner.sensors.measure.noise import measure_noise
from refiner.sensors.measure.surfaces import residuals
from refiner.sensors.measure.window import find_hand_in


def noisy(strength_mm, box=1, lost=0.0):
    def see(depth, rng):
        noise = uniform_filter(rng.normal(size=depth.shape), box, mode="wrap") * box
        return np.where(rng.random(depth.shape) < lost, 0, depth + strength_mm * noise)

    return see


def noise_of(see, least_mm=0.02, **scene):
    seen = windows(see, count=12, **scene)
    found = residuals([find_hand_in(window) for window in seen], [window.depth_mm for window in seen])
    return measure_noise(found, Bootstrap(len(seen), 0), least_mm)


@pytest.mark.parametrize("strength_mm", [0.5, 1.0, 3.0])
def test_white_noise(strength_mm):
    found = noise_of(noisy(strength_mm))
    for name in ("noise_mm", "noise_mm_tilt_0_30", "noise_mm_tilt_30_45", "noise_mm_tilt_45_60", "noise_mm_at_500_600"):
        assert found[name].value == pytest.approx(strength_mm, rel=0.1), name
    for axis in "uv":
        for lag in (1, 2, 3):
            # What is left of shape is smooth, and shows where noise is weak.
            assert abs(found[f"noise_correlation_{axis}_{lag}px"].value) < (0.07 if strength_mm >= 1 else 0.15)
    assert found["noise_mm_at_1000_1200"] is None


def test_lost_pixels_do_not_change_it():
    assert noise_of(noisy(1.0, lost=0.08))["noise_mm"].value == pytest.approx(1.0, rel=0.05)


def test_a_mean_of_3_px_correlates_by_two_thirds_and_one_third():
    found = noise_of(noisy(2.0, box=3))
    assert found["noise_mm"].value == pytest.approx(2.0, rel=0.1)
    for axis in "uv":
        for lag, wanted in ((1, 2 / 3), (2, 1 / 3), (3, 0)):
            assert found[f"noise_correlation_{axis}_{lag}px"].value == pytest.approx(wanted, abs=0.04)


def test_noise_that_grows_with_the_square_of_the_distance():
    found = noise_of(lambda depth, rng: depth + 3 * (depth / 1000) ** 2 * rng.normal(size=depth.shape), distance_mm=640)
    for low, high in ((500, 600), (600, 700)):
        estimate = found[f"noise_mm_at_{low}_{high}"]
        assert 3 * (low / 1000) ** 2 < estimate.value < 3 * (high / 1000) ** 2


def test_noise_that_grows_with_the_tilt():
    """Of planes: 1 mm at 20 degrees, 2 mm at 52."""

    def see(depth, rng):
        tilt, strength_mm = (20, 1.0) if rng.random() < 0.5 else (52, 2.0)
        across = np.mgrid[: depth.shape[0], : depth.shape[1]][1] - 119.5
        plane = 600 + 600 / 475 * np.tan(np.radians(tilt)) * across
        return np.where(np.abs(across) < 25, plane + strength_mm * rng.normal(size=depth.shape), 0)

    found = noise_of(see)
    assert found["noise_mm_tilt_0_30"].value == pytest.approx(1.0, rel=0.05)
    assert found["noise_mm_tilt_45_60"].value == pytest.approx(2.0, rel=0.1)
    assert found["noise_mm_tilt_60_75"].value == pytest.approx(2.0, rel=0.1)


def test_a_clean_camera_has_none():
    found = noise_of(lambda depth, _rng: depth)
    assert found["noise_mm"].value < 0.01
    assert found["noise_mm_tilt_45_60"].value < 0.1
    assert found["noise_correlation_u_1px"] is None
