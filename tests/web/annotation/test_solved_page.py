"""What the page tells of a session that is solved, in a real browser."""

import re

import numpy as np
import pytest
from selenium.webdriver.common.keys import Keys
from serving import faults, go, make_session

from experiments.bench.browser import INSTALLED, Person, open_browser, serving
from refiner.annotate import quality
from refiner.annotate.sessions.results import StageResult
from refiner.annotate.sessions.session import Session
from refiner.annotate.sessions.truth import bones_of_store
from refiner.annotate.simulate import labels_of_truth

pytestmark = pytest.mark.skipif(not INSTALLED, reason="no chromium with chromedriver is installed")

LABELLED, MISSED, DOUBTED, CHOSEN = (1, 5, 9), 5, 3, 12


@pytest.fixture
def solved(tmp_path):
    """A session whose joints are the true ones; in one frame the click on the wrist lies 5 px from its joint."""
    path, store, uv_px = make_session(tmp_path)
    joints_mm = store.read("joints_mm")
    with Session(path) as session:
        session.put_labels(labels_of_truth(store, LABELLED), "anna")
        labels = session.labels(MISSED)
        labels.uv_px[0], labels.flag[0] = uv_px[MISSED, 0] + [3, -4], 2
        session.put_labels([labels], "anna")
        session.set_references([*LABELLED, CHOSEN], [0.2, 0.4, 0.6, 0.8])
        made_from = session.origin._asdict()
        conflict = {"frame": MISSED, "joint": "wrist", "what": "click", "off_px": 5.0}
        session.put_result(StageResult("lift", joints_mm, {}, {**made_from, "conflicts": [conflict]}))
        numbers = {name: np.zeros((len(joints_mm), 21)) for name in quality.LIMITS}
        numbers["jump_mm"][DOUBTED, 8] = 50.0
        numbers["cost"] = np.ones(len(joints_mm))
        session.put_result(StageResult("optimize", joints_mm, numbers, {**made_from, "options": {}}))
    return path, uv_px


@pytest.fixture
def person(solved, tmp_path):
    with serving(solved[0], settings=tmp_path) as (_, url), open_browser(tmp_path / "profile") as driver:
        somebody = Person(driver, url)
        yield somebody
        assert faults(somebody) == []


def text(person, place):
    return person.driver.find_element("css selector", place).text


def test_what_the_solve_could_not_keep_is_said_of_the_frame_and_in_the_list(person, solved):
    words = "the click on wrist lies 5.0 px from where the other labels, the depth and the bone lengths put it"
    go(person, MISSED)
    person.wait(lambda: words in text(person, ".about"), "the conflict in the panel")
    assert "wrist: label not kept" in text(person, ".strip.top")
    person.key(Keys.SHIFT, "t")
    person.wait(lambda: words in text(person, ".q-dialog"), "the list of doubts")
    rows = person.driver.find_elements("css selector", ".q-dialog tbody tr")
    assert [row.text.split()[:2] for row in rows] == [["5", "wrist"], [str(DOUBTED), "index_tip"]]
    assert "Records" not in text(person, ".q-dialog")
    assert "1-2 of 2" not in text(person, ".q-dialog")
    rows[0].click()
    person.wait(lambda: not person.driver.find_elements("css selector", ".q-dialog"), "the dialog to close")
    start = solved[1][MISSED, 0] + [3, -4]
    person.saving(lambda: person.drag(start, solved[1][MISSED, 0]), "the correction")
    person.wait(lambda: "label not kept" not in text(person, ".strip.top"), "the conflict to go")
    assert words not in text(person, ".about")


def test_a_pose_that_is_looked_at_and_taken_back_leaves_the_solve_up_to_date(person, solved):
    go(person, 7)
    person.wait(lambda: re.search(r"\bsolved$", text(person, ".strip.top")), "the chip")
    person.saving(lambda: person.key("x"), "the pose")
    person.wait(lambda: "solved before the newest labels" in text(person, ".strip.top"), "the chip of a stale solve")
    person.saving(lambda: person.key(Keys.CONTROL, "z"), "undo")
    person.wait(lambda: re.search(r"\bsolved$", text(person, ".strip.top")), "the chip of before")
    with Session(solved[0]) as session:
        assert session.stale("optimize") is None


def test_the_legend_counts_each_frame_once(person):
    person.wait(lambda: "labelled 3" in text(person, ".legend"), "the counts")
    counts = dict(re.findall(r"([a-z][a-z ]*) (\d+)", text(person, ".legend").split("pointer")[0].replace("\n", "  ")))
    wanted = {"worth labelling": 1, "in doubt": 1, "labelled": 3, "only solved": 15, "nothing yet": 0}
    assert {name: int(counts[name]) for name in wanted} == wanted


def test_no_bone_is_known_before_lengths_are(person, solved):
    go(person, 1)
    person.click(*person.joints["index_mcp"][:2])
    person.wait(lambda: "bone to" in text(person, ".bones"), "the bones of a joint")
    assert "known" not in text(person, ".bones")
    assert "mm" in text(person, ".bones")
    with Session(solved[0]) as session:
        bones_mm = bones_of_store(session.store)
        session.set_bones(bones_mm)
    length = f"{bones_mm[session.skeleton.joints.index('index_mcp')]:.0f} mm"
    person.wait(lambda: "known" in text(person, ".bones") and length in text(person, ".bones"), "the known length")
