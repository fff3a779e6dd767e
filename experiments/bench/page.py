"""How quick the annotation page is with 10,000 frames in the session, measured in the browser.

    python -m experiments.bench.page [--frames 10000] [--out FILE.json]

Keys and pointer events come from outside the page, as a person's do. A frame change lasts from the key to the picture,
an update of a drag from the pointer's move to the picture. Needs Chromium with its driver.
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from experiments.bench.browser import HELD, Person, open_browser, require_browser, serving
from experiments.bench.select import write_frames
from experiments.bench.timing import report, row
from refiner.annotate.sessions.results import StageResult
from refiner.annotate.sessions.session import Session

# Notes when the canvas shows something new: it sets its attributes at the end of each drawing.
WATCH = """
window.seen = { key: [], drag: [], first: null };
const note = (attribute) => {
  const now = performance.now(), { seen } = window;
  if (attribute === "data-frame" && seen.first === null) seen.first = now;
  if (attribute === "data-frame" && window.pressed) { seen.key.push(now - window.pressed); window.pressed = 0; }
  if (attribute === "data-joints" && window.moved) { seen.drag.push([now, now - window.moved]); window.moved = 0; }
};
new MutationObserver((changes) => {
  for (const { target, attributeName } of changes) if (target.matches("canvas.main-canvas")) note(attributeName);
}).observe(document, { subtree: true, attributes: true, attributeFilter: ["data-frame", "data-joints"] });
window.addEventListener("keydown", () => { window.pressed = performance.now(); }, true);
window.addEventListener("pointermove", (event) => {
  if (event.buttons && !window.moved) window.moved = performance.now();
}, true);
"""
JUMPS, MOVES, MOVES_S = 200, 240, 60  # moves as often as a usual screen asks


def make_session(folder: Path, frames: int) -> Path:
    """Write a sequence and a session of it, a tenth of it labelled and all of it solved, as far as a page can tell."""
    write_frames(folder / "frames.zarr", frames)
    rng = np.random.default_rng(0)
    with Session.create(folder / "session", folder / "frames.zarr") as session:
        centre_mm = session.store.read("centre_mm")
        joints_mm = (centre_mm[:, None] + rng.uniform(-60, 60, (frames, 21, 3))).astype(np.float32)
        kinds = ("slack", "behind_mm", "unlike", "jump_mm", "moved_mm")
        numbers: dict[str, Any] = {kind: rng.exponential(1.0, (frames, 21)) for kind in kinds}
        numbers["cost"] = rng.exponential(1.0, frames)
        session.put_result(StageResult("optimize", joints_mm, numbers, {"revision": 0}))
        session.set_references(list(range(0, frames, 10)), [1.0])
    return folder / "session"


def measure(person: Person, frames: int) -> list[dict[str, Any]]:
    """Go through frames, then drag a joint."""
    driver = person.driver
    first = driver.execute_script("return window.seen.first")
    for _ in range(JUMPS):
        before = person.frame
        person.key("d")
        person.wait(lambda before=before: person.frame == before + 1, "the next frame")
    steps = driver.execute_script("const found = window.seen.key; window.seen.key = []; return found")
    for _ in range(30):  # far away: nothing of these frames is in the browser yet
        before = person.frame
        person.key("r")
        person.wait(lambda before=before: person.frame != before, "the next chosen frame")
    chosen = driver.execute_script("return window.seen.key")
    person.click(63.5, 63.5)
    person.wait(lambda: person.joints, "the joint")
    x, y = person.place(*next(iter(person.joints.values()))[:2])
    person.pointer("mouseMoved", (x, y), "none")
    person.pointer("mousePressed", (x, y), "left", HELD["left"])
    driver.execute_script("window.seen.drag = []")
    began = time.perf_counter()
    for move in range(1, MOVES + 1):
        at = (x + 90 * np.sin(move / 20), y + 90 * (1 - np.cos(move / 20)))
        person.pointer("mouseMoved", at, "left", HELD["left"])
        time.sleep(max(0.0, began + move / MOVES_S - time.perf_counter()))
    moves_s = MOVES / (time.perf_counter() - began)
    person.pointer("mouseReleased", (x, y), "left")
    at_ms, late_ms = np.array(driver.execute_script("return window.seen.drag")).T
    return [
        row(f"first load, {frames} frames", [first], "ms", "<= 2,000"),
        row("next frame", steps, "ms", "<= 100"),
        row("next frame, 95th percentile", [float(np.percentile(steps, 95))], "ms", "<= 100"),
        row("next chosen frame, far away", chosen, "ms", "<= 100"),
        row("drag: pictures a second", [1000 / float(np.mean(np.diff(at_ms)))], "/s", ">= 30"),
        row("drag: moves a second, which were sent", [moves_s], "/s"),
        row("drag: longest time without one", [float(np.diff(at_ms).max())], "ms"),
        row("drag: from move to picture", late_ms.tolist(), "ms"),
    ]


def main(words: list[str] | None = None) -> int:
    """Make the session, open the page, measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=10_000)
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args(words)
    require_browser()
    with tempfile.TemporaryDirectory() as folder:
        session = make_session(Path(folder), asked.frames)
        with serving(session, settings=Path(folder)) as (_, url):
            time.sleep(20)  # compiling, which a machine does once
            with open_browser(Path(folder) / "profile") as driver:
                driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": WATCH})
                rows = measure(Person(driver, url), asked.frames)
    report(rows, asked.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
