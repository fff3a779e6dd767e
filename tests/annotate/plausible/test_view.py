"""What a map says of clicks, on plates where it can be worked out by hand."""

import numpy as np
from labelled_sequence import CAMERA, SIZE, THREE

from refiner.annotate.plausible.facts import hand_facts
from refiner.annotate.plausible.view import View
from refiner.annotate.sessions.labels import FrameLabels

FACTS = hand_facts(THREE)  # no known hand: joints are 10 mm thick and lie on the skin


def look(uv_px, flag, depth_mm):
    labels = FrameLabels(0, np.array(uv_px, float), np.array(flag, np.int8))
    return View.of(labels, depth_mm, np.array(CAMERA), FACTS)


def plate(columns):
    """A plate at 700 mm over the first columns: with 100 px of focal length a pixel is 7 mm there."""
    depth_mm = np.zeros((SIZE, SIZE))
    depth_mm[:, :columns] = 700.0
    return depth_mm


def test_how_far_readings_are():
    # The last reading is in column 9; 10 mm of the joint and 7.5 px of a hurried click, 52.5 mm, are 8.93 px.
    view = look([[9, 5], [17, 5], [18, 5]], [2, 2, 2], plate(10))
    np.testing.assert_allclose(view.away_mm, [0, 8 * 7, 9 * 7], rtol=0.02)  # OpenCV's distances are good to 2 %
    np.testing.assert_array_equal(view.astray(FACTS), [False, False, True])


def test_only_visible_clicks_go_astray():
    view = look([[9, 5], [30, 5], [np.nan, np.nan]], [2, 1, 0], plate(10))
    np.testing.assert_array_equal(view.astray(FACTS), [False, False, False])
    assert np.isnan(view.away_mm[2])
    assert np.isnan(view.ray[2]).all()


def test_between_which_depths_joints_lie():
    # Column 9 is 20 mm nearer than the rest. A careful click reaches 2 px, a hurried one 6; a joint lies up to 15 mm
    # behind the farthest reading there, a hidden one anywhere behind the nearest.
    depth_mm = plate(20)
    depth_mm[:, 9] = 680.0
    view = look([[5, 5], [8, 5], [8, 5]], [2, 2, 1], depth_mm)
    np.testing.assert_array_equal(view.near_mm, [[680, 680, 680], [700, 680, 680]])
    np.testing.assert_array_equal(view.far_mm, [[715, 715, np.nan], [715, 715, np.nan]])
    np.testing.assert_allclose(view.lifted_mm[0], [(5 - 15.5) * 7, (5 - 15.5) * 7, 700])
    assert np.isnan(view.lifted_mm[2]).all()


def test_without_readings_around_a_joint_lies_behind_the_nearest_of_the_map():
    view = look([[30, 5], [5, 5], [5, 5]], [2, 2, 2], plate(10))
    np.testing.assert_array_equal(view.near_mm[:, 0], [700, 700])
    assert np.isnan(view.far_mm[:, 0]).all()


def test_in_an_empty_map_all_clicks_are_astray():
    view = look([[5, 5], [6, 6], [7, 7]], [2, 2, 1], np.zeros((SIZE, SIZE)))
    np.testing.assert_array_equal(view.astray(FACTS), [True, True, False])
