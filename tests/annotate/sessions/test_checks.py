"""Frames that were found right stay so as long as their joints stay."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from labelled_sequence import three_joints, write_sequence

from refiner.annotate.sessions.session import Session

FRAMES = 4
NAN = np.nan


@pytest.fixture
def session():
    write_sequence("a.zarr", count=FRAMES)
    with Session.create("s", "a.zarr") as made:
        yield made


def moved(by_mm, frame=1, joint=2, axis=0):
    joints_mm = three_joints(FRAMES).astype(np.float64)
    joints_mm[frame, joint, axis] += by_mm
    return joints_mm


def test_checks_come_back_as_they_were(session):
    seen_mm = np.float32([[0.1, -1 / 3, 700], [1e-3, 40, 712.345], [30, 16, 718]])
    session.checks.put(np.int64(2), "ben", seen_mm)
    session.checks.put(0, "anna", moved(0)[0])
    with Session("s") as again:
        first, second = again.checks.all()
    assert [(one.frame, one.who) for one in (first, second)] == [(0, "anna"), (2, "ben")]
    np.testing.assert_array_equal(second.joints_mm, seen_mm)
    assert timedelta(0) <= datetime.now(UTC) - datetime.fromisoformat(first.when) < timedelta(minutes=1)


def test_who_looked_last_counts(session):
    session.checks.put(1, "anna", moved(0)[1])
    session.checks.put(1, "ben", moved(9)[1])
    assert [one.who for one in session.checks.all()] == ["ben"]
    assert session.checks.holding(moved(0)) == {}
    assert session.checks.holding(moved(9))[1].who == "ben"


def test_every_change_has_a_number(session):
    checks = session.checks
    assert checks.revision == 0
    checks.put(1, "anna", moved(0)[1])
    checks.put(1, "anna", moved(0)[1])
    with Session("s") as other:
        other.checks.remove(1, "anna")
        other.checks.remove(1, "anna")  # nothing there, nothing done
    assert (checks.revision, checks.all(), session.revision) == (3, [], 0)


@pytest.mark.parametrize(("by_mm", "holds"), [(0, True), (5, True), (-5, True), (5.01, False), (NAN, False)])
@pytest.mark.parametrize(("joint", "axis"), [(0, 0), (2, 2)])
def test_a_check_holds_within_5_mm_of_every_joint(session, by_mm, holds, joint, axis):
    session.checks.put(1, "anna", moved(0)[1])
    session.checks.put(3, "anna", moved(0)[3])
    found = session.checks.holding(moved(by_mm, joint=joint, axis=axis))
    assert list(found) == ([1, 3] if holds else [3])


def test_way_is_measured_in_space(session):
    session.checks.put(1, "anna", moved(0)[1])
    joints_mm = moved(3)
    joints_mm[1, 2, 1] += 4  # 3, 4: 5 mm
    assert list(session.checks.holding(joints_mm)) == [1]
    joints_mm[1, 2, 2] += 1
    assert session.checks.holding(joints_mm) == {}


def test_what_is_not_solved_any_more_or_has_other_joints_is_not_checked(session):
    session.checks.put(1, "anna", moved(0)[1])
    session.checks.put(2, "anna", moved(NAN, frame=2)[2])
    assert list(session.checks.holding(moved(0))) == [1]
    assert session.checks.holding(np.full((FRAMES, 3, 3), NAN)) == {}
    assert session.checks.holding(np.zeros((FRAMES, 21, 3))) == {}
    assert session.checks.holding(moved(0)[:1]) == {}
    assert session.checks.holding(np.zeros((0, 3, 3))) == {}
