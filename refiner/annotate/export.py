"""A solved session as a labelled dataset: maps as they are, joints as they were solved, and the hands behind them."""

import shlex
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from refiner.annotate.sessions.results import STAGES, StageResult
from refiner.annotate.sessions.session import Session
from refiner.annotate.sessions.truth import surface_offset_mm
from refiner.annotate.solver.anatomy import Anatomy
from refiner.datasets.store import DepthStore
from refiner.datasets.store_writer import StoreWriter, provenance
from refiner.errors import SolveError
from refiner.files import require_apart
from refiner.hand.fit import FittedHands, fit_hands
from refiner.hand.model import load_hand
from refiner.hand.skeleton import HAND21
from refiner.render.visibility import seen_joints

_MAPS = ("depth", "camera", "centre_mm", "cube_mm")
_NAMES = ("source", "sequence", "frame", "side", "subject")


def export_session(
    session: Session, out: Path, doubt: NDArray[np.float64] | None = None, max_doubt: float | None = None,
    overwrite: bool = False,
) -> int:  # fmt: skip
    """Write the frames of the last stage that is solved as a store.

    A skeleton of `hand21` also gets the hand model's `pose`, `shape` and `side`, for `refiner render --poses`.

    Args:
        session: Solved.
        out: The store to write.
        doubt: (N, J) of each joint (see `refiner.annotate.quality`), or (N,) of each frame.
        max_doubt: Frames with a joint that is more in doubt are left out; needs `doubt`.
        overwrite: Replace `out` where it exists.

    Returns:
        How many frames were written.

    Raises:
        SolveError: No stage is solved, or older than the labels, or every frame is too doubtful.
        OutputExistsError: `out` exists, or is where the session or its store lies.
    """
    require_apart(out, "the session", session.path)
    require_apart(out, "the session's store", session.store.path)
    with session.reading():
        result, labelled = _last_result(session), session.labelled_frames()
    joints_mm = result.joints_mm
    frames = _kept(session, result, doubt, max_doubt)
    rows = {"joints_mm": joints_mm[frames], **_hands(session, joints_mm[frames])}
    rows |= _order(session, frames)
    words = ["refiner", "annotate", "export", str(session.path), str(out)]
    command = shlex.join(words if max_doubt is None else [*words, "--max-doubt", str(max_doubt)])
    store = session.store
    copied = [name for name in _NAMES if name in store and name not in rows]
    writer = StoreWriter(
        out, count=len(frames), size=store.size, depth_unit_mm=store.depth_unit_mm, skeleton=session.skeleton,
        arrays={
            "visible": (len(session.skeleton),), **dict.fromkeys(copied, ()),
            **{name: values.shape[1:] for name, values in rows.items()},
        },
        sensor=store.sensor,
        provenance=provenance(command, _configuration(session, result, labelled, max_doubt), None, [store.path]),
        overwrite=overwrite,
    )  # fmt: skip
    offset_mm = surface_offset_mm(session.skeleton)
    for start, stop in writer.missing():
        at = frames[start:stop]
        chunk: dict[str, Any] = {name: values[start:stop] for name, values in rows.items()}
        for name in (*_MAPS, *copied):
            chunk[name] = _read_at(store, name, at)
        chunk["visible"] = seen_joints(chunk["depth"], store.depth_unit_mm, chunk["camera"], joints_mm[at], offset_mm)
        writer.write(start, chunk)
    writer.finish()
    return len(frames)


def _kept(
    session: Session, result: StageResult, doubt: NDArray[np.float64] | None, max_doubt: float | None
) -> NDArray[np.int64]:
    kept = np.isfinite(result.joints_mm).all(axis=(1, 2))
    if not kept.any():
        raise SolveError(
            f"The stage {result.stage} of {session.path} knows all joints of no frame, wanted one at least. Label "
            f"frames whole, and solve again: `refiner annotate solve {session.path}`."
        )
    if max_doubt is not None:
        if doubt is None:
            raise ValueError("`max_doubt` is given without `doubt`: nothing says which frames to leave out.")
        kept &= doubt.reshape(session.frames, -1).max(axis=1) <= max_doubt
        if not kept.any():
            raise SolveError(
                f"Found no frame of {session.path} whose joints are in doubt by {max_doubt:g} at most, wanted one. "
                "Correct the frames that `refiner annotate next` names, or allow more."
            )
    return np.flatnonzero(kept)


def _read_at(store: DepthStore, name: str, frames: NDArray[np.int64]) -> NDArray[Any]:
    parts = []  # with one chunk of the store in memory: the frames may lie far apart
    for start, stop in store.chunk_ranges():
        low, high = np.searchsorted(frames, (start, stop))
        if low < high:
            parts.append(store.read(name, start, stop)[frames[low:high] - start])
    return np.concatenate(parts)


def _last_result(session: Session) -> StageResult:
    for stage in reversed(STAGES):
        result = session.result(stage)
        if result is None:
            continue
        if stale := session.stale(stage):
            raise SolveError(
                f"The stage {stage} of {session.path} is out of date: {stale}. Solve it again: `refiner annotate solve "
                f"{session.path}`."
            )
        return result
    raise SolveError(
        f"{session.path} is not solved, wanted at least one stage. Solve it first: `refiner annotate solve "
        f"{session.path}`."
    )


def _configuration(
    session: Session, result: StageResult, labelled: list[int], max_doubt: float | None
) -> dict[str, Any]:
    """Say what the joints come from, and which camera the maps, so that renders like them can be made."""
    made = session.store.provenance.get("configuration")
    camera = {name: made[name] for name in ("camera", "focal_px") if name in made} if isinstance(made, dict) else {}
    return camera | {
        "stage": result.stage,
        "options": result.info.get("options", {}),
        "labelled_frames": labelled,
        "revision": result.info["revision"],
        "max_doubt": max_doubt,
    }


def _order(session: Session, frames: NDArray[np.int64]) -> dict[str, NDArray[Any]]:
    """Number sequences and frames where the store does not, so that breaks stay known where frames are left out."""
    numbers = {"sequence": np.cumsum(session.starts) - 1, "frame": np.arange(session.frames)}
    return {name: rows[frames].astype(np.int32) for name, rows in numbers.items() if name not in session.store}


def _hands(session: Session, joints_mm: NDArray[np.float32]) -> dict[str, NDArray[Any]]:
    if session.skeleton.joints != HAND21.joints:
        return {}
    anatomy = Anatomy.of_joints(joints_mm.astype(np.float64))
    found: FittedHands = fit_hands(load_hand(), joints_mm, anatomy.side, anatomy.shape)
    return {
        "pose": found.pose.astype(np.float32),
        "shape": found.shape.astype(np.float32),
        "side": np.full(len(joints_mm), anatomy.side, dtype=np.int32),
    }
