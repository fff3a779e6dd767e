"""Tilt, shadows and random fields by hand."""

import numpy as np
import pytest

from experiments.zoo.surfaces import in_shadow, near_jump, ramp, rounded, smooth_field, tilt_deg


def step(near=500.0, far=1000.0, shape=(6, 60)):
    scene = np.full(shape, far, np.float32)
    scene[:, 10:20] = near
    return scene


def test_tilt_is_that_of_a_plane_and_a_jump_tilts_nothing():
    """1 mm a pixel at 500 mm and 500 px: 45 degrees."""
    plane = np.tile(np.arange(500, 505, dtype=np.float32), (4, 1))
    assert tilt_deg(plane, 500.0)[1, 0] == pytest.approx(45.0)
    assert tilt_deg(step(), 500.0) == pytest.approx(0.0)


def test_a_lamp_on_the_left_throws_shadows_to_the_right():
    """20 mm * 500 px * (1 / 500 - 1 / 1000) = 10 px behind the last near column, 19, which reaches column 39 - 10."""
    dark = in_shadow(step(), 500.0, 20.0)
    assert np.flatnonzero(dark[0]).tolist() == list(range(20, 29))
    mirrored = in_shadow(step(), 500.0, -20.0)
    assert np.flatnonzero(mirrored[0]).tolist() == list(range(1, 10))


def test_outlines_are_where_depth_jumps():
    near = near_jump(step(), 12.0, 2)
    assert np.flatnonzero(near[3]).tolist() == [*range(7, 13), *range(17, 23)]
    assert not near_jump(step(990.0), 12.0, 2).any()


def test_a_field_has_variance_one_and_the_correlation_of_its_gaussian():
    """Of two pixels d apart: exp(-d^2 / (4 sigma^2))."""
    field = smooth_field(np.random.default_rng(0), (400, 400), 3.0)
    assert field.std() == pytest.approx(1.0, abs=0.05)
    assert (field[:, :-4] * field[:, 4:]).mean() == pytest.approx(np.exp(-16 / 36), abs=0.06)


def test_readings_are_whole_units_and_none_stays_none():
    assert rounded(np.float32([0, 0.01, 500.06, 500.07]), 0.125).tolist() == [0, 0.125, 500.0, 500.125]
    assert ramp(np.float32([10, 20, 30, 50]), 20, 40).tolist() == [0, 0, 0.5, 1]
