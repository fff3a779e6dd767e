"""Where to go on: the frame that a person should see next, of several kinds, and how much is left."""

from collections.abc import Sequence
from typing import Literal

import numpy as np

from refiner.annotate.desk.desk import Desk

Kind = Literal["reference", "doubt", "work", "unlabelled", "edited"]


def next_frame(desk: Desk, kind: Kind, frame: int) -> int | None:
    """Return the frame to go to from another one, nothing where there is none.

    Args:
        desk: The session.
        kind: "reference": chosen frames without labels, the most worth first; "doubt": the worst first, labels that
            are not believed before joints that are in doubt; "work": a reference, else a doubt; "unlabelled": the next
            in time; "edited": the newest change.
        frame: Where the person is.
    """
    session = desk.session
    if kind == "edited":
        return next((one.frame for one in session.edits.latest(1000) if one.frame != frame), None)
    labelled = desk.standing().labelled
    if kind == "unlabelled":
        free = ~labelled
        free[frame] = False
        after = np.flatnonzero(np.roll(free, -frame))
        return int((after[0] + frame) % session.frames) if len(after) else None
    if kind in ("reference", "work"):
        waiting = [one for one in session.chosen() if not labelled[one]]
        found = _after(waiting, frame)
        if found is not None or kind == "reference":
            return found
    wrong = desk.wrongly_labelled()
    return _after([*wrong, *(one.frame for one in desk.doubts() if one.frame not in wrong)], frame)


def how_it_goes(desk: Desk, who: str) -> str:
    """Describe in a line what is left to do, and how fast a person does it."""
    labelled, chosen, pace = desk.standing().labelled, desk.session.chosen(), desk.pace(who).seconds_per_frame
    waiting = sum(not labelled[frame] for frame in chosen)
    parts = [f"{waiting} to label"] * bool(chosen)
    if pace is not None:
        parts.append(f"{pace:.0f} s a frame")
        parts += [f"about {max(1, round(waiting * pace / 60))} min left"] * bool(waiting)
    return " · ".join(parts)


def _after(frames: Sequence[int], frame: int) -> int | None:
    """Return the frame after one in an order that begins again, the first where that one is not in it."""
    others = [one for one in frames if one != frame]
    if not others:
        return None
    return others[frames.index(frame) % len(others)] if frame in frames else others[0]
