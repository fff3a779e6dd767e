import shutil
import subprocess
import sys
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from killing import ENVIRONMENT
from labelled_sequence import write_sequence

from refiner.annotate.sessions.history import Shown, as_text, from_text
from refiner.annotate.sessions.labels import FrameLabels
from refiner.annotate.sessions.session import Session

FRAMES = 3


@pytest.fixture
def session():
    write_sequence("a.zarr", count=FRAMES)
    with Session.create("s", "a.zarr") as made:
        yield made


def at(frame, u):
    return FrameLabels(frame, np.full((3, 2), float(u)), np.array([2, 1, 2], np.int8), ((2, 0),))


def shown(session):
    """What each frame shows, as the number that `at` was given."""
    return {one.frame: int(one.uv_px[0, 0]) for one in session.all_labels()}


def test_labels_come_back_as_they_were(session):
    uv_px = np.array([(0.1 + 0.2, 1 / 3), (99.0, 99.0), (31.5, -0.5)])
    session.put_labels([FrameLabels(1, uv_px, np.array([2, 0, 1], np.int8), ((0, 2),))], "anna")
    found = session.labels(1)
    np.testing.assert_array_equal(found.uv_px, [uv_px[0], (np.nan, np.nan), uv_px[2]])  # absent: no pixel
    np.testing.assert_array_equal(found.flag, [2, 0, 1])
    assert (found.frame, found.nearer, found.flag.dtype) == (1, ((0, 2),), np.int8)
    assert [one.frame for one in session.all_labels()] == session.labelled_frames() == [1]


@given(st.lists(st.tuples(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6), st.integers(0, 2)), min_size=1, max_size=5))
def test_text_holds_the_same_numbers(clicks):
    uv_px, flag = np.array([c[:2] for c in clicks]), np.array([c[2] for c in clicks], np.int8)
    found = from_text(3, as_text(FrameLabels(np.int64(3), uv_px, flag, ((np.int64(0), 1),))))
    np.testing.assert_array_equal(found.uv_px, np.where(flag[:, None] > 0, uv_px, np.nan))
    np.testing.assert_array_equal(found.flag, flag)
    assert (found.frame, found.nearer) == (3, ((0, 1),))


def test_every_change_stays_in_the_history(session):
    session.put_labels([at(0, 1), at(1, 1)], "anna", "first")
    session.put_labels([at(0, 2)], "ben", "better")
    session.delete_labels(0, "anna")
    session.delete_labels(0, "anna")  # nothing there, nothing done
    assert session.undo("anna") == 0
    assert session.undo("ben") == 0
    edits = session.history(0)
    assert [(edit.who, edit.note, edit.labels and int(edit.labels.uv_px[0, 0])) for edit in edits] == [
        ("anna", "first", 1),
        ("ben", "better", 2),
        ("anna", "deleted", None),
        ("anna", "undo: deleted", 2),
        ("ben", "undo: better", 1),
    ]
    times = [datetime.fromisoformat(edit.when) for edit in edits]
    assert times == sorted(times)
    assert timedelta(0) <= datetime.now(UTC) - times[0] < timedelta(minutes=1)
    assert len(session.history(1)) == 1
    assert session.history(2) == []
    assert session.revision == 5
    assert session.edits.authors() == {"anna": 2}


def test_an_edit_of_many_frames_is_taken_back_at_once(session):
    session.put_labels([at(1, 1)], "anna")
    session.put_labels([at(2, 2), at(0, 2), at(1, 2)], "anna", "import")
    assert session.undo("anna") == 0
    assert shown(session) == {1: 1}
    assert session.edits.redo("anna") == [0, 1, 2]
    assert shown(session) == {0: 2, 1: 2, 2: 2}


def test_way_back_and_forth_survive_a_restart(session):
    for u in (1, 2, 3):
        session.put_labels([at(0, u)], "anna")
    session.undo("anna")
    session.close()
    with Session("s") as again:
        assert again.undo("anna") == 0
        assert shown(again) == {0: 1}
    with Session("s") as again:
        assert (again.redo("anna"), again.redo("anna"), again.redo("anna")) == (0, 0, None)
        assert shown(again) == {0: 3}
        again.undo("anna")
        again.put_labels([at(1, 7)], "anna")
        assert again.redo("anna") is None  # a new edit ends the branch
        assert shown(again) == {0: 2, 1: 7}


def test_nobody_takes_back_the_work_of_others(session):
    session.put_labels([at(0, 1), at(1, 1)], "anna")
    session.put_labels([at(1, 2)], "ben")
    assert session.edits.undo("anna") == [0]
    assert shown(session) == {1: 2}
    assert session.undo("anna") is None
    session.put_labels([at(2, 2)], "ben")  # and does not end the way forth of others
    assert session.edits.redo("anna") == [0]
    assert shown(session) == {0: 1, 1: 2, 2: 2}
    assert (session.undo("ben"), session.undo("ben")) == (2, 1)
    assert shown(session) == {0: 1, 1: 1}
    assert session.undo("carl") is None
    assert session.redo("carl") is None


