"""How far the joints of each stage are from true ones."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from refiner.annotate.corrections import FAR_MM, NEAR_MM
from refiner.annotate.sessions.results import STAGES
from refiner.annotate.sessions.session import Session
from refiner.annotate.simulate import check_same_frames
from refiner.datasets.store import DepthStore
from refiner.errors import SolveError, StoreError

_RESAMPLES = 1000


def evaluate(session: Session, truth: DepthStore, seed: int = 0) -> dict[str, Any]:
    """Measure every stage that is solved: the lift over labelled frames, the others over all.

    Args:
        session: Solved.
        truth: The true joints of the same frames.
        seed: Of the bootstrap.

    Raises:
        SolveError: No stage is solved.
        StoreError: The truth is of other frames or joints.
    """
    check_same_frames(session.store, truth)
    if truth.skeleton is None or truth.skeleton.joints != session.skeleton.joints:
        raise StoreError(
            f"{truth.path} has other joints than {session.path} ({session.skeleton.name}), wanted the same."
        )
    joints_mm = truth.read("joints_mm").astype(np.float64)
    visible = truth.read("visible") if "visible" in truth else np.ones(joints_mm.shape[:2], dtype=bool)
    stages: dict[str, Any] = {}
    for stage in STAGES:
        with session.reading():
            result, stale = session.result(stage), session.stale(stage)
        if result is None:
            continue
        stages[stage] = _numbers(result.joints_mm, joints_mm, visible, session.skeleton.joints, seed)
        for name in ("copied_mm", "flowed_mm"):
            if name in result.numbers:
                key = {"copied_mm": "closest_reference", "flowed_mm": "flow"}[name]
                stages[stage][key] = _numbers(result.numbers[name], joints_mm, visible, session.skeleton.joints, seed)
        if stale:
            stages[stage]["stale"] = stale
    if not stages:
        raise SolveError(f"{session.path} is not solved, wanted at least one stage. See `refiner annotate solve`.")
    return {"stages": stages, "labelled_frames": len(session.labelled_frames()), "frames": session.frames}


def _numbers(
    found_mm: NDArray[np.floating],
    truth_mm: NDArray[np.float64],
    visible: NDArray[np.bool_],
    names: tuple[str, ...],
    seed: int,
) -> dict[str, Any]:
    off_mm = np.linalg.norm(found_mm.astype(np.float64) - truth_mm, axis=-1)
    frames = np.flatnonzero(np.isfinite(off_mm).any(axis=1))
    off_mm, visible = off_mm[frames], visible[frames]
    known = np.isfinite(off_mm)
    of_frame = np.nanmean(off_mm, axis=1)
    rng = np.random.default_rng(seed)
    means = [of_frame[rng.integers(0, len(of_frame), len(of_frame))].mean() for _ in range(_RESAMPLES)]
    return {
        "mean_mm": float(off_mm[known].mean()),
        "median_mm": float(np.median(off_mm[known])),
        "frames": len(frames),
        "ci95_mm": [float(value) for value in np.percentile(means, [2.5, 97.5])],
        "visible_mean_mm": _mean(off_mm[known & visible]),
        "hidden_mean_mm": _mean(off_mm[known & ~visible]),
        "beyond_10_mm": float((off_mm[known] > NEAR_MM).mean()),
        "beyond_17_mm": float((off_mm[known] > FAR_MM).mean()),
        "per_joint_mm": {name: _mean(off_mm[known[:, k], k]) for k, name in enumerate(names)},
    }


def _mean(values: NDArray[np.float64]) -> float | None:
    return float(values.mean()) if len(values) else None
