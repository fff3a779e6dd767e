"""The state of every frame, one byte each, and how the work goes."""

from collections import Counter, defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from statistics import median
from typing import Self

import numpy as np
from numpy.typing import NDArray

from refiner.annotate.desk.solved import Solved
from refiner.annotate.quality import Doubt
from refiner.annotate.sessions.checks import Check
from refiner.annotate.sessions.history import Change

LABELLED, SOLVED, DOUBT, CHECKED, CHOSEN, PARTLY = 1, 2, 4, 8, 16, 32
"""Bits of a frame's state: a person labelled it; its joints are found; these or its labels are in doubt; a person found
them right; it was chosen as worth a person's time; it is labelled, but not all of its joints are."""

BREAK_S = 180.0
"""A longer time without a change is a break, and no work."""


@dataclass(frozen=True, eq=False)
class Standing:
    """How the frames of a session stand, between two changes of it.

    Attributes:
        revision: Of labels and of checks.
        labelled: (N,) which frames have labels.
        checks: Those that hold, by frame.
        sure: (N,) which frames a person answers for: labelled, or found right.
        doubts: The joints in doubt of the other frames, the worst first, at most one of a frame.
        solved: What the solver has found.
    """

    revision: tuple[int, int]
    labelled: NDArray[np.bool_]
    checks: dict[int, Check]
    sure: NDArray[np.bool_]
    doubts: list[Doubt]
    solved: Solved

    @classmethod
    def of(cls, revision: tuple[int, int], labelled: Collection[int], checks: dict[int, Check], solved: Solved) -> Self:
        """Gather how the frames stand; arguments as the attributes."""
        known = np.zeros(len(solved.stage), dtype=np.bool_)
        known[np.fromiter(labelled, dtype=np.int64)] = True
        sure = known.copy()
        sure[np.fromiter(checks, dtype=np.int64)] = True
        return cls(revision, known, checks, sure, [one for one in solved.doubts if not sure[one.frame]], solved)


def states_of(
    labelled: NDArray[np.bool_], partly: Collection[int], chosen: Collection[int], checked: Collection[int],
    solved: NDArray[np.bool_], doubt: NDArray[np.bool_],
) -> NDArray[np.uint8]:  # fmt: skip
    """Return the state (N,) of every frame.

    Args:
        labelled: (N,) whether a frame has labels.
        partly: Frames of which not all joints are labelled.
        chosen: Frames worth a person's time.
        checked: Frames that were found right.
        solved: (N,) whether joints are found.
        doubt: (N,) whether joints or labels are in doubt.
    """
    states = np.zeros(len(labelled), dtype=np.uint8)
    for those, bit in ((labelled, LABELLED), (solved, SOLVED), (doubt, DOUBT)):
        states[those] |= bit
    for numbers, bit in ((partly, PARTLY), (chosen, CHOSEN), (checked, CHECKED)):
        states[np.fromiter(numbers, dtype=np.int64)] |= bit
    return states


@dataclass(frozen=True)
class Pace:
    """How fast a person works.

    Attributes:
        frames: Labelled in the time that was looked at, and still.
        seconds_per_frame: Of work; nothing where there is too little to tell.
    """

    frames: int
    seconds_per_frame: float | None


def pace_of(changes: Sequence[Change], who: str) -> Pace:
    """Return the pace of one person by their newest changes: the median over the frames that they labelled.

    The work on an edit is the time since the person's edit before it. What was undone is no edit, so that looking at
    poses and taking them back counts for nothing; a long look at one frame is outweighed by the others.

    Args:
        changes: The newest first. Edits of several frames at once, as of a file, are no work by hand.
        who: The person.
    """
    frames_of = defaultdict[int | None, set[int]](set)
    for one in changes:
        frames_of[one.edit].add(one.frame)
    own = [one for one in _left_standing(changes) if one.who == who and len(frames_of[one.edit]) == 1]
    times = [datetime.fromisoformat(one.when) for one in own]
    edits, worked_s = Counter(one.frame for one in own), defaultdict[int, list[float]](list)
    for one, earlier, later in zip(own[1:], times, times[1:], strict=False):
        if 0 <= (gap_s := (later - earlier).total_seconds()) <= BREAK_S:  # less than 0 where a clock was set back
            worked_s[one.frame].append(gap_s)
    # When the work on the first edit began, or on one after a break, is not known: it takes as long as the others.
    of_frames_s = [sum(gaps_s) / len(gaps_s) * edits[frame] for frame, gaps_s in worked_s.items()]
    if len(edits) < 2 or not any(of_frames_s):
        return Pace(len(edits), None)
    return Pace(len(edits), median(of_frames_s))


def _left_standing(changes: Sequence[Change]) -> list[Change]:
    """Return the edits that were not undone, each as it was made, in order of time.

    Args:
        changes: The newest first. The oldest line with an edit's number is the edit; the others are undo and redo.
    """
    made, stands = dict[int, Change](), defaultdict[int, list[int]](list)
    for one in reversed(changes):
        below = stands[one.frame]
        if one.edit is None:
            below.clear()
        elif one.edit in below:  # undone to that edit
            del below[below.index(one.edit) + 1 :]
        else:
            made.setdefault(one.edit, one)
            below.append(one.edit)
    standing = {edit for below in stands.values() for edit in below}
    return [one for edit, one in made.items() if edit in standing]
