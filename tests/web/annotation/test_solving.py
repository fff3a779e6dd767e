"""Long work in a process of its own: its progress, its end, and its faults."""

import asyncio

import pytest
from shipped_session import labelled_session

from refiner.annotate.sessions.session import Session
from refiner.web.annotation import solving
from refiner.web.annotation.solving import Progress, Worker


def watched(path):
    """A worker, and the list of what it told."""
    told = []
    worker = Worker(path, lambda: told.append(worker.progress))
    return worker, told


@pytest.mark.slow
def test_a_solve_tells_its_progress_and_keeps_its_results(tmp_path):
    path = labelled_session(tmp_path)
    worker, told = watched(path)
    assert asyncio.run(worker.run("solve")) is None
    stages = [one.stage for one in told if one.work]
    assert list(dict.fromkeys(stages)) == ["begins", "lift", "likeness", "propagate", "optimize"]
    assert all(0 <= one.done <= one.of for one in told)
    assert told[-1] == Progress()
    with Session(path) as session:
        assert session.stale("optimize") is None
        assert session.result("optimize") is not None


def test_what_the_solver_refuses_is_said(tmp_path):
    path = labelled_session(tmp_path, references=())
    worker, told = watched(path)
    assert "wanted at least one" in asyncio.run(worker.run("solve"))
    assert "wanted at least one" in told[-1].failed
    assert not worker.busy


def test_a_cancelled_solve_is_no_failure_and_the_session_is_free(tmp_path):
    path = labelled_session(tmp_path)

    async def cancel():
        worker, told = watched(path)
        running = asyncio.create_task(worker.run("solve"))
        while not any(one.stage == "lift" for one in told):
            await asyncio.sleep(0.01)
        assert "going on already" in await worker.run("choose")
        worker.cancel()
        return await running, worker

    failed, worker = asyncio.run(cancel())
    assert failed is None
    assert not worker.busy
    with Session(path) as session:
        assert session.result("optimize") is None
        with session.solving():  # nobody holds it
            pass


def test_what_is_going_on_is_told_in_words(monkeypatch):
    monkeypatch.setattr(solving.time, "monotonic", lambda: 126.4)
    assert Progress().in_words() == ""
    words = Progress("solve", "bones", since=100.0).in_words()
    assert words == "measuring the bones (compiles, the first time) · 26 s"
    assert (
        Progress("solve", "likeness", 45, 150, since=126.4).in_words() == "learning which frames are alike 30 % · 0 s"
    )


@pytest.mark.slow
def test_frames_are_chosen(tmp_path):
    path = labelled_session(tmp_path)
    worker, told = watched(path)
    assert asyncio.run(worker.run("choose")) is None
    shares = [one.done / one.of for one in told if one.stage == "likeness"]
    assert shares == sorted(shares)
    assert shares[-1] == 1
    assert told[-2].stage == "choose"
    with Session(path) as session:
        assert len(session.chosen()) == 2  # a tenth of twenty
