"""A whole solve: what each stage leaves, what a correction makes anew, and what a kill cannot take."""

import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from shipped_sequence import error_mm
from shipped_session import FRAMES, REFERENCES, labelled_session

from refiner.annotate.exchange.coco import write_labels
from refiner.annotate.references.likeness import distances_of
from refiner.annotate.sessions.results import STAGES
from refiner.annotate.sessions.session import Session
from refiner.annotate.simulate import labels_of_truth
from refiner.annotate.stages import case
from refiner.annotate.stages.case import Case, Options
from refiner.annotate.stages.solve import solve
from refiner.errors import SessionBusyError, SolveError, UsageError
from refiner.hand.skeleton import HAND21

HOG = Options(descriptor="hog")


@pytest.fixture(scope="module")
def solved(tmp_path_factory):
    """A session whose stages are all solved; tests copy it."""
    path = labelled_session(tmp_path_factory.mktemp("solved"), break_at=12)
    seen = []
    with Session(path) as session:
        solve(session, options=HOG, on_progress=lambda *words: seen.append(words))
    return path, seen


@pytest.fixture
def copy(solved, tmp_path):
    return Path(shutil.copytree(solved[0], tmp_path / "session"))


def joints_of(session, stage):
    return session.result(stage).joints_mm


def test_stages_better_each_other_and_keep_bone_lengths(solved):
    with Session(solved[0]) as session:
        true = session.store.read("joints_mm")
        lifted = joints_of(session, "lift")
        assert np.isfinite(lifted[list(REFERENCES)]).all()
        assert np.isfinite(lifted[:, 0, 0]).sum() == len(REFERENCES)
        assert error_mm(lifted[list(REFERENCES)], true[list(REFERENCES)]) < 3
        copied = session.result("propagate").numbers["copied_mm"]
        errors = [error_mm(found, true) for found in (copied, *(joints_of(session, s) for s in STAGES[1:]))]
        assert errors[0] > errors[1] > 0
        assert errors[2] < min(4, errors[1] + 0.3)
        lengths = HAND21.bone_lengths(joints_of(session, "optimize").astype(float))[:, 1:]
        np.testing.assert_allclose(lengths, np.tile(session.bones_mm[1:], (FRAMES, 1)), atol=1e-3)  # float32
        for stage in STAGES:
            assert session.stale(stage) is None
            assert session.result(stage).info["revision"] == session.revision
            assert session.result(stage).info["options"]["descriptor"] == "hog"
        assert session.result("lift").info["conflicts"] == []


def test_progress_is_told_of_every_stage_to_its_end(solved):
    for stage in STAGES:
        steps = [(done, of) for name, done, of in solved[1] if name == stage]
        assert steps[-1][0] == steps[-1][1] > 0
        assert [done for done, _ in steps] == sorted(done for done, _ in steps)


def test_solved_again_nothing_is_done_anew_and_nothing_changes(copy):
    with Session(copy) as session:
        before = [joints_of(session, stage) for stage in STAGES]
        solve(session, options=HOG)
        for stage, joints in zip(STAGES, before, strict=True):
            assert session.result(stage).info["frames_anew"] == 0
            np.testing.assert_array_equal(joints_of(session, stage), joints)


def test_a_correction_is_followed_as_far_as_it_reaches(copy):
    with Session(copy) as session:
        before = {stage: joints_of(session, stage) for stage in STAGES}
        moved = session.labels(17)
        session.put_labels([replace(moved, uv_px=moved.uv_px + 1.5)], "anna")
        assert "revision" in session.stale("optimize")
        solve(session, options=HOG)
        assert session.result("lift").info["frames_anew"] == 1
        changed = {s: np.flatnonzero((joints_of(session, s) != before[s]).any(axis=(1, 2))) for s in STAGES[1:]}
        neighbour = session.result("propagate").numbers["neighbour"]
        assert 17 in changed["propagate"]
        assert 0 < session.result("propagate").info["frames_anew"] < FRAMES - len(REFERENCES)
        for frame in changed["propagate"]:  # each goes back to the corrected frame
            source = frame
            while neighbour[source] != source:
                source = neighbour[source]
            assert source == 17
        assert changed["optimize"].min() >= 12  # the sequence before the break rests
        assert session.result("optimize").info["frames_anew"] == FRAMES - 12
        assert session.stale("optimize") is None


