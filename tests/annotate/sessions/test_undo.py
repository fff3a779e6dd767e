"""One way back for labels and for frames that were found right, in the order in which a person did them."""

import numpy as np
import pytest
from labelled_sequence import three_joints, write_sequence

from refiner.annotate.sessions.labels import FrameLabels
from refiner.annotate.sessions.session import Session


@pytest.fixture
def session():
    write_sequence("a.zarr", count=4)
    with Session.create("s", "a.zarr") as made:
        yield made


def label(session, frame, u, who="anna"):
    uv_px = np.array([[u, 5.0], [np.nan, np.nan], [np.nan, np.nan]])
    session.put_labels([FrameLabels(frame, uv_px, np.array([2, 0, 0], np.int8))], who, f"at {u}")


def check(session, frame, who="anna"):
    session.checks.put(frame, who, three_joints(4)[frame])


def held(session):
    """What the session holds: places of labels, and the frames that were found right."""
    return {one.frame: one.uv_px[0, 0] for one in session.all_labels()}, [one.frame for one in session.checks.all()]


def test_labels_and_checks_are_taken_back_in_their_order(session):
    seen = [held(session)]
    for act in (
        lambda: label(session, 0, 1.0),
        lambda: check(session, 2),
        lambda: label(session, 0, 2.0),
        lambda: label(session, 1, 3.0),
        lambda: check(session, 3),
    ):
        act()
        seen.append(held(session))
    for state in seen[-2::-1]:
        with Session("s") as again:  # after a restart, too
            assert len(again.edits.undo("anna")) == 1
        assert held(session) == state
    assert session.edits.undo("anna") == []
    for state in seen[1:]:
        assert len(session.edits.redo("anna")) == 1
        assert held(session) == state
    assert session.edits.redo("anna") == []
    np.testing.assert_array_equal(session.checks.all()[0].joints_mm, three_joints(4)[2])


def test_each_takes_back_their_own(session):
    check(session, 1, "anna")
    check(session, 2, "ben")
    label(session, 3, 1.0, "ben")
    assert session.edits.undo("anna") == [1]
    assert held(session) == ({3: 1.0}, [2])
    assert session.edits.undo("anna") == []


def test_a_check_of_somebody_else_is_not_made_again_over_theirs(session):
    check(session, 1, "anna")
    session.edits.undo("anna")
    check(session, 1, "ben")
    assert session.edits.redo("anna") == []
    assert [one.who for one in session.checks.all()] == ["ben"]


def test_a_new_check_ends_what_could_be_made_again(session):
    label(session, 0, 1.0)
    session.edits.undo("anna")
    check(session, 2)
    assert session.edits.redo("anna") == []
    assert held(session) == ({}, [2])


def test_the_history_of_a_frame_tells_of_checks_but_its_last_edit_does_not(session):
    label(session, 1, 1.0, "ben")
    check(session, 1)
    session.checks.remove(1, "ben")
    check(session, 1)
    session.edits.undo("anna")
    notes = [(one.who, one.note) for one in session.history(1)]
    assert notes == [
        ("ben", "at 1.0"), ("anna", "found right"), ("ben", "not right"), ("anna", "found right"),
        ("anna", "undo: found right"),
    ]  # fmt: skip
    assert session.edits.last_author(1) == "ben"
    assert [one.who for one in session.edits.latest(9)] == ["ben"]


def test_frames_of_which_some_joints_are_labelled(session):
    uv_px = np.array([[1.0, 5.0], [2.0, 5.0], [3.0, 5.0]])
    session.put_labels([FrameLabels(2, uv_px, np.array([2, 1, 2], np.int8))], "anna")
    label(session, 1, 1.0)
    label(session, 3, 1.0)
    session.delete_labels(3, "anna")
    assert session.edits.partly_labelled_frames() == [1]
