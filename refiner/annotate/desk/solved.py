"""What the solver has found of a session so far, kept in memory until it finds something newer."""

import threading
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from refiner.annotate.quality import Doubt, doubtful_of, evidence_of
from refiner.annotate.sessions.results import STAGES, StageResult
from refiner.annotate.sessions.session import Session

WORST = 0.2
"""No more than this share of the frames is in doubt at once: a person begins with the worst, and solves again."""


@dataclass(frozen=True, eq=False)
class Solved:
    """The newest joints of each frame, and what is in doubt of them, of labelled and checked frames, too.

    Attributes:
        joints_mm: (N, J, 3), NaN where not solved: of the last stage that solved the frame.
        stage: (N,) index of that stage in `STAGES`, -1 without one.
        doubt: (N,) the greatest of a frame, 0 where nothing is told.
        limit: A frame whose doubt is greater is in doubt.
        doubts: The joints in doubt, the worst first, at most one of a frame.
        name: Of the solve: another one where anything was solved since.
        neighbour: (N,) the frame that each was solved from; -1 where not told.
        lift: What the lift of labelled frames found; nothing before that.
    """

    joints_mm: NDArray[np.float32]
    stage: NDArray[np.int8]
    doubt: NDArray[np.float64]
    limit: float
    doubts: list[Doubt]
    name: str
    neighbour: NDArray[np.int64]
    lift: StageResult | None


@dataclass
class SolvedCache:
    """Reads what is solved of a session, once for each solve."""

    session: Session
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _steps: dict[str, int] = field(default_factory=dict)
    _found: Solved | None = None

    def get(self) -> Solved:
        """Return what is solved now."""
        with self._lock:
            # Reading takes long, and a stage may be solved meanwhile: what was read is of one state if it still is.
            while self._found is None or self.session.solved_steps() != self._steps:
                self._steps = self.session.solved_steps()
                found = {stage: self.session.result(stage) for stage in self._steps}
                self._found = _solved_of(
                    self.session, {k: one for k, one in found.items() if one is not None}, str(self._steps)
                )
            return self._found


def _solved_of(session: Session, results: dict[str, StageResult], name: str) -> Solved:
    frames, joints = session.frames, len(session.skeleton)
    joints_mm = np.full((frames, joints, 3), np.nan, dtype=np.float32)
    stage = np.full(frames, -1, dtype=np.int8)
    for number, one in enumerate(STAGES):
        if one in results:
            there = np.isfinite(results[one].joints_mm).all(axis=(1, 2))
            joints_mm[there], stage[there] = results[one].joints_mm[there], number
    neighbour = np.full(frames, -1, dtype=np.int64)
    if "propagate" in results:
        neighbour = results["propagate"].numbers["neighbour"].astype(np.int64)
    if "optimize" not in results:
        return Solved(joints_mm, stage, np.zeros(frames), 1.0, [], name, neighbour, results.get("lift"))
    total, _ = evidence_of(results["optimize"])
    doubt = total.max(axis=1)
    limit = max(1.0, float(np.quantile(doubt, 1 - WORST)))
    doubts = doubtful_of(results["optimize"], session.skeleton.joints, (), frames, limit)
    return Solved(joints_mm, stage, doubt, limit, doubts, name, neighbour, results.get("lift"))
