"""Labels that joints could not keep, by name."""

from dataclasses import replace

import numpy as np

from refiner.annotate.sessions.labels import FrameLabels
from refiner.annotate.sessions.results import StageResult
from refiner.annotate.solver.terms import Weights
from refiner.annotate.stages.conflicts import conflicts_left, conflicts_of, words_of

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


LIFT = StageResult("lift", np.stack([JOINTS] * 8).astype(np.float32))
MISSED = FrameLabels(7, EXACT.uv_px + np.array([[0, 0], [0, 4.1], [7.9, 0]]), EXACT.flag, ((0, 2),))


def test_conflicts_are_told_in_words_with_units():
    order, click = {"joint": "root", "what": "nearer than tip", "by_mm": 2.04}, {"joint": "mid", "off_px": 4.13}
    assert words_of(order) == "root is labelled nearer than tip, but lies 2.0 mm too far back for that"
    assert words_of(click).startswith("the click on mid lies 4.1 px from where ")


def test_what_was_labelled_anew_is_in_conflict_no_more():
    def left(labels):
        return [(one["joint"], one["what"]) for one in conflicts_left(LIFT, labels, CAMERA, NAMES)]

    LIFT.info["conflicts"] = [*found(MISSED), {"frame": 3, "joint": "mid", "what": "click", "off_px": 9.0}]
    assert left(MISSED) == [("mid", "click"), ("root", "nearer than tip")]
    moved = MISSED.uv_px + np.array([[0, 0], [0, 0.1], [0, 0]])
    assert left(replace(MISSED, uv_px=moved)) == [("root", "nearer than tip")]
    assert left(replace(MISSED, nearer=((2, 0),))) == [("mid", "click")]
    gone = np.where([[True], [False], [True]], MISSED.uv_px, np.nan)
    assert left(replace(MISSED, uv_px=gone, nearer=())) == []
    assert left(replace(MISSED, frame=5)) == []
