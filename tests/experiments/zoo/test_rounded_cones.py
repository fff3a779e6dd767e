"""Rays and rounded cones: depths worked out by hand, and a cone as the hull of many balls."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from experiments.zoo.rounded_cones import draw_cones

CAMERA = (500.0, 500.0, 100.0, 80.0)
SHAPE = (161, 201)


def draw(*cones):
    return draw_cones(np.array(cones, np.float64), CAMERA, SHAPE)


def test_a_ball_is_a_disc_as_wide_as_its_tangents():
    """Radius 50 at 500 mm: tangents at 50 / sqrt(500^2 - 50^2) * 500 = 50.25 px, front at 450 mm."""
    depth = draw((0, 0, 500, 50, 0, 0, 500, 50))
    assert depth[80, 100] == pytest.approx(450)
    assert np.isfinite(depth[80, 50:151]).all()
    assert np.isinf(depth[80, [49, 151]]).all()
    # The ray (0.05, 0, 1): 1.0025 z^2 - 1000 z + 250000 - 2500 = 0.
    assert depth[80, 125] == pytest.approx((1000 - np.sqrt(1e6 - 4 * 1.0025 * 247500)) / 2.005)


def test_a_capsule_and_a_cone_across_the_view():
    """The cone's flank lies where cos(a) rho + sin(a) 100 = 40, sin(a) = 20 / 200: rho = 30 / sqrt(0.99)."""
    assert draw((-100, 0, 500, 30, 100, 0, 500, 30))[80, 100] == pytest.approx(470)
    cone = draw((-100, 0, 500, 40, 100, 0, 500, 20))
    assert cone[80, 100] == pytest.approx(500 - 30 / np.sqrt(0.99))
    assert cone == pytest.approx(draw((100, 0, 500, 20, -100, 0, 500, 40)))


def test_the_nearer_hides_the_farther_and_a_ball_in_a_ball_is_the_outer_one():
    near, far = (0, 0, 400, 20, 0, 0, 400, 20), (-50, 0, 500, 40, 50, 0, 500, 40)
    depth = draw(far, near)
    assert depth[80, 100] == pytest.approx(380)
    assert depth[80, 140] == draw(far)[80, 140]
    assert draw((0, 0, 500, 50, 5, 0, 500, 10)) == pytest.approx(draw((0, 0, 500, 50, 0, 0, 500, 50)))


@settings(max_examples=12, deadline=None)
@given(
    st.tuples(*[st.floats(-60, 60)] * 2, st.floats(-90, 90), st.floats(4, 30)),
    st.tuples(*[st.floats(-60, 60)] * 2, st.floats(-90, 90), st.floats(4, 30)),
)
def test_a_rounded_cone_lies_between_rows_of_slightly_smaller_and_slightly_larger_balls(one, other):
    """Balls of 4 mm and more, 1.2 mm apart at most, leave notches of 0.6^2 / 8 = 0.045 mm."""
    ends = np.array([one, other])
    ends[:, 2] += 400
    whole = draw(ends.ravel())
    balls = ends[0] + np.linspace(0, 1, 220)[:, None] * (ends[1] - ends[0])
    smaller, larger = (draw(*np.tile(balls + np.array([0, 0, 0, by]), 2)) for by in (-0.1, 0.1))
    assert (larger <= whole).all()  # infinite where there is nothing
    assert (whole <= smaller).all()


def test_a_window_shows_the_same_as_the_whole_image():
    cone = np.array([(-40.0, 10.0, 450.0, 30.0, 50.0, -20.0, 520.0, 20.0)])
    window = draw_cones(cone, CAMERA, (60, 70), (70, 50))
    assert np.array_equal(window, draw(cone[0])[50:110, 70:140])
