import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from refiner.sensors.window import close_slits


def scattered_mm(seed, near_mm, far_mm, side):
    """Give a map of readings anywhere between two depths, with a hole in three of ten pixels."""
    rng = np.random.default_rng(seed)
    readings = rng.random((side, side)) < 0.7
    return np.where(readings, rng.uniform(near_mm, far_mm, (side, side)), 0).astype(np.float32)


def test_slits_are_closed_by_hand():
    """Two fingers at 700 and 705 mm with a slit of two pixels, a step, and a gap of three."""
    row = np.array([0, 0, 700, 700, 700, 0, 0, 705, 705, 705, 730, 730, 730, 0, 0, 0, 710, 710, 710, 0], np.float32)
    wanted = [0, 0, 700, 700, 700, 705, 705, 705, 705, 705, 730, 730, 730, 0, 0, 0, 710, 710, 710, 0]
    closed = close_slits(np.tile(row, (9, 1)), 3)
    np.testing.assert_array_equal(closed, np.tile(wanted, (9, 1)))
    # A window of 5 closes the gap of three as well, with what is the nearer of its farther sides.
    assert close_slits(np.tile(row, (9, 1)), 5)[4, 13:16].tolist() == [730, 730, 730]


@pytest.mark.parametrize("window_px", [1, 3, 5])
@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**31))
def test_nothing_moves_away_and_once_is_enough(window_px, seed):
    depth = scattered_mm(seed, 600, 800, 16)
    closed = close_slits(depth, window_px)
    assert (closed[depth > 0] <= depth[depth > 0]).all()
    assert (closed[depth > 0] > 0).all()
    np.testing.assert_array_equal(close_slits(closed, window_px), closed)
    assert np.isin(closed, np.append(depth, 0)).all()
    if window_px == 1:
        np.testing.assert_array_equal(closed, depth)
