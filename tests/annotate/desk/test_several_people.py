"""Several people and threads at one desk: no joint is lost silently."""

import shutil
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from desk_cases import FRAMES, as_dict, clicks, in_doubt, make_session, put_result
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from refiner.annotate.desk.desk import Desk
from refiner.annotate.desk.going_on import next_frame
from refiner.annotate.desk.merging import empty_labels
from refiner.errors import LabelConflictError
from refiner.hand.skeleton import HAND21

pages = st.sampled_from(["anna", "ben"])
places = st.one_of(st.none(), st.tuples(st.sampled_from([5.0, 15.0, 25.0]), st.integers(1, 3), st.integers(1, 2)))


class TwoPages(RuleBasedStateMachine):
    """Two pages of one frame that know of each other only what their last answer said, beside who moved what last."""

    @initialize()
    def make(self):
        self.folder = Path(tempfile.mkdtemp())
        self.session = make_session(self.folder)
        self.desk, self.now = Desk(self.session), {}
        self.seen = {who: (None, empty_labels(0, 3)) for who in ("anna", "ben")}

    def edited(self, who, joint, place, lost=False, force=False):
        base, labels = self.seen[who]
        known, wanted = as_dict(labels), as_dict(labels)
        wanted.pop(joint, None)
        if place is not None:
            wanted[joint] = (*map(float, place[:2]), place[2])
        kept = [pair for pair in labels.nearer if set(pair) <= set(wanted)]
        same = self.now.get(joint) in (known.get(joint), wanted.get(joint)) or wanted == known
        try:
            shown = self.desk.edit(clicks(0, wanted, kept), base, [joint], who, "", force=force)
        except LabelConflictError:
            assert not force
            assert not same  # never where only one has moved it
            self.read(who)
            return
        assert same or force
        if wanted != known:
            self.now = {k: at for k, at in {**self.now, joint: wanted.get(joint)}.items() if at is not None}
        if not lost:
            self.seen[who] = shown.edit, shown.labels or empty_labels(0, 3)

    @rule(who=pages, joint=st.integers(0, 2), place=places, lost=st.booleans())
    def edit(self, who, joint, place, lost):
        """Where the answer is lost, the page goes on from what it knew before."""
        self.edited(who, joint, place, lost=lost)

    @rule(who=pages, joint=st.integers(0, 2), place=places)
    def insist(self, who, joint, place):
        self.edited(who, joint, place, force=True)

    @rule(who=pages)
    def read(self, who):
        shown = self.session.edits.shown(0)
        self.seen[who] = shown.edit, shown.labels or empty_labels(0, 3)

    @rule(who=pages)
    def undo(self, who):
        if self.session.undo(who) is not None:
            shown = self.session.labels(0)
            self.now = {} if shown is None else as_dict(shown)

    @invariant()
    def shows_what_the_last_one_made_of_each_joint(self):
        if hasattr(self, "session"):
            shown = self.session.labels(0) or empty_labels(0, 3)
            assert as_dict(shown) == self.now
            assert all(shown.flag[list(pair)].all() for pair in shown.nearer)

    def teardown(self):
        if hasattr(self, "session"):
            self.session.close()
            shutil.rmtree(self.folder)


TestTwoPages = TwoPages.TestCase
TestTwoPages.settings = settings(max_examples=20, stateful_step_count=20, deadline=None)


def test_threads_that_know_nothing_of_each_other_lose_no_joint(tmp_path):
    with make_session(tmp_path, skeleton=HAND21, bones_mm=None) as session:
        desk, begin = Desk(session), threading.Barrier(7)

        def place(worker):
            begin.wait()
            for joint in range(worker, 21, 7):
                desk.edit(clicks(0, {joint: (joint, 3)}, joints=21), None, [joint], f"w{worker}", "")

        with ThreadPoolExecutor(7) as pool:
            list(pool.map(place, range(7)))
        assert as_dict(session.labels(0)) == {joint: (joint, 3, 2) for joint in range(21)}
        assert session.revision == 21
        assert len({edit.who for edit in session.history(0)}) == 7


def test_of_threads_that_move_one_joint_one_is_let_through(tmp_path):
    with make_session(tmp_path) as session:
        desk, begin = Desk(session), threading.Barrier(6)

        def place(worker):
            begin.wait()
            try:
                desk.edit(clicks(0, {0: (worker, 3)}), None, [0], f"w{worker}", "")
            except LabelConflictError:
                return None
            return worker

        with ThreadPoolExecutor(6) as pool:
            (won,) = [worker for worker in pool.map(place, range(6)) if worker is not None]
        assert as_dict(session.labels(0)) == {0: (won, 3, 2)}
        assert session.revision == 1


def test_what_is_asked_while_others_change_it_is_of_the_end_in_the_end(tmp_path):
    with make_session(tmp_path) as session:
        desk, done = Desk(session), threading.Event()
        put_result(session, **in_doubt(f1=2, f3=3))

        def ask():
            asked = 0
            while not done.is_set() or not asked:
                states = desk.states()
                assert len(states) == FRAMES
                for frame in range(FRAMES):
                    reference = desk.neighbours(frame).reference
                    assert reference is None or reference != frame
                next_frame(desk, "work", 0)
                desk.state(), desk.doubts(), desk.pace("w0")
                asked += 1
            return asked

        def change(worker):
            for k in range(12):
                frame = (worker + k) % FRAMES
                shown = session.edits.shown(frame)
                place = {worker: (float(k), 3)}
                before = {} if shown.labels is None else as_dict(shown.labels)
                desk.edit(clicks(frame, before | place), shown.edit, [worker], f"w{worker}", "", force=True)
                desk.check(frame, f"w{worker}", right=k % 2 == 0)
                if k == 6:
                    put_result(session, **in_doubt(f5=2))

        with ThreadPoolExecutor(6) as pool:
            asking = [pool.submit(ask) for _ in range(3)]
            list(pool.map(change, range(3)))
            done.set()
            assert all(one.result() for one in asking)
        assert desk.checks().keys() == session.checks.holding(desk.solved.joints_mm).keys()
        np.testing.assert_array_equal(desk.standing().labelled, np.isin(np.arange(FRAMES), session.labelled_frames()))
        np.testing.assert_array_equal(desk.states(), Desk(session).states())
