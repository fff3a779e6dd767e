"""States of frames, and the pace of a person, by hand."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from refiner.annotate.desk.overview import CHECKED, CHOSEN, DOUBT, LABELLED, PARTLY, SOLVED, pace_of, states_of
from refiner.annotate.sessions.history import Change

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def test_each_state_has_a_bit():
    labelled = np.array([True, False, False, False, False])
    solved = np.array([True, True, True, False, True])
    doubt = np.array([False, False, True, False, False])
    states = states_of(labelled, [0], [0, 3], {1: "a check"}, solved, doubt)
    assert states.dtype == np.uint8
    assert states.tolist() == [LABELLED | SOLVED | CHOSEN | PARTLY, SOLVED | CHECKED, SOLVED | DOUBT, CHOSEN, SOLVED]


def test_states_of_a_new_session_are_nothing():
    assert states_of(np.zeros(3, bool), [], [], {}, np.zeros(3, bool), np.zeros(3, bool)).tolist() == [0, 0, 0]


def changes(*steps):
    """Of (frame, seconds after noon), and more where it is not anna's or not an edit of its own, the newest first."""
    found = []
    for number, (frame, at_s, *more) in enumerate(steps, start=1):
        who, edit = (*more, *("anna", number)[len(more) :])
        found.append(Change(frame, edit, who, (NOON + timedelta(seconds=at_s)).isoformat(timespec="milliseconds")))
    return found[::-1]


def test_pace_of_even_work():
    # Two frames, of four clicks of 5 s each: 20 s a frame, though only seven gaps are seen.
    assert pace_of(changes(*[(k // 4, 5 * k) for k in range(8)]), "anna").seconds_per_frame == pytest.approx(20)
    assert pace_of(changes(*[(k // 4, 5 * k) for k in range(8)]), "anna").frames == 2


def test_breaks_are_no_work():
    hour = 3600
    one_run = [(0, 0), (0, 10), (1, 20), (1, 30)]
    two_runs = [*one_run, (2, hour), (2, hour + 10), (3, hour + 20), (3, hour + 30)]
    assert pace_of(changes(*one_run), "anna").seconds_per_frame == pytest.approx(20)
    assert pace_of(changes(*two_runs), "anna").seconds_per_frame == pytest.approx(20)
    assert pace_of(changes((0, 0), (1, 180)), "anna").seconds_per_frame == pytest.approx(180)
    assert pace_of(changes((0, 0), (1, 180.001)), "anna").seconds_per_frame is None


def test_the_work_of_others_is_theirs():
    mixed = changes((0, 0), (5, 3, "ben"), (1, 10), (6, 12, "ben"))
    assert pace_of(mixed, "anna").seconds_per_frame == pytest.approx(10)
    assert pace_of(mixed, "ben").seconds_per_frame == pytest.approx(9)


def test_edits_of_many_frames_are_no_work_by_hand():
    file = [(frame, 11.5, "anna", 77) for frame in range(50)]
    pace = pace_of(changes((0, 0), (1, 10), *file, (2, 20)), "anna")
    assert (pace.frames, pace.seconds_per_frame) == (3, pytest.approx(10))
    twice = changes((0, 0), (1, 10), (1, 20, "anna", 2))  # one edit of one frame, taken back and made again
    assert pace_of(twice, "anna").seconds_per_frame == pytest.approx(10)


LABELLED_FRAMES = [(k // 4, 5 * k) for k in range(12)]  # three frames of 20 s


def pace_after(*more):
    return pace_of(changes(*LABELLED_FRAMES, *more), "anna")


def test_undo_and_redo_are_no_labelling():
    to_nothing, again = (2, 65, "anna", 11), (2, 70, "anna", 12)  # the last click goes, and comes back
    assert pace_after(to_nothing, again).seconds_per_frame == pytest.approx(20)
    assert pace_after(*[to_nothing, again] * 9).seconds_per_frame == pytest.approx(20)


def test_poses_that_are_looked_at_and_taken_back_count_for_nothing():
    looked = [((7 + k, 70 + 20 * k, "anna", 90 + k), (7 + k, 80 + 20 * k, "anna", None)) for k in range(6)]
    pace = pace_after(*sum(looked, ()))
    assert (pace.frames, pace.seconds_per_frame) == (3, pytest.approx(20))


def test_a_long_look_does_not_change_the_pace():
    idle = [(3, 200 + 5 * k) for k in range(4)]  # 145 s before the first click
    after = [(4, 220 + 5 * k) for k in range(4)]
    assert pace_after(*idle, *after).seconds_per_frame == pytest.approx(20)


def test_a_mistake_that_is_mended_is_work():
    # A wrong click at 10 s, taken back at 12 s; the right one at 15 s.
    mended = [(0, 0), (0, 5), (0, 10), (0, 12, "anna", 2), (0, 15), (1, 20), (1, 25), (1, 30)]
    assert pace_of(changes(*mended), "anna").seconds_per_frame == pytest.approx((15 / 2 * 3 + 15) / 2)


@pytest.mark.parametrize("steps", [[], [(0, 0)], [(0, 0), (0, 10)], [(0, 0), (1, 0)]])
def test_too_little_tells_no_pace(steps):
    pace = pace_of(changes(*steps), "anna")
    assert (pace.frames, pace.seconds_per_frame) == (len({frame for frame, _ in steps}), None)


def test_a_clock_that_was_set_back_takes_no_work_away():
    assert pace_of(changes((0, 0), (1, 10), (2, -3600), (3, -3590)), "anna").seconds_per_frame == pytest.approx(10)