def test_corrected_labels_end_as_if_they_had_always_been_there(copy, solved):
    with Session(copy) as session:
        true = session.labels(9)
        session.put_labels([replace(true, uv_px=true.uv_px + 4.0)], "anna")
        solve(session, options=HOG)
        session.put_labels([true], "anna")
        solve(session, options=HOG)
        with Session(solved[0]) as first:
            for stage in STAGES:
                np.testing.assert_array_equal(joints_of(session, stage), joints_of(first, stage))


FEW = (1, 4, 7, 10)


def move(session):
    labels = session.labels(10)
    session.put_labels([replace(labels, uv_px=labels.uv_px + 1.5)], "anna")


def label_another(session):
    session.put_labels(labels_of_truth(session.store, [3]), "anna")


def delete(session):
    session.delete_labels(4, "anna")


def take_back(session):
    assert session.undo("berta") == 7


def stretch(session):
    session.set_bones(1.02 * session.bones_mm)


# Of four labelled frames the lift does those anew whose labels are others; the bones are those of all.
CHANGES = [(move, 1), (label_another, 1), (delete, 0), (take_back, 1), (stretch, 4)]


@pytest.fixture(scope="module")
def unsolved(tmp_path_factory):
    """A session in which berta has moved the labels of frame 7; tests copy it."""
    path = labelled_session(tmp_path_factory.mktemp("unsolved"), 12, FEW, break_at=6)
    with Session(path) as session:
        labels = session.labels(7)
        session.put_labels([replace(labels, uv_px=labels.uv_px + 0.5)], "berta")
    return path


@pytest.fixture(scope="module")
def undisturbed(unsolved):
    """What its solve finds when nobody labels meanwhile, and what the next one finds after each change."""
    found = {}
    for change, _ in CHANGES:
        path = Path(shutil.copytree(unsolved, unsolved.parent / change.__name__))
        with Session(path) as session:
            solve(session, options=HOG)
            found["first"] = [joints_of(session, stage) for stage in STAGES]
            change(session)
            solve(session, options=HOG)
            found[change] = [session.result(stage) for stage in STAGES]
    return found


def disturbed(session, path, stage, change, options=HOG):
    """Solve a session; another one makes a change when a stage first says how far it is."""
    seen = []

    def on_progress(name, done, of):
        if name == stage and not seen:
            seen.append(name)
            with Session(path) as other:
                change(other)

    solve(session, options=options, on_progress=on_progress)
    assert seen


@pytest.mark.parametrize(
    ("stage", "change", "lifted"),
    [(stage, *CHANGES[0]) for stage in STAGES] + [("propagate", *change) for change in CHANGES[1:]],
)
def test_what_changes_during_a_solve_is_left_to_the_next_one(stage, change, lifted, unsolved, undisturbed, tmp_path):
    path = Path(shutil.copytree(unsolved, tmp_path / "session"))
    with Session(path) as session:
        began = session.revision
        disturbed(session, path, stage, change)
        for name, joints in zip(STAGES, undisturbed["first"], strict=True):
            assert session.stale(name) == f"made from revision {began}, and the labels and bones are at {began + 1}"
            np.testing.assert_array_equal(joints_of(session, name), joints)
        solve(session, options=HOG)
        assert session.result("lift").info["frames_anew"] == lifted
        for name, wanted in zip(STAGES, undisturbed[change], strict=True):
            assert session.stale(name) is None
            assert session.result(name).info["frames_anew"] == wanted.info["frames_anew"]
            np.testing.assert_array_equal(joints_of(session, name), wanted.joints_mm)


@pytest.mark.parametrize("change", [move, delete])
def test_a_change_during_a_solve_ends_as_if_solved_from_nothing(change, unsolved, tmp_path):
    """Without the hand model: the shape of the hand stays as it was fitted until there are many more labels."""
    plain = replace(HOG, hand_model=False)
    path, new = (Path(shutil.copytree(unsolved, tmp_path / name)) for name in ("session", "new"))
    with Session(path) as session, Session(new) as fresh:
        disturbed(session, path, "propagate", change, plain)
        solve(session, options=plain)
        change(fresh)
        solve(fresh, options=plain)
        for stage in STAGES:
            np.testing.assert_array_equal(joints_of(session, stage), joints_of(fresh, stage))


