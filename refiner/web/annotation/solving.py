"""Long work beside the page: choosing frames and solving, in a process of their own that ends with the page.

The child writes one JSON line for each piece of progress. It ends by itself when its input closes, which happens when
the page's process is gone, however it ended. What a stage has found is kept when the stage is done.
"""

import asyncio
import json
import os
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from refiner.errors import RefinerError

Work = Literal["choose", "solve"]
BUDGET = 0.1
"""Share of the frames that is chosen, as `refiner annotate select` does."""

STAGES = {
    "begins": "starting",
    "likeness": "learning which frames are alike",
    "choose": "choosing frames",
    "bones": "measuring the bones (compiles, the first time)",
    "lift": "lifting the labelled frames",
    "propagate": "carrying them to all frames",
    "optimize": "settling the whole sequence",
}
"""The parts of the work, in words for the person who waits."""


@dataclass
class Progress:
    """How far the work is.

    Attributes:
        work: What is done; nothing while nothing is.
        stage: Which part of it, see `STAGES`.
        since: When this part began, in seconds of `time.monotonic`.
        done: Of this part.
        of: How much that is.
        failed: Why it ended early; nothing where it did not.
    """

    work: Work | None = None
    stage: str = ""
    done: int = 0
    of: int = 0
    since: float = 0.0
    failed: str | None = None

    def in_words(self) -> str:
        """Return what is going on, how much of it is done, and since when; empty where nothing is."""
        if self.work is None:
            return ""
        share = f" {100 * self.done // self.of} %" if self.of else ""
        return f"{STAGES[self.stage]}{share} · {max(0.0, time.monotonic() - self.since):.0f} s"


class Worker:
    """Does one piece of long work at a time.

    Attributes:
        progress: How far it is.
        cancelled: Whether the last piece of work was ended by a person.
    """

    def __init__(self, session: Path, changed: Callable[[], object]) -> None:
        """Work on a session; `changed` is called whenever the progress has changed."""
        self._session, self._changed = session, changed
        self._child: asyncio.subprocess.Process | None = None
        self.cancelled = False
        self.progress = Progress()

    @property
    def busy(self) -> bool:
        """Whether something is being done."""
        return self.progress.work is not None

    async def run(self, work: Work) -> str | None:
        """Do a piece of work to its end; return why it failed, nothing where it did not or was cancelled."""
        if self.busy:
            return f"{self.progress.work} is going on already."
        self.progress, self.cancelled = Progress(work=work, stage="begins", since=time.monotonic()), False
        self._changed()
        self._child = await asyncio.create_subprocess_exec(
            sys.executable, "-m", __name__, work, str(self._session), stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        assert self._child.stdout is not None
        assert self._child.stderr is not None
        errors = asyncio.create_task(self._child.stderr.read())
        failed = None
        async for line in self._child.stdout:
            told = json.loads(line)
            failed = told.get("error", failed)
            if "stage" in told:
                same = told["stage"] == self.progress.stage
                since = self.progress.since if same else time.monotonic()
                self.progress = Progress(work, told["stage"], told["done"], told["of"], since)
                self._changed()
        status, traceback = await self._child.wait(), (await errors).decode(errors="replace")
        self._child = None
        if self.cancelled:
            failed = None
        elif status and failed is None:
            sys.stderr.write(traceback)
            failed = f"The process that did it ended with status {status}; see what the command printed."
        self.progress = Progress(failed=failed)
        self._changed()
        return failed

    def cancel(self) -> None:
        """End the work; what its finished stages found stays."""
        if self._child is not None:
            self.cancelled = True
            self._child.terminate()


def main(work: str, session: str) -> int:
    """Do one piece of work, as a child."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        choose(Path(session)) if work == "choose" else solve(Path(session))
    except RefinerError as error:
        _tell(error=str(error))
        return 2
    return 0


def choose(path: Path) -> None:
    """Choose the frames that are worth a person's time, as `refiner annotate select` does."""
    from refiner.annotate.references import select
    from refiner.annotate.references.likeness import distances_of
    from refiner.annotate.sessions.session import Session

    with Session(path) as session:
        distances = distances_of(session, "codes", on_update=_on_update)
        _tell(stage="choose", done=0, of=0)
        reach = select.radius_of_budget(distances, BUDGET)
        chosen = select.select_references(distances, BUDGET, reach, labelled=session.labelled_frames())
        session.set_references(chosen.frames, list(chosen.coverage))


def solve(path: Path) -> None:
    """Solve all stages; measure the bones first where their lengths are not known."""
    from refiner.annotate.estimate import estimate_bones
    from refiner.annotate.sessions.session import Session
    from refiner.annotate.stages.solve import solve as solve_stages

    with Session(path) as session:
        if session.bones_mm is None:
            _tell(stage="bones", done=0, of=0)
            session.set_bones(estimate_bones(session).lengths_mm)
        solve_stages(session, on_progress=lambda stage, done, of: _tell(stage=stage, done=done, of=of))


def _on_update(done: int, of: int) -> None:
    if done % max(1, of // 100) == 0:
        _tell(stage="likeness", done=done, of=of)


def _tell(**content: Any) -> None:
    print(json.dumps(content), flush=True)


def _end_with_parent() -> None:
    # Not sys.stdin: a thread that waits for its lock would stop the interpreter at its end.
    while os.read(0, 1024):
        pass
    os._exit(3)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