def test_a_frame_changed_by_another_since_is_not_redone(session):
    session.put_labels([at(0, 1)], "anna")
    session.put_labels([at(0, 2), at(1, 2)], "anna")
    session.undo("anna")
    session.put_labels([at(0, 3)], "ben")
    assert session.edits.redo("anna") == [1]
    assert shown(session) == {0: 3, 1: 2}


def test_nothing_done_is_no_revision(session):
    assert (session.undo("anna"), session.redo("anna"), session.revision) == (None, None, 0)


changes = st.dictionaries(st.integers(0, FRAMES - 1), st.integers(0, 31), min_size=1)


class OnePerson(RuleBasedStateMachine):
    """Edits of one person, beside a list of what was shown after each."""

    @initialize()
    def make(self):
        self.folder = Path(tempfile.mkdtemp())
        write_sequence(self.folder / "a.zarr", count=FRAMES)
        self.session = Session.create(self.folder / "s", self.folder / "a.zarr")
        self.states, self.place = [{}], 0

    def _edited(self, state):
        self.states = [*self.states[: self.place + 1], state]
        self.place += 1

    @rule(change=changes)
    def put(self, change):
        self.session.put_labels([at(frame, u) for frame, u in change.items()], "anna")
        self._edited(self.states[self.place] | change)

    @rule(frame=st.integers(0, FRAMES - 1))
    def delete(self, frame):
        self.session.delete_labels(frame, "anna")
        now = self.states[self.place]
        if frame in now:
            self._edited({key: u for key, u in now.items() if key != frame})

    @rule()
    def undo(self):
        assert (self.session.undo("anna") is not None) == (self.place > 0)
        self.place = max(self.place - 1, 0)

    @rule()
    def redo(self):
        assert (self.session.redo("anna") is not None) == (self.place < len(self.states) - 1)
        self.place = min(self.place + 1, len(self.states) - 1)

    @rule()
    def open_again(self):
        self.session.close()
        self.session = Session(self.folder / "s")

    @invariant()
    def shows_what_it_should(self):
        if hasattr(self, "session"):
            assert shown(self.session) == self.states[self.place]

    def teardown(self):
        if hasattr(self, "session"):
            self.session.close()
            shutil.rmtree(self.folder)


TestOnePerson = OnePerson.TestCase
TestOnePerson.settings = settings(max_examples=25, stateful_step_count=20, deadline=None)

steps = st.tuples(st.sampled_from(["anna", "ben"]), st.one_of(changes, st.sampled_from(["undo", "redo"])))


TWICE = [("ben", {0: 0, 1: 0}), ("anna", {0: 0}), ("ben", "undo"), ("anna", "undo"), ("ben", "undo")]
"""One edit taken back in two steps, as another lay upon part of it."""


@given(st.lists(steps, max_size=12))
@example(TWICE)
@settings(max_examples=40, deadline=None)
def test_two_people_do_not_disturb_each_other(tmp_path_factory, done):
    folder = tmp_path_factory.mktemp("two")
    write_sequence(folder / "a.zarr", count=FRAMES)
    with Session.create(folder / "s", folder / "a.zarr") as session:
        for who, step in done:
            before = shown(session)
            if step == "undo":
                changed = session.edits.undo(who)
                after = shown(session)
                assert all(before.get(frame) == after.get(frame) for frame in range(FRAMES) if frame not in changed)
                if changed:  # back and forth again is where it was
                    assert session.edits.redo(who) == changed
                    assert shown(session) == before
                    assert session.edits.undo(who) == changed
                    assert shown(session) == after
            elif step == "redo":
                session.redo(who)
            else:
                session.put_labels([at(frame, u) for frame, u in step.items()], who)
                assert shown(session) == before | step


def told(found):
    return found.edit, found.who, found.labels and int(found.labels.uv_px[0, 0])


def test_what_is_shown_follows_edits_and_the_way_back(session):
    edits = session.edits
    assert (told(edits.shown(0)), edits.shown(0).when, edits.last_author(0)) == ((None, "", None), "", "")
    session.put_labels([at(0, 1), at(1, 1)], "anna")
    session.put_labels([at(0, 2)], "ben")
    session.delete_labels(0, "carl")
    assert told(edits.shown(0)) == (3, "carl", None)
    assert told(edits.shown(1)) == (1, "anna", 1)
    session.undo("carl")
    assert (told(edits.shown(0)), edits.last_author(0)) == ((2, "ben", 2), "carl")
    session.undo("ben")
    assert (told(edits.shown(0)), edits.last_author(0)) == ((1, "anna", 1), "ben")
    assert edits.shown(0).when == session.history(0)[-1].when >= session.history(0)[-2].when
    session.redo("ben")
    assert told(edits.shown(0)) == (2, "ben", 2)
    session.undo("ben"), session.undo("anna")
    assert (told(edits.shown(0)), told(edits.shown(1)), edits.last_author(0)) == (*[told(Shown())] * 2, "anna")
    session.redo("anna")
    assert told(edits.shown(1)) == (1, "anna", 1)


