"""Results are out of date where labels or bones differ from those that they were made from, and nowhere else."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from labelled_sequence import write_sequence

from refiner.annotate.sessions.labels import FrameLabels
from refiner.annotate.sessions.results import StageResult
from refiner.annotate.sessions.session import Session

BONES = (np.nan, 50.0, 30.0)


@pytest.fixture
def session():
    write_sequence("a.zarr")
    with Session.create("s", "a.zarr", BONES) as made:
        made.put_labels([labels(0), labels(3, nearer=((0, 1), (1, 2)))], "anna")
        yield made


def labels(frame, at=5.25, nearer=(), flag=(2, 2, 1)):
    uv_px = np.array([[at, at + 1], [12, 13], [20, 21]], dtype=np.float64)
    return FrameLabels(frame, uv_px, np.array(flag, np.int8), nearer)


def solve(session):
    joints_mm = np.ones((session.frames, 3, 3), np.float32)
    session.put_result(StageResult("lift", joints_mm, {}, {**session.origin._asdict(), "seconds": 1.0}))


@pytest.fixture
def solved(session):
    solve(session)
    return session


def test_a_pose_that_is_looked_at_and_taken_back_changes_nothing(solved):
    before = solved.origin
    solved.put_labels([labels(2)], "anna", "pose of frame 2")
    assert solved.stale("lift") == "made from revision 1, and the labels and bones are at 2"
    solved.undo("anna")
    assert solved.revision == before.revision + 2
    assert solved.origin.fingerprint == before.fingerprint
    assert solved.stale("lift") is None


def test_undo_and_redo_end_where_they_began(solved):
    solved.undo("anna")
    assert "made from revision 1" in solved.stale("lift")
    solved.redo("anna")
    assert solved.stale("lift") is None


def test_the_sessions_own_labels_may_be_imported_again(solved):
    half = [replace(one, uv_px=one.uv_px + 0.5 - 0.5) for one in solved.all_labels()]
    half[1].uv_px[0, 0] = np.nextafter(half[1].uv_px[0, 0], 0)  # what halves cost
    solved.put_labels([replace(one, nearer=one.nearer[::-1]) for one in half], "ben", "import labels.json")
    assert solved.stale("lift") is None


def test_bones_that_are_set_again_are_the_same(solved):
    solved.set_bones(BONES)
    assert solved.stale("lift") is None
    solved.set_bones((np.nan, 50, 31))
    assert "made from revision 1" in solved.stale("lift")
    solved.set_bones(BONES)
    assert solved.stale("lift") is None


def test_checks_do_not_count(solved):
    solved.checks.put(2, "anna", np.ones((3, 3)))
    assert solved.stale("lift") is None
    solved.undo("anna")
    solved.redo("anna")
    solved.checks.remove(2, "anna")
    assert solved.stale("lift") is None


@pytest.mark.parametrize(
    "other",
    [
        labels(0, at=5.26), labels(0, flag=(1, 2, 1)), labels(0, flag=(2, 2, 0)), labels(0, nearer=((0, 1),)),
        labels(1),
    ],
)  # fmt: skip
def test_any_other_label_puts_it_out_of_date(solved, other):
    solved.put_labels([other], "anna")
    assert "the labels and bones are at 2" in solved.stale("lift")
    solved.undo("anna")
    assert solved.stale("lift") is None


def test_deleted_labels_are_none(solved):
    solved.delete_labels(3, "anna")
    assert solved.stale("lift") is not None
    solve(solved)
    solved.put_labels([labels(3)], "anna")
    solved.delete_labels(3, "anna")
    assert solved.stale("lift") is None


def test_labels_of_one_frame_are_not_those_of_another(session):
    session.delete_labels(3, "anna")
    first = session.origin
    session.put_labels([labels(4)], "anna")
    session.delete_labels(0, "anna")
    assert session.labels(4) is not None
    assert session.origin.fingerprint != first.fingerprint


def test_results_of_older_versions_are_judged_by_their_revision(session):
    """They have no fingerprint: any change, be it taken back, asks for a new solve, as it did then."""
    joints_mm = np.ones((session.frames, 3, 3), np.float32)
    session.put_result(StageResult("lift", joints_mm, {}, {"revision": session.revision, "seconds": 1.0}))
    assert session.stale("lift") is None
    session.undo("anna")
    session.redo("anna")
    assert session.stale("lift") == "made from revision 1, and the labels and bones are at 3"


def test_what_others_do_is_seen(solved):
    with Session("s") as other:
        assert other.origin == solved.origin
        other.put_labels([labels(5)], "ben")
        assert solved.stale("lift") is not None
        other.undo("ben")
        assert solved.stale("lift") is None
        assert other.origin == solved.origin


def test_an_origin_is_of_one_moment(solved):
    with Session("s") as other, solved.reading():
        before = solved.origin
        other.put_labels([labels(5)], "ben")
        assert solved.origin == before
        assert (solved.revision, solved.labelled_frames()) == (before.revision, [0, 3])
    assert solved.origin.revision == before.revision + 1


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(st.sampled_from(["put", "undo", "redo", "delete"]), max_size=8))
def test_equal_labels_have_equal_fingerprints_however_they_came_to_be(session, steps):
    for number, step in enumerate(steps):
        if step == "put":
            session.put_labels([labels(1, at=5 + number % 3)], "anna")
        elif step == "delete":
            session.delete_labels(1, "anna")
        else:
            getattr(session, step)("anna")
    shown = session.all_labels()
    with Session("s") as other:  # one that has read nothing before
        assert other.origin == session.origin
    fingerprint = session.origin.fingerprint
    session.put_labels(shown, "ben")
    assert session.origin.fingerprint == fingerprint
