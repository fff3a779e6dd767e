import hypothesis.extra.numpy as arrays
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from refiner.geometry.holes import hole_rate, hole_sizes_px, silhouettes


def test_holes_are_what_readings_enclose():
    readings = np.zeros((1, 7, 7), bool)
    readings[0, 1:6, 1:6] = True
    assert hole_rate(readings) == 0
    readings[0, 3, 3] = False
    assert hole_rate(readings) == pytest.approx(1 / 25)
    readings[0, 2, 2] = False  # beside the first along a diagonal: enclosed, and another hole
    assert hole_rate(readings) == pytest.approx(2 / 25)
    assert hole_sizes_px(readings[0]) == [1, 1]
    readings[0, 2, 0:2] = False  # a gap to the left opens it to the background
    assert hole_rate(readings) == pytest.approx(1 / 23)


def test_holes_at_the_border_are_open_and_an_empty_map_has_none():
    readings = np.ones((1, 4, 4), bool)
    readings[0, 0, 2] = False
    assert hole_rate(readings) == 0
    assert hole_rate(np.zeros((2, 4, 4), bool)) == 0
    assert hole_sizes_px(np.zeros((4, 4), bool)) == []


def test_a_ring_by_hand_and_two_hands_together():
    """A ring of 5 x 5 px about a hole of 3 x 3 is 9/25 hole; with a plate of 5 x 5 px 9/50 of both."""
    readings = np.zeros((2, 7, 7), bool)
    readings[:, 1:6, 1:6] = True
    readings[0, 2:5, 2:5] = False
    assert hole_rate(readings[:1]) == pytest.approx(9 / 25)
    assert hole_rate(readings) == pytest.approx(9 / 50)
    plate = np.zeros((2, 7, 7), bool)
    plate[:, 1:6, 1:6] = True
    np.testing.assert_array_equal(silhouettes(readings), plate)


@given(arrays.arrays(bool, st.tuples(st.integers(1, 3), st.integers(1, 9), st.integers(1, 9))))
def test_a_share_of_the_hand_is_below_one_and_counts_every_hole(readings):
    rate = hole_rate(readings)
    assert 0 <= rate < 1
    holes = sum(sum(hole_sizes_px(map_)) for map_ in readings)
    assert rate * (holes + readings.sum()) == pytest.approx(holes)
    assert (silhouettes(readings) >= readings).all()
