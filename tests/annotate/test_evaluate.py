"""Errors of stages, worked out by hand."""

import numpy as np
import pytest
from labelled_sequence import three_joints, write_sequence

from refiner.annotate.evaluate import evaluate
from refiner.annotate.sessions.results import StageResult
from refiner.annotate.sessions.session import Session
from refiner.datasets.store import DepthStore
from refiner.errors import SolveError, StoreError
from refiner.hand.skeleton import Skeleton

OTHER = Skeleton("other", ("root", "mid", "end"), (-1, 0, 1))


@pytest.fixture
def session(tmp_path):
    visible = np.tile([True, True, False], (4, 1))
    write_sequence(tmp_path / "a.zarr", count=4, visible=visible)
    with Session.create(tmp_path / "s", tmp_path / "a.zarr", [np.nan, 50, 30]) as session:
        yield session


def test_means_medians_and_shares(session):
    joints = three_joints(4)
    lifted = np.full_like(joints, np.nan)
    lifted[2] = joints[2] + [0, 3, 4]
    off = np.zeros((4, 3))
    off[0], off[1, 2], off[2, 0] = 6, 12, 20
    optimized = joints.copy()
    optimized[..., 0] += off
    info = {"revision": session.revision}
    session.put_result(StageResult("lift", lifted, {}, info))
    session.put_result(StageResult("optimize", optimized, {}, {"revision": -1}))
    found = evaluate(session, session.store)
    assert (found["frames"], found["labelled_frames"]) == (4, 0)
    lift, last = found["stages"]["lift"], found["stages"]["optimize"]
    assert lift["mean_mm"] == lift["median_mm"] == pytest.approx(5, abs=1e-4)
    assert lift["frames"] == 1
    assert "propagate" not in found["stages"]
    assert last["mean_mm"] == pytest.approx((18 + 12 + 20) / 12, abs=1e-4)
    assert last["median_mm"] == pytest.approx(0, abs=1e-4)
    assert last["visible_mean_mm"] == pytest.approx((12 + 20) / 8, abs=1e-4)
    assert last["hidden_mean_mm"] == pytest.approx((6 + 12) / 4, abs=1e-4)
    assert last["beyond_10_mm"] == pytest.approx(2 / 12)
    assert last["beyond_17_mm"] == pytest.approx(1 / 12)
    assert last["per_joint_mm"] == pytest.approx({"root": 26 / 4, "mid": 6 / 4, "tip": 18 / 4}, abs=1e-4)
    low, high = last["ci95_mm"]
    assert 0 <= low < last["mean_mm"] < high <= 20
    assert "made from revision -1" in last["stale"]
    assert "stale" not in lift
    assert evaluate(session, session.store)["stages"] == found["stages"]


def test_the_starts_of_propagation_are_measured_too(session):
    joints = three_joints(4)
    numbers = {"copied_mm": joints + np.float32([9, 0, 0]), "flowed_mm": joints + np.float32([0, 0, 7])}
    session.put_result(StageResult("propagate", joints, numbers, {"revision": 0}))
    found = evaluate(session, session.store)["stages"]["propagate"]
    assert found["mean_mm"] == pytest.approx(0, abs=1e-4)
    assert found["closest_reference"]["mean_mm"] == pytest.approx(9, abs=1e-4)
    assert found["flow"]["mean_mm"] == pytest.approx(7, abs=1e-4)


def test_what_cannot_be_measured(session, tmp_path):
    with pytest.raises(SolveError, match="is not solved, wanted at least one stage"):
        evaluate(session, session.store)
    other = write_sequence(tmp_path / "b.zarr", count=4, skeleton=OTHER, joints_mm=three_joints(4))
    with pytest.raises(StoreError, match="has other joints"):
        evaluate(session, DepthStore(other))