def test_a_version_is_what_an_edit_made(session):
    session.put_labels([at(0, 1), at(1, 1)], "anna")
    session.put_labels([at(0, 2)], "ben")
    session.delete_labels(0, "ben")
    session.undo("ben")
    found = {edit: session.edits.version(0, edit) for edit in (1, 2, 3, 4)}
    assert {edit: labels and int(labels.uv_px[0, 0]) for edit, labels in found.items()} == {
        1: 1,
        2: 2,
        3: None,
        4: None,
    }
    assert session.edits.version(1, 2) is None  # that edit was of another frame


def test_the_newest_changes_come_first(session):
    assert session.edits.latest(5) == []
    session.put_labels([at(1, 1), at(0, 1)], "anna")
    session.put_labels([at(0, 2)], "ben")
    session.undo("ben")
    session.undo("anna")
    found = [(one.frame, one.edit, one.who) for one in session.edits.latest(9)]
    assert found == [
        (1, None, "anna"), (0, None, "anna"), (0, 1, "ben"), (0, 2, "ben"), (0, 1, "anna"), (1, 1, "anna"),
    ]  # fmt: skip
    assert [one.frame for one in session.edits.latest(2)] == [1, 0]
    assert session.edits.latest(1)[0].when == session.history(1)[-1].when


def test_a_change_depends_on_what_is_shown(session):
    met = []

    def more(found):
        met.append(told(found))
        return at(0, met[-1][2] + 1 if met[-1][2] is not None else 1)

    assert session.edits.change(0, more, "anna", "a").uv_px[0, 0] == 1
    assert session.edits.change(0, more, "ben", "b").uv_px[0, 0] == 2
    assert met == [(None, "", None), (1, "anna", 1)]
    assert session.edits.change(0, lambda found: None, "ben", "c") is None  # noqa: ARG005
    assert (session.labelled_frames(), session.revision) == ([], 3)
    assert [edit.note for edit in session.history(0)] == ["a", "b", "c"]
    assert session.undo("ben") == 0
    assert shown(session) == {0: 2}


def test_no_change_is_no_edit(session):
    session.edits.change(1, lambda found: found.labels, "anna", "")  # nothing stays nothing
    session.put_labels([at(0, 1)], "anna")
    session.undo("anna")
    session.edits.change(1, lambda found: None, "anna", "")  # noqa: ARG005
    assert session.redo("anna") == 0  # nor does it end the way forth
    session.edits.change(0, lambda found: at(0, 1), "ben", "")  # noqa: ARG005
    assert (session.edits.shown(0).who, session.revision) == ("anna", 3)


def test_a_change_that_fails_is_none(session):
    session.put_labels([at(0, 1)], "anna")

    def fail(found):
        raise ArithmeticError(found.who)

    with pytest.raises(ArithmeticError, match="anna"):
        session.edits.change(0, fail, "ben", "")
    assert (shown(session), session.revision) == ({0: 1}, 1)
    session.put_labels([at(0, 2)], "ben")
    assert session.revision == 2


COUNT = """
import sys, threading
import numpy as np
from refiner.annotate.sessions.labels import FrameLabels
from refiner.annotate.sessions.session import Session

def more(found):
    u = 0.0 if found.labels is None else found.labels.uv_px[0, 0] + 0.25
    return FrameLabels(0, np.full((3, 2), u), np.full(3, 2, np.int8))

def count(session, who):
    for _ in range(10):
        session.edits.change(0, more, who, "")

with Session("s") as session:
    sys.stdin.readline()
    threads = [threading.Thread(target=count, args=(session, f"{sys.argv[1]}{k}")) for k in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
"""


def test_no_change_is_lost_between_threads_and_processes(session):
    """Each adds a quarter of a pixel to what is there: 3 processes, of 3 threads, 10 times."""
    how = {"env": ENVIRONMENT, "stdin": subprocess.PIPE, "text": True}
    processes = [subprocess.Popen([sys.executable, "-c", COUNT, who], **how) for who in "abc"]
    for process in processes:
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in processes:
        process.communicate(timeout=60)
        assert process.returncode == 0
    assert session.labels(0).uv_px[0, 0] == 89 / 4
    edits = session.history(0)
    assert [float(edit.labels.uv_px[0, 0]) for edit in edits] == [k / 4 for k in range(90)]
    assert sorted({edit.who for edit in edits}) == [f"{who}{k}" for who in "abc" for k in range(3)]
