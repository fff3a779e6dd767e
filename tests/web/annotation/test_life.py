"""The annotation page in a real browser, by pointer and keys alone: from a new session to a labelled dataset."""

from pathlib import Path

import numpy as np
import pytest
from selenium.webdriver.common.keys import Keys
from serving import faults, go, label, make_session

from experiments.bench.browser import INSTALLED, Person, open_browser, serving
from refiner.annotate.sessions.session import Session
from refiner.cli.main import main
from refiner.datasets.store import DepthStore

pytestmark = pytest.mark.skipif(not INSTALLED, reason="no chromium with chromedriver is installed")


@pytest.fixture
def truth(tmp_path):
    return make_session(tmp_path)


def test_labels_survive_undo_kill_and_restart(truth, tmp_path):
    session, store, uv_px = truth
    with open_browser(tmp_path / "profile") as driver:
        with serving(session, settings=session.parent) as (process, url):
            port = int(url.rsplit(":", 1)[1].strip("/"))
            person = Person(driver, url)
            for frame in (0, 7, 15):
                if frame:
                    go(person, frame)
                assert label(person, store, uv_px, frame) <= 30
            placed = np.array([person.joints[name][:2] for name in store.skeleton.joints])
            np.testing.assert_allclose(placed, uv_px[15], atol=0.05)  # where it was clicked, to the pixel of the crop
            flags = np.array([person.joints[name][2] for name in store.skeleton.joints])
            np.testing.assert_array_equal(flags == 2, store.read("visible", 15, 16)[0])
            person.wait(lambda: person.saved == 63, "all edits to be committed")
            person.saving(lambda: person.key("z"), "undo")
            person.wait(lambda: len(person.joints) == 20, "undo")
            process.kill()
            process.wait()
        person.click(*uv_px[15, 20])  # while nobody answers
        assert person.next_joint == ""
        before = Session(session)
        assert len(before.labelled_frames()) == 3
        assert before.labels(15).flag[20] == 0
        before.close()
        with serving(session, settings=session.parent, port=port) as (process, url):
            person.reloaded()
            person.wait(lambda: person.frame == 15 and len(person.joints) == 21, "the frame and what was not saved", 60)
            with Session(session) as after:
                person.wait(lambda: after.labels(15).flag[20] > 0, "what was not saved to be committed")
            person.saving(lambda: person.key(Keys.CONTROL, "z"), "undo after the restart")
            person.wait(lambda: len(person.joints) == 20, "undo after the restart")
            person.saving(lambda: person.key(Keys.SHIFT, "z"), "redo")
            person.wait(lambda: len(person.joints) == 21, "redo")
            assert faults(person) == []


@pytest.mark.slow
def test_from_a_new_session_to_a_dataset(truth, tmp_path):
    session, store, uv_px = truth
    with serving(session, settings=session.parent) as (_, url), open_browser(tmp_path / "profile") as driver:
        person = Person(driver, url)
        for frame in (0, 7, 15):
            if frame:
                go(person, frame)
            label(person, store, uv_px, frame)
        person.key(Keys.SHIFT, "s")
        with Session(session) as opened:
            person.wait(lambda: opened.result("optimize") is not None, "the solve", 200)
            # A frame that the solver has right takes one action.
            go(person, 8)
            person.key(Keys.ENTER)
            person.wait(lambda: opened.checks.all(), "the check")
            assert [one.frame for one in opened.checks.all()] == [8]
            # One that starts from the solver's pose and has five wrong joints takes six.
            go(person, 11)
            person.saving(lambda: person.key("x"), "the pose")
            person.wait(lambda: len(person.joints) == 21, "the pose")
            for joint in (4, 8, 12, 16, 20):
                name = store.skeleton.joints[joint]
                start = person.joints[name][:2]
                person.saving(
                    lambda start=start: person.drag(start, (start[0] + 3, start[1] - 2)), f"the drag of {name}"
                )
                end = person.joints[name][:2]
                np.testing.assert_allclose(end, [start[0] + 3, start[1] - 2], atol=0.3)
            person.key(Keys.SHIFT, "s")  # what was corrected is followed
            person.wait(lambda: opened.stale("optimize") is None, "the second solve", 200)
            assert sorted(opened.labelled_frames()) == [0, 7, 11, 15]
        assert faults(person) == []
    assert main(["annotate", "export", str(session), str(tmp_path / "out.zarr")]) == 0
    assert len(DepthStore(tmp_path / "out.zarr")) == len(store)


def test_the_work_ends_with_the_page(truth, tmp_path):
    """A solve that the page began does not outlive the page's process."""
    session, _, _ = truth
    with serving(session, settings=session.parent) as (process, url), open_browser(tmp_path / "profile") as driver:
        person = Person(driver, url)
        person.key(Keys.SHIFT, "r")
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children")

        def workers():
            found = [Path("/proc") / pid for pid in children.read_text().split()]
            return [one for one in found if b"solving" in (one / "cmdline").read_bytes()]

        person.wait(workers, "the work to begin")
        (worker,) = workers()
        process.kill()
        process.wait()
        person.wait(lambda: not worker.exists(), "the work to end")
