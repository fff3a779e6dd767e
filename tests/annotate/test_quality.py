"""Doubts: the sum of what speaks against joints, and which frame to look at."""

import numpy as np
import pytest
from labelled_sequence import write_sequence

from refiner.annotate import quality
from refiner.annotate.quality import doubtful, doubtful_of, doubts, evidence_of, most_helpful, next_frames, not_believed
from refiner.annotate.sessions.labels import FrameLabels
from refiner.annotate.sessions.results import StageResult
from refiner.annotate.sessions.session import Session
from refiner.errors import SolveError

FRAMES = 6
OPTIONS = {"descriptor": "hog", "seed": 0}


@pytest.fixture
def session(tmp_path):
    write_sequence(tmp_path / "a.zarr", count=FRAMES)
    with Session.create(tmp_path / "s", tmp_path / "a.zarr", [np.nan, 50, 30]) as session:
        session.put_labels([FrameLabels(0, np.ones((3, 2)), np.full(3, 2, np.int8))], "anna")
        yield session


def put(session, cost=None, **evidence):
    numbers = {name: np.zeros((FRAMES, 3)) for name in quality.LIMITS} | evidence
    numbers["cost"] = np.ones(FRAMES) if cost is None else np.array(cost, float)
    info = {"revision": session.revision, "options": OPTIONS}
    session.put_result(StageResult("optimize", np.zeros((FRAMES, 3, 3), np.float32), numbers, info))


def at(frame, joint, value):
    values = np.zeros((FRAMES, 3))
    values[frame, joint] = value
    return values


def test_the_worst_first_with_what_speaks_most_against_it(session):
    put(session, slack=at(3, 1, 8.0), jump_mm=at(4, 2, 15.0), behind_mm=at(3, 0, 6.0), unlike=at(0, 0, 2.0))
    first, second = doubtful(session, 2)
    assert (first.frame, first.joint, first.doubt) == (4, "tip", 3.0)
    assert first.why == "jumps by 15 mm between frames"
    assert (second.frame, second.joint, second.doubt) == (3, "mid", 2.0)
    total, _ = doubts(session)
    assert total[0].max() == 0  # someone labelled it


def test_what_is_usual_everywhere_is_no_doubt(session):
    put(session, unlike=np.full((FRAMES, 3), 0.8))
    assert all(one.doubt <= 1 for one in doubtful(session, FRAMES))


def test_frames_that_cost_much_are_not_believed(session):
    put(session, cost=[1, 1, 1, 4, 1, 9])
    assert not_believed(session) == [5, 3]


def test_before_a_solve_the_chosen_frames_without_labels_are_next(session):
    session.set_references([4, 0, 2], [0.5, 0.7, 0.9])
    assert next_frames(session, 5) == [4, 2]


def test_the_frame_that_brings_most_doubt_nearer_to_labels(session, monkeypatch):
    places = np.array([0.0, 1, 2, 10, 11, 12])
    distances = np.abs(places[:, None] - places).astype(np.float32)
    monkeypatch.setattr(quality, "distances_of", lambda *words: distances)  # noqa: ARG005
    monkeypatch.setattr(quality, "_USUAL", 0.0)  # four joints of eighteen are not usual
    jumps = np.zeros((FRAMES, 3))
    jumps[3:, 0], jumps[1, 0] = 20.0, 30.0
    put(session, jump_mm=jumps)
    assert next_frames(session) == [4]  # in the middle of three, though another is worse alone
    assert next_frames(session, 2) == [4, 1]


def test_help_is_worked_out_by_hand():
    distances = np.array([[0, 4, 4], [4, 0, 1], [4, 1, 0]], np.float32)
    # Labelled: 0. Frame 1 helps itself 1 x 2 and 2 by 3/4 x 3; frame 2 helps itself 3 and 1 by 3/4 x 2.
    assert most_helpful(distances, [0], np.array([9.0, 2, 3]), 3) == [2, 1]
    assert most_helpful(distances, [0], np.zeros(3), 3) == []


def test_nothing_solved_is_said(session):
    with pytest.raises(SolveError, match="is not solved, wanted a whole solve"):
        next_frames(session)
    put(session)
    session.put_labels([FrameLabels(1, np.ones((3, 2)), np.full(3, 2, np.int8))], "anna")
    with pytest.raises(SolveError, match="out of date"):
        doubtful(session, 1)


def test_frames_found_right_are_in_doubt_no_more(session):
    put(session, cost=[1, 1, 1, 4, 1, 9], slack=at(3, 1, 8.0), jump_mm=at(4, 2, 12.0))
    assert [one.frame for one in doubtful(session, FRAMES)] == [5, 4, 3, 1, 2]
    session.checks.put(4, "anna", np.full((3, 3), 2.0))  # 3.5 mm from what is solved
    session.checks.put(5, "anna", np.zeros((3, 3)))
    session.checks.put(3, "anna", np.full((3, 3), 3.0))  # 5.2 mm
    assert [one.frame for one in doubtful(session, FRAMES)] == [3, 1, 2]
    assert not_believed(session) == [3]
    total, parts = doubts(session)
    for values in (total, *parts.values()):
        assert values[[0, 4, 5]].max() == 0
    assert total[3, 1] == parts["slack"][3, 1] == 2
    session.checks.remove(4, "anna")
    assert [one.frame for one in doubtful(session, FRAMES)] == [4, 3, 1, 2]


def test_evidence_is_of_all_frames(session):
    put(session, cost=[1, 1, 1, 6, 1, 1], unlike=at(0, 0, 0.2))
    total, parts = evidence_of(session.result("optimize"))
    np.testing.assert_allclose(total[0], [2, 1 / 3, 1 / 3])  # somebody has labelled it
    np.testing.assert_allclose(total[3], 2)
    np.testing.assert_allclose(parts["unlike"][0], [2, 0, 0])
    assert parts.keys() == {*quality.LIMITS, "cost"}


def test_doubtful_joints_of_a_result(session):
    put(session, cost=[1, 1, 1, 6, 1, 1], unlike=at(0, 0, 0.2), jump_mm=at(4, 2, 15.0), slack=at(2, 1, 4.0))
    result, names = session.result("optimize"), session.skeleton.joints

    def found(sure, limit, **how):
        return [(one.frame, one.joint) for one in doubtful_of(result, names, sure, limit, **how)]

    assert found((), 9) == [(4, "tip"), (0, "root"), (3, "root")]  # a doubt of 1 is none
    assert found((4,), 9) == [(0, "root"), (3, "root")]
    assert found((0, 4), 1) == [(3, "root")]
    assert found((), 9, least=2.5) == [(4, "tip")]
    assert found((), 9, least=0.5) == [(4, "tip"), (0, "root"), (3, "root"), (2, "mid")]
    assert found(range(FRAMES), 9, least=0.0) == []
