from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from refiner.sensors import sense as seeing
from refiner.sensors.models.time_of_flight import TimeOfFlight

CAMERA = (364.0, 364.0, 0.0, 0.0)
STILL = TimeOfFlight(sigma_mm=0.0)


def sense(depth, sensor=STILL, item=0, origin=(0, 0), seed=0):
    return seeing.sense(depth.astype(np.float32), CAMERA, sensor, seed=seed, item=item, origin=origin)


@settings(deadline=None, max_examples=20)
@given(z=st.floats(400, 900))
def test_a_wall_without_noise_is_read_as_it_stands(z):
    np.testing.assert_allclose(sense(np.full((20, 20), z))[3:-3, 3:-3], z, atol=0.01)


def test_noise_grows_with_the_square_of_the_distance_and_with_darkness():
    # sigma = sigma_1 (z / 1 m)^2 / albedo for a facing wall.
    for z, albedo in ((500.0, 0.6), (900.0, 0.6), (900.0, 0.9)):
        sensor = TimeOfFlight(albedo=albedo)
        readings = np.stack([sense(np.full((30, 30), z), sensor, item=item)[3:-3, 3:-3] for item in range(40)])
        assert readings.std() == pytest.approx(1.3 * (z / 1000) ** 2 / albedo, rel=0.1)
        assert readings.mean() == pytest.approx(z, abs=0.2)


def test_noise_grows_with_tilt():
    # cos(60 degrees) = 1/2 doubles it.
    u = np.arange(-10, 10)
    tilted = np.broadcast_to(600 / (1 - np.tan(np.pi / 3) * u / 364), (40, 20)).astype(np.float32)
    noise = np.stack([sense(tilted, TimeOfFlight(), item=item)[3:-3, 8:12] - sense(tilted)[3:-3, 8:12]
                      for item in range(60)])  # fmt: skip
    assert noise.std() == pytest.approx(1.3 * 0.6**2 / 0.6 * 2, rel=0.15)


def test_a_pixel_between_two_surfaces_reads_the_phase_of_their_sum():
    # Two facing walls, 600 | 650 mm. By hand: weights of a 3 x 3 Gaussian with sigma 0.9, column sums w, 1, w over
    # (1 + 2 w), w = exp(-1 / (2 0.81)); amplitudes 1 / z^2; phases 4 pi f z / c.
    depth = np.full((21, 21), 650.0)
    depth[:, :10] = 600.0
    seen = sense(depth, replace(STILL, flying_mm=1000.0))
    w = np.exp(-0.5 / 0.9**2)
    turn = 4 * np.pi * 80 / 299_792.458
    for column, weights in ((9, (w + 1, w)), (10, (w, 1 + w))):
        total = weights[0] / 600**2 * np.exp(1j * turn * 600) + weights[1] / 650**2 * np.exp(1j * turn * 650)
        expected = 600 + np.angle(total * np.exp(-1j * turn * 600)) / turn
        assert seen[10, column] == pytest.approx(expected, abs=0.01)
        assert 600 < seen[10, column] < 650
    np.testing.assert_allclose(seen[5:15, [4, 16]], [[600, 650]] * 10, atol=0.01)


def test_flying_pixels_end_at_the_limit():
    depth = np.zeros((40, 40), np.float32)
    depth[10:30, 10:30] = 600.0
    near_wall = replace(STILL, wall_mm=(100.0, 100.0))
    all_of_them = sense(depth, replace(near_wall, flying_mm=1000.0))
    assert all_of_them[20, 9] > 600  # beside the silhouette, half hand half wall
    assert 600 < all_of_them[20, 10] < all_of_them[20, 9] < 700
    none = sense(depth, replace(near_wall, flying_mm=0.0))
    assert none[20, 9] == 0
    assert none[20, 10] == 0
    np.testing.assert_allclose(none[13:27, 13:27], 600, atol=0.01)


def test_dim_surfaces_give_no_reading():
    # Amplitude 0.6 (1000 / z)^2: 0.6 at 1 m, 0.15 at 2 m, 0.096 at 2.5 m.
    assert (sense(np.full((20, 20), 1900.0))[3:-3, 3:-3] > 0).all()
    assert not sense(np.full((20, 20), 2500.0))[3:-3, 3:-3].any()


def test_nothing_is_read_beyond_one_pixel_from_the_hand():
    depth = np.zeros((40, 40), np.float32)
    depth[10:30, 10:30] = 600.0
    for item in range(5):
        seen = sense(depth, TimeOfFlight(), item=item)
        seen[9:31, 9:31] = 0
        assert not seen.any()
    assert not sense(np.zeros((20, 20))).any()


def test_noise_belongs_to_seed_item_and_place():
    depth = np.zeros((80, 80), np.float32)
    depth[20:60, 20:60] = 650.0
    one = sense(depth, TimeOfFlight(), item=4)
    np.testing.assert_array_equal(one, sense(depth, TimeOfFlight(), item=4))
    np.testing.assert_array_equal(sense(depth[10:70, 5:75], TimeOfFlight(), item=4, origin=(5, 10)), one[10:70, 5:75])
    assert (one != sense(depth, TimeOfFlight(), item=5)).any()
    assert (one != sense(depth, TimeOfFlight(), item=4, seed=1)).any()


@pytest.mark.parametrize("bad", [{"modulation_mhz": 0.0}, {"wall_mm": (500.0, 100.0)}, {"cell_px": 0}, {"albedo": 0.0}])
def test_settings_that_make_no_sensor_are_refused(bad):
    with pytest.raises(ValueError, match="No time-of-flight sensor"):
        TimeOfFlight(**bad)


def test_optics_mix_surfaces_and_leave_the_outline_to_the_noise():
    depth = np.zeros((40, 40), np.float32)
    depth[10:30, 10:20], depth[10:30, 20:30] = 600.0, 640.0
    seen = seeing.optics(depth, CAMERA, TimeOfFlight())
    np.testing.assert_array_equal(seen > 0, depth > 0)
    assert 600 < seen[20, 19] < seen[20, 20] < 640
    np.testing.assert_allclose(seen[12:28, [10, 15, 25, 29]], [[600, 600, 640, 640]] * 16, atol=0.01)
