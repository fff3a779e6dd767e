import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from refiner.sensors.residuals import noise_correlation, noise_mm_of, surface_residuals_mm

V, U = np.mgrid[:24, :24].astype(np.float32)


@given(*(st.floats(-2, 2) for _ in range(5)))
def test_a_quadratic_surface_leaves_nothing(a, b, c, d, e):
    depth_mm = (900 + a * U + b * V + (c * U * U + d * U * V + e * V * V) / 24)[None].astype(np.float32)
    residual, known = surface_residuals_mm(depth_mm)
    assert known[0, 2:-2, 2:-2].all()
    assert known.sum() == 20 * 20  # the square of 5 px has to lie in the map
    assert np.abs(residual).max() < 2e-3  # float32 of 900 mm


def test_squares_with_a_missing_reading_are_not_known():
    depth_mm = np.full((1, 24, 24), 700, np.float32)
    depth_mm[0, 12, 12] = 0
    residual, known = surface_residuals_mm(depth_mm)
    assert not known[0, 10:15, 10:15].any()
    assert known[0, 9, 12]
    assert (residual == 0).all()


def noisy(rng, sigma_mm, shape=(20, 64, 64)):
    return (1000 + sigma_mm * rng.standard_normal(shape)).astype(np.float32)


@pytest.mark.parametrize("sigma_mm", [0.5, 3.0])
def test_the_deviation_of_white_noise_is_found(sigma_mm):
    depth_mm = noisy(np.random.default_rng(0), sigma_mm) + 0.5 * np.arange(64, dtype=np.float32)
    assert noise_mm_of(depth_mm) == pytest.approx(sigma_mm, rel=0.02)
    assert noise_correlation(depth_mm) == pytest.approx(0, abs=0.02)


def test_a_noise_of_one_pixel_by_hand():
    """The weight of the middle in a quadratic surface over 5 x 5 px is 27/175 (Savitzky and Golay)."""
    depth_mm = np.full((1, 9, 9), 500, np.float32)
    depth_mm[0, 4, 4] += 1
    assert surface_residuals_mm(depth_mm)[0][0, 4, 4] == pytest.approx(1 - 27 / 175, abs=1e-4)


def test_neighbours_that_go_together_are_told_from_such_that_alternate():
    rng = np.random.default_rng(1)
    white = rng.standard_normal((20, 64, 65))
    together, apart = (1000 + white[..., 1:] + sign * white[..., :-1] for sign in (1, -1))
    assert noise_correlation(together.astype(np.float32)) > 0.3
    assert noise_correlation(apart.astype(np.float32)) < -0.3


def test_maps_without_a_surface_have_no_noise():
    empty = np.zeros((2, 16, 16), np.float32)
    assert noise_mm_of(empty) == 0
    assert noise_correlation(empty) == 0
    assert noise_correlation(np.full((1, 16, 16), 800, np.float32)) == 0
