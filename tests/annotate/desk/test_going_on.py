"""Which frame comes next."""

import numpy as np
import pytest
from desk_cases import clicks, in_doubt, make_session, put_result, solved_mm
from hypothesis import given
from hypothesis import strategies as st

from refiner.annotate.desk import desk as desk_module
from refiner.annotate.desk import solved as solved_module
from refiner.annotate.desk.desk import Desk
from refiner.annotate.desk.going_on import _after, how_it_goes, next_frame
from refiner.annotate.plausible.doubts import LabelDoubt

ONE = {0: (5, 5)}


@pytest.fixture
def desk(tmp_path, monkeypatch):
    monkeypatch.setattr(desk_module, "label_doubts", lambda session: [])  # noqa: ARG005
    monkeypatch.setattr(solved_module, "WORST", 1.0)  # of six frames the worst fifth is one
    with make_session(tmp_path) as session:
        yield Desk(session)


@pytest.mark.parametrize(
    ("frames", "frame", "found"),
    [
        ([5, 9, 2], 5, 9), ([5, 9, 2], 9, 2), ([5, 9, 2], 2, 5), ([5, 9, 2], 7, 5), ([5], 5, None), ([5], 4, 5),
        ([], 5, None), ([5, 9], 9, 5),
    ],
)  # fmt: skip
def test_an_order_begins_again(frames, frame, found):
    assert _after(frames, frame) == found


@given(st.lists(st.integers(0, 20), unique=True, min_size=2))
def test_going_on_comes_to_every_frame_once(frames):
    met, frame = [], frames[0]
    for _ in frames:
        met.append(frame)
        frame = _after(frames, frame)
    assert (met, frame) == (frames, frames[0])


def ways(desk, kind, *frames):
    return [next_frame(desk, kind, frame) for frame in frames]


def test_in_a_new_session_there_is_only_time(desk):
    for kind in ("reference", "doubt", "work", "edited"):
        assert next_frame(desk, kind, 0) is None
    assert ways(desk, "unlabelled", 0, 4, 5) == [1, 5, 0]


def test_references_without_labels_the_most_worth_first(desk):
    desk.session.set_references([4, 1, 3], [0.5, 0.7, 0.9])
    assert ways(desk, "reference", 0, 4, 1, 3) == [4, 1, 3, 4]
    desk.session.put_labels([clicks(1, ONE)], "anna")
    assert ways(desk, "reference", 0, 4, 1, 3) == [4, 3, 4, 4]
    desk.session.put_labels([clicks(4, ONE)], "anna")
    assert ways(desk, "reference", 0, 3) == [3, None]


def test_frames_without_labels_in_order_of_time(desk):
    desk.session.put_labels([clicks(frame, ONE) for frame in (1, 2, 5)], "anna")
    assert ways(desk, "unlabelled", 0, 1, 3, 4, 5) == [3, 3, 4, 0, 0]
    desk.session.put_labels([clicks(frame, ONE) for frame in (0, 3)], "anna")
    assert ways(desk, "unlabelled", 0, 4) == [4, None]
    desk.session.put_labels([clicks(4, ONE)], "anna")
    assert ways(desk, "unlabelled", 0, 4) == [None, None]


def test_doubts_the_worst_first_labels_before_joints(desk, monkeypatch):
    put_result(desk.session, **in_doubt(f1=2, f3=3, f5=1.2))
    assert ways(desk, "doubt", 0, 3, 1, 5) == [3, 1, 5, 3]
    doubts = [
        LabelDoubt(2, "tip", "short"),
        LabelDoubt(4, "mid", "astray", believed=True),
        LabelDoubt(5, None, "mixed"),
    ]
    monkeypatch.setattr(desk_module, "label_doubts", lambda session: doubts)  # noqa: ARG005
    desk.session.put_labels([clicks(2, ONE)], "anna")
    assert ways(desk, "doubt", 0) == [3]  # the labels are judged in idle moments
    desk.judge()
    assert ways(desk, "doubt", 0, 2, 5, 3, 1) == [2, 5, 3, 1, 2]
    desk.check(3, "anna", right=True)
    assert ways(desk, "doubt", 5, 1) == [1, 2]
    moved = solved_mm()
    moved[3, 1] += 4
    put_result(desk.session, joints_mm=moved, **in_doubt(f3=3))
    assert ways(desk, "doubt", 5) == [3]  # it lies elsewhere now


def test_how_it_goes_in_a_line(desk):
    assert how_it_goes(desk, "anna") == ""
    desk.session.set_references([4, 2, 1], [0.5, 0.9, 1.0])
    desk.session.put_labels([clicks(2, ONE)], "anna")
    assert how_it_goes(desk, "anna") == "2 to label"


def test_work_is_a_reference_else_a_doubt(desk):
    put_result(desk.session, **in_doubt(f1=2, f3=3))
    desk.session.set_references([4, 2], [0.5, 0.9])
    assert ways(desk, "work", 0, 4, 2) == [4, 2, 4]
    desk.session.put_labels([clicks(2, ONE)], "anna")
    assert ways(desk, "work", 0, 4) == [4, 3]  # where the last reference is the frame itself, on to the doubts
    desk.session.put_labels([clicks(4, ONE)], "anna")
    assert ways(desk, "work", 0, 3, 1) == [3, 1, 3]


def test_the_newest_change_of_another_frame(desk):
    for frame in (3, 0, 2):
        desk.session.put_labels([clicks(frame, ONE)], "anna")
    assert ways(desk, "edited", 5, 2, 0) == [2, 0, 2]
    desk.session.undo("anna")  # a change of 2
    assert ways(desk, "edited", 5, 2) == [2, 0]
    assert isinstance(next_frame(desk, "edited", np.int64(5)), int)
