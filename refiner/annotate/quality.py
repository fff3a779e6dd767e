"""Where a solved sequence is most in doubt, and which frame a person should look at next.

Each kind of evidence (`refiner.annotate.stages.evidence`) is divided by what of it is usual in the sequence, and the
doubt of a joint is the greatest of these. The frame worth a correction most is the one that would bring the most doubt
nearer to a person's labels: its own, and that of the frames that are more like it than like any labelled one.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from refiner.annotate.references.distances import Distances, in_blocks
from refiner.annotate.references.likeness import distances_of
from refiner.annotate.references.nearest import nearest_of
from refiner.annotate.sessions.results import StageResult
from refiner.annotate.sessions.session import Session
from refiner.errors import SolveError

LIMITS = {"slack": 4.0, "behind_mm": 5.0, "unlike": 0.1, "jump_mm": 5.0, "moved_mm": 10.0}
"""Evidence that is worth a doubt of 1 wherever less than that is usual in the sequence."""
REASONS = {
    "slack": "the bone to its parent wants another length (cost would fall by {:.1f})",
    "behind_mm": "{:.0f} mm out of the range of depth that the map allows",
    "unlike": "unlike the same joint in the frame most like this one (1 - NCC = {:.2f})",
    "jump_mm": "jumps by {:.0f} mm between frames",
    "moved_mm": "moved by {:.0f} mm in the last stage",
    "cost": "its frame costs {:.1f} times as much as is usual",
}
_USUAL = 90.0
"""Percentile of a kind of evidence that counts as usual."""
NOT_BELIEVED = 3.0
"""A frame that costs so many times the median one is not believed."""


@dataclass(frozen=True)
class Doubt:
    """A joint that may be wrong.

    Attributes:
        frame: Its frame.
        joint: Its name.
        why: What speaks most against it, with how much of it there is.
        doubt: Over what is usual; beyond 1 is worth a look.
    """

    frame: int
    joint: str
    why: str
    doubt: float


def doubts(session: Session) -> tuple[NDArray[np.float64], dict[str, NDArray[np.float64]]]:
    """Return the doubt (N, J) of a solved session, and what it is the greatest of: kind of evidence -> (N, J).

    Labelled frames are not in doubt, nor are those that a person found right.

    Raises:
        SolveError: The sequence is not solved.
    """
    result = _optimized(session)
    total, parts = evidence_of(result)
    sure = _sure(session, result)
    for values in (total, *parts.values()):
        values[sure] = 0.0
    return total, parts


def evidence_of(result: StageResult) -> tuple[NDArray[np.float64], dict[str, NDArray[np.float64]]]:
    """Return the doubts of a result of `optimize` as `doubts` does, those of labelled and checked frames, too."""
    parts = {name: result.numbers[name] / _usual(result.numbers[name], limit) for name, limit in LIMITS.items()}
    parts["cost"] = np.repeat(_cost_ratio(result)[:, None] / NOT_BELIEVED, result.joints_mm.shape[1], axis=1)
    return np.max(list(parts.values()), axis=0), parts


def doubtful(session: Session, limit: int) -> list[Doubt]:
    """Return the joints that are most in doubt, the worst first, at most one of a frame.

    Raises:
        SolveError: The sequence is not solved.
    """
    result = _optimized(session)
    return doubtful_of(result, session.skeleton.joints, _sure(session, result), limit, least=0.0)


def doubtful_of(
    result: StageResult, names: Sequence[str], sure: Sequence[int], limit: int, least: float = 1.0
) -> list[Doubt]:
    """Return the doubtful joints of a result of `optimize`, the worst first, at most one of a frame.

    Args:
        result: Of the stage `optimize`.
        names: Of the joints.
        sure: Frames that are not in doubt.
        limit: How many to return at most.
        least: Doubts up to this are none.
    """
    total, parts = evidence_of(result)
    total[list(sure)] = 0.0
    values = {**result.numbers, "cost": np.repeat(_cost_ratio(result)[:, None], total.shape[1], axis=1)}
    found = []
    for frame in np.argsort(-total.max(axis=1), kind="stable")[:limit]:
        joint = int(total[frame].argmax())
        if not total[frame, joint] > least:
            break
        name = max(parts, key=lambda kind: parts[kind][frame, joint])
        why = REASONS[name].format(values[name][frame, joint])
        found.append(Doubt(int(frame), names[joint], why, float(total[frame, joint])))
    return found


def not_believed(session: Session) -> list[int]:
    """Return the frames whose cost says that something is wrong, the worst first: they wait for a person.

    Raises:
        SolveError: The sequence is not solved.
    """
    result = _optimized(session)
    ratio = _cost_ratio(result)
    ratio[_sure(session, result)] = 0.0
    return [int(n) for n in np.argsort(-ratio, kind="stable") if ratio[n] > NOT_BELIEVED]


def next_frames(session: Session, count: int = 1) -> list[int]:
    """Return the frames whose labels would help most, the best first.

    Before anything is solved these are the reference frames without labels.

    Raises:
        SolveError: The sequence is not solved, and no reference frame waits for labels.
    """
    labelled = session.labelled_frames()
    waiting = [frame for frame in session.chosen() if frame not in set(labelled)]
    if waiting:
        return waiting[:count]
    total, _ = doubts(session)
    options = _optimized(session).info["options"]
    distances = distances_of(session, options["descriptor"], options["seed"])
    return most_helpful(distances, labelled, np.maximum(total - 1.0, 0.0).sum(axis=1), count)


def most_helpful(distances: Distances, labelled: list[int], doubt: NDArray[np.float64], count: int) -> list[int]:
    """Choose frames one after another, each the one to which the most doubt would move nearer.

    Args:
        distances: How unlike frames are.
        labelled: Frames with labels, one at least.
        doubt: (N,).
        count: How many to choose, at most.
    """
    _, away = nearest_of(distances, labelled)
    away[labelled] = 0.0
    doubt, chosen = doubt.copy(), list[int]()
    doubt[labelled] = 0.0
    while len(chosen) < count and doubt.any():
        helped = np.zeros(len(doubt))
        for some, rows in in_blocks(distances, np.flatnonzero(doubt)):
            was = away[some, None]
            helped += doubt[some] @ (np.maximum(was - rows, 0.0) / np.maximum(was, 1e-9))
        best = int(np.argmax(helped))
        chosen.append(best)
        away = np.minimum(away, distances[best])
        doubt[best] = 0.0
    return chosen


def _optimized(session: Session) -> StageResult:
    with session.reading():
        result, stale = session.result("optimize"), session.stale("optimize")
    if result is None or stale:
        found = f"out of date ({stale})" if stale else "not solved"
        raise SolveError(
            f"{session.path} is {found}, wanted a whole solve to judge. Run `refiner annotate solve {session.path}`."
        )
    return result


def _sure(session: Session, result: StageResult) -> list[int]:
    """Return the frames that a person answers for: labelled, or found right as they are."""
    return sorted({*session.labelled_frames(), *session.checks.holding(result.joints_mm)})


def _usual(values: NDArray[np.float64], limit: float) -> float:
    return max(limit, float(np.percentile(values, _USUAL)))


def _cost_ratio(result: StageResult) -> NDArray[np.float64]:
    cost = result.numbers["cost"]
    return cost / max(float(np.median(cost)), 1e-9)