COMMAND = "import sys; from refiner.cli.main import main; sys.exit(main(sys.argv[1:]))"


def test_another_process_may_import_during_a_solve(unsolved, tmp_path):
    path = Path(shutil.copytree(unsolved, tmp_path / "session"))
    labels = tmp_path / "labels.json"

    def run_import(session):
        write_labels(labels, labels_of_truth(session.store, [3]), HAND21, [""] * 12, session.store.size)
        words = [sys.executable, "-c", COMMAND, "annotate", "import", str(path), str(labels)]
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr

    with Session(path) as session:
        disturbed(session, path, "propagate", run_import)
        assert session.labelled_frames() == sorted([3, *FEW])
        assert all("made from revision" in session.stale(stage) for stage in STAGES)
        assert np.isnan(joints_of(session, "lift")[3]).all()
        solve(session, options=HOG)
        assert np.isfinite(joints_of(session, "lift")[3]).all()


@pytest.mark.parametrize("before", ["origin", "bones_mm", "all_labels"])
def test_labels_bones_and_origin_are_those_of_one_moment(before, unsolved, tmp_path, monkeypatch):
    """Somebody labels a frame and sets the bones just before one of the three is read."""
    path = Path(shutil.copytree(unsolved, tmp_path / "session"))
    read = Session.__dict__[before]
    read = read.fget if isinstance(read, property) else read
    changed = []

    def change_first(session):
        if not changed:
            changed.append(before)
            with Session(path) as other:
                label_another(other)
                stretch(other)
        return read(session)

    with Session(path) as session:
        old = session.revision, session.bones_mm[1], len(FEW)
        new = old[0] + 2, 1.02 * old[1], len(FEW) + 1
        monkeypatch.setattr(Session, before, change_first if before == "all_labels" else property(change_first))
        read_case = Case.of_session(session, HOG, print)
    assert changed
    found = read_case.origin.revision, read_case.tree.length_mm[1], len(read_case.labels)
    assert found == pytest.approx(old) or found == pytest.approx(new)


def test_a_frame_that_loses_its_labels_is_solved_like_any_other(copy):
    with Session(copy) as session:
        session.delete_labels(5, "anna")
        solve(session, options=HOG)
        assert np.isnan(joints_of(session, "lift")[5]).all()
        assert session.result("propagate").numbers["neighbour"][5] != 5


def test_a_click_that_cannot_be_is_a_conflict_by_name(copy):
    with Session(copy) as session:
        labels = session.labels(9)
        uv_px = labels.uv_px.copy()
        uv_px[8, 0] -= 20  # of 2 mm each: too far from the joint before for a bone of 24 mm, and no nonsense yet
        session.put_labels([replace(labels, uv_px=uv_px, nearer=())], "anna")
        solve(session, ("lift",), HOG)
        conflicts = session.result("lift").info["conflicts"]
        assert {(one["frame"], one["joint"], one["what"]) for one in conflicts} >= {(9, "index_tip", "click")}
        assert session.result("lift").info["not_believed"] == []


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_needs_the_one_before(stage, tmp_path):
    path = labelled_session(tmp_path, frames=8, references=(1, 4, 6))
    with Session(path) as session:
        if stage == "lift":
            session.delete_labels(1, "anna")
            session.delete_labels(4, "anna")
            session.delete_labels(6, "anna")
            with pytest.raises(SolveError, match="no labelled frame, wanted at least one"):
                solve(session, (stage,), HOG)
        else:
            before = STAGES[STAGES.index(stage) - 1]
            with pytest.raises(SolveError, match=f"{before}, which is not solved.*--stages {before},{stage}"):
                solve(session, (stage,), HOG)


def test_a_stage_older_than_the_labels_is_refused(copy):
    with Session(copy) as session:
        session.delete_labels(5, "anna")
        with pytest.raises(SolveError, match="lift, which is out of date"):
            solve(session, ("propagate",), HOG)


@pytest.mark.parametrize("stages", [(), ("polish",), ("optimize", "lift"), ("lift", "lift")])
def test_stages_that_do_not_exist_are_refused(copy, stages):
    with Session(copy) as session, pytest.raises(UsageError, match="wanted some of lift,propagate,optimize, in order"):
        solve(session, stages, HOG)


