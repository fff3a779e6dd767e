"""What the stages of the solver found, kept in the session's file, and the lock that lets one solve at a time."""

import fcntl
import io
import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from refiner.annotate.sessions.origin import Origin
from refiner.annotate.sessions.session_file import SessionFile
from refiner.errors import SessionBusyError

STAGES = ("lift", "propagate", "optimize")


@dataclass(frozen=True, eq=False)
class StageResult:
    """What a stage of the solver found.

    Attributes:
        stage: lift, propagate or optimize.
        joints_mm: (N, J, 3) float32, NaN where not solved.
        numbers: Further values of each frame (N, ...): cost, appearance, slack_mm, ...
        info: Plain JSON: seconds, options, and what it was made from, as `revision` and `fingerprint` (see `Origin`).
            Results of older versions have no fingerprint: every change of the session puts them out of date.
    """

    stage: str
    joints_mm: NDArray[np.float32]
    numbers: dict[str, NDArray[Any]] = field(default_factory=dict)
    info: dict[str, Any] = field(default_factory=dict)


class Results:
    """The results in a session's file, one of each stage."""

    def __init__(self, file: SessionFile, frames: int, joints: int) -> None:
        self._file, self._frames, self._joints = file, frames, joints

    def get(self, stage: str) -> StageResult | None:
        """Return what a stage found, nothing where it was not solved."""
        rows = self._file.rows("SELECT info, arrays FROM results WHERE stage = ?", stage)
        if not rows:
            return None
        with np.load(io.BytesIO(rows[0][1]), allow_pickle=False) as arrays:
            numbers = {name.removeprefix("numbers/"): arrays[name] for name in arrays.files if name != "joints_mm"}
            return StageResult(stage, arrays["joints_mm"], numbers, json.loads(rows[0][0]))

    def steps(self) -> dict[str, int]:
        """Return a number for each solved stage that grows whenever one is solved."""
        return dict(self._file.rows("SELECT stage, step FROM results"))

    def put(self, result: StageResult) -> None:
        """Keep what a stage found, instead of what it had found before."""
        shapes = {name: np.shape(values) for name, values in result.numbers.items()}
        if (
            result.stage not in STAGES
            or np.shape(result.joints_mm) != (self._frames, self._joints, 3)
            or any(shape[:1] != (self._frames,) for shape in shapes.values())
        ):
            raise ValueError(
                f"Found a result of {result.stage!r} with joints_mm {np.shape(result.joints_mm)} and {shapes}, wanted "
                f"one of {STAGES} with ({self._frames}, {self._joints}, 3) and numbers ({self._frames}, ...)."
            )
        arrays = {"joints_mm": result.joints_mm, **{f"numbers/{name}": v for name, v in result.numbers.items()}}
        buffer = io.BytesIO()
        np.savez_compressed(buffer, **arrays)  # pyright: ignore[reportArgumentType]
        with self._file.transaction() as database:
            database.execute(
                "INSERT OR REPLACE INTO results SELECT ?, coalesce(max(step), 0) + 1, ?, ? FROM results",
                (result.stage, json.dumps(result.info), buffer.getvalue()),
            )

    def stale(self, stage: str, origin: Origin) -> str | None:
        """Return why a stage's result is of another origin than wanted, nothing where it is not, or there is none."""
        rows = self._file.rows("SELECT stage, step, info FROM results")
        solved = {name: (step, json.loads(info)) for name, step, info in rows}
        if stage not in solved:
            return None
        step, info = solved[stage]
        # The result of an undo and a redo, or of an import of the same labels, is another revision of the same content.
        if info.get("revision") != origin.revision and info.get("fingerprint") != origin.fingerprint:
            return f"made from revision {info.get('revision')}, and the labels and bones are at {origin.revision}"
        later = [name for name in STAGES[: STAGES.index(stage)] if name in solved and solved[name][0] > step]
        return f"made before {' and '.join(later)}" if later else None


@contextmanager
def only_one(lock: Path) -> Iterator[None]:
    """Hold a lock that other processes see, and that a kill frees.

    Raises:
        SessionBusyError: Another one holds it.
    """
    with lock.open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            holder = file.read().strip() or "another process"
            raise SessionBusyError(
                f"{lock.parent} is being solved by {holder}, wanted one at a time. Wait for it, or stop it."
            ) from None
        file.truncate(0)
        file.write(f"process {os.getpid()} on {socket.gethostname()}\n")
        file.flush()
        try:
            yield
        finally:
            file.truncate(0)
