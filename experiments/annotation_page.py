"""How many actions a frame takes on the annotation page, and a picture of it, in a real browser.

    python -m experiments.annotation_page [--figure experiments/figures/annotation_page.png]

A simulated person, who knows the joints of the shipped sequence, works by pointer and keys alone: labels three frames
from nothing, solves, finds a frame right, and corrects frames that start from the frame before or the solver's pose.
Where a joint is more than 3 px off it is dragged. Needs Chromium with its driver.
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from selenium.webdriver.common.keys import Keys

from experiments.bench.browser import Person, open_browser, require_browser, serving
from refiner.annotate.sessions.session import Session
from refiner.datasets.store import DepthStore
from refiner.geometry.camera import project

SHIPPED = Path(__file__).parents[1] / "data" / "sequence.zarr"
FROM_NOTHING, FROM_BEFORE, FROM_SOLVED = (0, 21, 42), (1, 22, 43), (10, 30, 50)
WRONG_PX = 3.0


class Annotator:
    """Knows the joints, and counts what it does."""

    def __init__(self, person: Person, store: DepthStore) -> None:
        self.person, self.store, self.actions = person, store, 0
        self.uv_px = project(store.read("joints_mm").astype(float), store.read("camera").astype(float)[:, None])
        self.visible = store.read("visible")

    def go(self, frame: int) -> None:
        """Go to a frame; the way there is not counted."""
        self.person.key(Keys.SHIFT, "g")
        self.person.wait(lambda: self.person.driver.switch_to.active_element.tag_name == "input", "the dialog")
        self.person.key(str(frame))
        self.person.key(Keys.ENTER)
        self.person.wait(lambda: self.person.frame == frame, f"frame {frame}")
        self.person.wait(lambda: not self.person.driver.find_elements("css selector", ".q-dialog"), "the dialog's end")
        self.actions = 0

    def label(self, frame: int) -> int:
        """Label a frame from nothing; return the actions."""
        for joint, name in enumerate(self.store.skeleton.joints if self.store.skeleton else ()):
            button = "left" if self.visible[frame, joint] else "right"
            self.person.click(*self.uv_px[frame, joint], button=button)
            self.person.wait(lambda name=name: name in self.person.joints, name)
            self.actions += 1
        return self.actions

    def correct(self, frame: int, key: str) -> tuple[int, int]:
        """Start from a pose and drag what is wrong; return the actions, and how many joints were wrong."""
        self.person.key(key)
        self.actions += 1
        self.person.wait(lambda: len(self.person.joints) == 21, "the pose")
        joints = list(self.store.skeleton.joints) if self.store.skeleton else []
        found = np.array([self.person.joints[name][:2] for name in joints])
        wrong = np.flatnonzero(np.linalg.norm(found - self.uv_px[frame], axis=1) > WRONG_PX)
        for joint in wrong:
            self.person.saving(lambda joint=joint: self.person.drag(found[joint], self.uv_px[frame, joint]), "a drag")
            self.actions += 1
        return self.actions, len(wrong)


def work(annotator: Annotator, session: Path, figure: Path | None) -> None:
    """Label, solve and correct; print what it took."""
    person = annotator.person
    print("| frame | begins with | actions | joints that were wrong |\n|---|---|---|---|")
    for frame in FROM_NOTHING:
        annotator.go(frame)
        print(f"| {frame} | nothing | {annotator.label(frame)} | |", flush=True)
    if figure is not None:
        time.sleep(1.5)
        person.driver.save_screenshot(str(figure))
    for frame in FROM_BEFORE:
        annotator.go(frame)
        actions, wrong = annotator.correct(frame, "c")
        print(f"| {frame} | the frame before | {actions} | {wrong} |", flush=True)
    person.key(Keys.SHIFT, "s")
    with Session(session) as opened:
        person.wait(lambda: opened.stale("optimize") is None and opened.result("optimize"), "the solve", 300)
        for frame in FROM_SOLVED:
            annotator.go(frame)
            actions, wrong = annotator.correct(frame, "x")
            print(f"| {frame} | the solved joints | {actions} | {wrong} |", flush=True)
        annotator.go(FROM_SOLVED[0] + 1)
        person.key(Keys.ENTER)
        person.wait(lambda: opened.checks.all(), "the check")
        print(f"| {FROM_SOLVED[0] + 1} | the solved joints, which are right | 1 | 0 |")


def main(words: list[str] | None = None) -> int:
    """Make a session, serve it, and work on it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--figure", type=Path)
    asked = parser.parse_args(words)
    require_browser()
    with tempfile.TemporaryDirectory() as folder:
        session = Path(folder) / "hands"
        with Session.create(session, SHIPPED) as made:
            made.set_references(sorted({*FROM_NOTHING, *range(5, 60, 9)}), [1.0])
        with serving(session, settings=Path(folder)) as (_, url), open_browser(Path(folder) / "profile") as driver:
            work(Annotator(Person(driver, url), DepthStore(SHIPPED)), session, asked.figure)
    return 0


if __name__ == "__main__":
    sys.exit(main())