def test_frames_are_compared_once_for_all_stages(copy, monkeypatch):
    asked = []
    monkeypatch.setattr(case, "distances_of", lambda *words: asked.append(words) or distances_of(*words))
    with Session(copy) as session:
        solve(session, options=HOG)
    assert len(asked) == 1


def test_a_second_solve_waits_its_turn(copy):
    busy = pytest.raises(SessionBusyError, match="one at a time")
    with Session(copy) as session, Session(copy) as other, session.solving(), busy:
        solve(other, options=HOG)


def test_without_bone_lengths_it_says_how_to_get_them(tmp_path):
    path = labelled_session(tmp_path, frames=8, references=(1, 4))
    with Session(path) as session:
        with session._file.transaction() as database:
            database.execute("UPDATE meta SET value = NULL WHERE key = 'bones_mm'")
        with pytest.raises(SolveError, match=r"no bone lengths.*refiner annotate bones"):
            solve(session, options=HOG)


@pytest.mark.parametrize(
    "options",
    [
        replace(HOG, hand_model=False),
        replace(HOG, exact_paper=True),
        replace(HOG, solver="slsqp"),
        replace(HOG, exact_paper=True, solver="slsqp"),
    ],
    ids=["no_hand_model", "exact_paper", "slsqp", "exact_paper_slsqp"],
)
def test_other_ways_to_solve(options, tmp_path):
    path = labelled_session(tmp_path, frames=8, references=(1, 4, 6))
    with Session(path) as session:
        solve(session, options=options)
        true = session.store.read("joints_mm")
        assert error_mm(joints_of(session, "lift")[[1, 4, 6]], true[[1, 4, 6]]) < 10
        assert np.isfinite(joints_of(session, "optimize")).all()
        assert ("hand" in session.result("lift").info) == (options.hand_model and not options.exact_paper)


def test_what_is_cancelled_is_not_kept_and_what_was_done_is(tmp_path):
    path = labelled_session(tmp_path, frames=8, references=(1, 4, 6))

    def cancel(stage, done, of):
        if stage == "propagate":
            raise KeyboardInterrupt

    with Session(path) as session:
        with pytest.raises(KeyboardInterrupt):
            solve(session, options=HOG, on_progress=cancel)
        assert session.result("lift") is not None
        assert session.result("propagate") is None
        with session.solving():  # the lock is free
            pass


KILLED = """
import os, signal, sys
from refiner.annotate.stages.case import Options
from refiner.annotate.sessions.session import Session
from refiner.annotate.stages.solve import solve

def kill(stage, done, of):
    if stage == sys.argv[2] and done >= min(2, of):
        os.kill(os.getpid(), signal.SIGKILL)

solve(Session(sys.argv[1]), options=Options(descriptor="hog"), on_progress=kill)
"""


@pytest.mark.parametrize("stage", STAGES)
def test_a_kill_in_a_stage_loses_nothing_that_was_done(stage, copy, solved):
    with Session(copy) as session:
        labels = session.all_labels()
        moved = replace(labels[-1], uv_px=labels[-1].uv_px + 1.0)
        session.put_labels([moved], "anna")
    done = subprocess.run([sys.executable, "-c", KILLED, str(copy), stage], capture_output=True, text=True)
    assert done.returncode == -signal.SIGKILL, done.stderr
    with Session(copy) as session:
        assert [one.frame for one in session.all_labels()] == list(REFERENCES)
        np.testing.assert_array_equal(session.labels(17).uv_px, moved.uv_px)
        for name in STAGES:  # those before it are new, the others stand as they were
            fresh = STAGES.index(name) < STAGES.index(stage)
            assert (session.stale(name) is None) == fresh
            assert np.isfinite(joints_of(session, name)[list(REFERENCES)]).all()
        solve(session, options=HOG)
        assert all(session.stale(name) is None for name in STAGES)
        with Session(solved[0]) as first:  # one pixel in one of five frames
            assert error_mm(joints_of(session, "optimize"), joints_of(first, "optimize")) < 1


def test_noise_of_a_click_is_of_its_frame_alone(solved):
    with Session(solved[0]) as session:
        few, many = (labels_of_truth(session.store, frames, 1.0, 3) for frames in ([4], range(8)))
        np.testing.assert_array_equal(few[0].uv_px, many[4].uv_px)
