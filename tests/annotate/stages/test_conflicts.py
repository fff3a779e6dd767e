"""Labels that joints could not keep, by name."""

from dataclasses import replace

import numpy as np

from refiner.annotate.sessions.labels import FrameLabels
from refiner.annotate.solver.terms import Weights
from refiner.annotate.stages.conflicts import conflicts_of

CAMERA = np.array([100.0, 100.0, 16.0, 16.0])
NAMES = ("root", "mid", "tip")
JOINTS = np.array([[0.0, 0, 500], [50, 0, 500], [100, 0, 508]])  # at u = 16, 26, 16 + 100 * 100 / 508 = 35.685
EXACT = FrameLabels(
    7, np.array([[16.0, 16], [26, 16], [16 + 1e4 / 508, 16]]), np.array([2, 2, 1], np.int8), ((0, 2),)
)  # fmt: skip
WEIGHTS = Weights(visible_click_px=1.0, occluded_click_px=2.0, nearer_mm=10.0)


def found(labels):
    return conflicts_of(labels, JOINTS, CAMERA, NAMES, WEIGHTS)


def test_an_order_that_lacks_two_millimetres():
    assert found(EXACT) == [{"frame": 7, "joint": "root", "what": "nearer than tip", "by_mm": 2.0}]
    assert found(replace(EXACT, nearer=())) == []
    assert found(replace(EXACT, nearer=((2, 0),)))[0]["by_mm"] == 18.0


def test_clicks_beyond_four_deviations():
    uv_px = EXACT.uv_px + np.array([[0, 3.9], [0, 4.1], [7.9, 0]])
    assert found(FrameLabels(7, uv_px, EXACT.flag)) == [{"frame": 7, "joint": "mid", "what": "click", "off_px": 4.1}]


def test_absent_joints_are_in_no_conflict():
    uv_px = np.where([[True], [False], [True]], EXACT.uv_px, np.nan)
    assert found(FrameLabels(7, uv_px, np.array([2, 0, 1], np.int8))) == []
