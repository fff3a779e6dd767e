import os
import signal
import socket
import subprocess
import sys
from contextlib import contextmanager

import numpy as np
import pytest
from killing import ENVIRONMENT, started
from labelled_sequence import write_sequence

from refiner.annotate.sessions.labels import FrameLabels
from refiner.annotate.sessions.session import Session, StageResult
from refiner.errors import SessionBusyError, SessionError


@pytest.fixture
def session():
    write_sequence("a.zarr")
    with Session.create("s", "a.zarr") as made:
        yield made


def result(stage="lift", seed=0, **info):
    rng = np.random.default_rng(seed)
    joints_mm = rng.normal(0, 300, (6, 3, 3)).astype(np.float32)
    joints_mm[2] = np.nan
    numbers = {
        "cost": rng.normal(size=6),
        "slack_mm": rng.normal(size=(6, 3)).astype(np.float16),
        "file": rng.integers(0, 9, 6, dtype=np.int32),
        "solved": rng.random(6) < 0.5,
    }
    return StageResult(stage, joints_mm, numbers, info)


def assert_same(found, wanted):
    assert (found.stage, found.info) == (wanted.stage, wanted.info)
    assert list(found.numbers) == list(wanted.numbers)
    pairs = [(found.joints_mm, wanted.joints_mm), *((found.numbers[n], wanted.numbers[n]) for n in wanted.numbers)]
    for a, b in pairs:
        assert (a.dtype, a.shape, a.tobytes()) == (b.dtype, b.shape, b.tobytes())


def test_a_full_disk_costs_the_new_result_alone(session):
    """SQLite says "full" where a file may have no more pages, as where a disk has none."""
    old = result("lift", 1)
    session.put_result(old)
    session.put_labels([FrameLabels(0, np.zeros((3, 2)), np.full(3, 2, np.int8))], "anna")
    pages = session._file.rows("PRAGMA page_count")[0][0]
    session._file.rows(f"PRAGMA max_page_count = {pages}")
    large = result("lift", 2)
    large.numbers["noise"] = np.random.default_rng(0).normal(size=(6, 4000))
    with pytest.raises(SessionError, match="the disk is full. What is committed is whole; make room"):
        session.put_result(large)
    with Session("s") as opened:
        assert_same(opened.result("lift"), old)
        assert opened.labelled_frames() == [0]
        opened.put_result(large)  # there is room again
        assert_same(opened.result("lift"), large)


def test_results_come_back_to_the_byte(session):
    results = [result("lift", 1, seconds=1.5, options={"a": [1, None]}, revision=0), result("optimize", 2)]
    for one in results:
        session.put_result(one)
    with Session("s") as opened:
        for one in results:
            assert_same(opened.result(one.stage), one)
        assert opened.result("propagate") is None


def test_a_stage_solved_again_is_replaced_whole(session):
    session.put_result(result("lift", 1, seconds=3))
    bare = StageResult("lift", np.ones((6, 3, 3), np.float32))
    session.put_result(bare)
    assert_same(session.result("lift"), bare)


@pytest.mark.parametrize(
    "wrong",
    [
        StageResult("guess", np.zeros((6, 3, 3), np.float32)),
        StageResult("lift", np.zeros((5, 3, 3), np.float32)),
        StageResult("lift", np.zeros((6, 3, 3), np.float32), {"cost": np.zeros(5)}),
        StageResult("lift", np.zeros((6, 3, 3), np.float32), {"cost": np.float64(3)}),
    ],
)
def test_results_of_another_shape_are_a_fault(session, wrong):
    with pytest.raises(ValueError, match="Found a result of"):
        session.put_result(wrong)
    assert session.result("lift") is None


def test_what_is_older_than_its_origin_is_stale(session):
    assert session.stale("lift") is None
    session.put_result(result("lift", revision=0))
    session.put_result(result("propagate", revision=0))
    assert (session.stale("lift"), session.stale("propagate")) == (None, None)
    session.put_result(result("lift", 2, revision=0))
    assert session.stale("propagate") == "made before lift"
    session.put_result(result("propagate", revision=0))
    assert session.stale("propagate") is None
    session.put_labels([FrameLabels(0, np.ones((3, 2)), np.full(3, 2, np.int8))], "anna")
    assert session.stale("lift") == "made from revision 0, and the labels and bones are at 1"
    session.put_result(result("lift", 3, revision=1))
    assert session.stale("lift") is None
    assert "revision 0" in session.stale("propagate")
    session.put_result(result("optimize"))
    assert "revision None" in session.stale("optimize")


def test_each_solve_of_a_stage_has_a_greater_number(session):
    assert session.solved_steps() == {}
    session.put_result(result("lift"))
    session.put_result(result("optimize"))
    first = session.solved_steps()
    assert first.keys() == {"lift", "optimize"}
    session.put_labels([FrameLabels(0, np.ones((3, 2)), np.full(3, 2, np.int8))], "anna")
    with Session("s") as other:
        assert other.solved_steps() == first
        other.put_result(result("lift"))
    second = session.solved_steps()
    assert second["lift"] > first["lift"]
    assert second["optimize"] == first["optimize"]


SOLVE = "import sys\nfrom refiner.annotate.sessions.session import Session\nwith Session('s').solving():\n    "


@contextmanager
def solver_elsewhere():
    """Solve in another process until it is told to end."""
    script = SOLVE + "print('solving', flush=True); sys.stdin.read()"
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with started([sys.executable, "-c", script], **pipes) as process:
        assert process.stdout.readline() == "solving\n"
        yield process


def test_one_process_solves_at_a_time(session):
    with solver_elsewhere() as process:
        wanted = f"s is being solved by process {process.pid} on {socket.gethostname()}, wanted one at a time"
        with pytest.raises(SessionBusyError, match=wanted), session.solving():
            pytest.fail("two solve at once")
        session.set_bones([0, 50, 30])  # labelling goes on meanwhile
        process.stdin.close()
        assert process.wait(30) == 0
        with session.solving():
            done = subprocess.run(
                [sys.executable, "-c", SOLVE + "pass"], env=ENVIRONMENT, capture_output=True, text=True
            )
    assert f"SessionBusyError: s is being solved by process {os.getpid()} on" in done.stderr


def test_a_kill_frees_the_session(session):
    with solver_elsewhere() as process:
        process.send_signal(signal.SIGKILL)
        assert process.wait(30) == -signal.SIGKILL
        with session.solving():
            pass


def test_a_failure_frees_the_session(session):
    with pytest.raises(ArithmeticError), session.solving():
        raise ArithmeticError
    with session.solving(), pytest.raises(SessionBusyError, match=f"process {os.getpid()}"), session.solving():
        pytest.fail("two solve at once")
    with session.solving():
        pass
