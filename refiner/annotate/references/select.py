"""Which frames are worth a person's time: the few that stand for all the others.

A reference covers the frames that look like it, those within a radius. Greedy choice, each time the frame that newly
covers the most, reaches at least 1 - 1/e of the coverage that any choice of as many frames could (Nemhauser, Wolsey
and Fisher 1978). A radius is relative to the spread of the distances in the sequence, from the least (0) to the
greatest (1), so that it means the same for every descriptor's scale.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Literal

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from refiner.annotate.references.distances import Distances, in_blocks
from refiner.annotate.references.greedy import Scale, greedy_picks
from refiner.annotate.references.neighbours import Neighbours
from refiner.errors import UsageError
from refiner.viz import Picture

CODES_RADIUS, HOG_RADIUS = 0.1, 0.08
"""The paper's radius for codes of an auto-encoder, and that of its authors' code for histograms of gradients."""

COVERED = 0.87
"""A budget is spent best where the radius is such that it covers so much: of a greater radius the last references are
chosen for their distance alone, of a smaller one whole poses stay without any (tried with both descriptors)."""

_LINES = ((31, 119, 180), (214, 96, 30), (60, 150, 70), (150, 60, 170))


@dataclass(frozen=True)
class Selection:
    """Reference frames.

    Attributes:
        frames: Their numbers, the most telling first.
        coverage: Share of the usable frames within the radius of at least one of them, after each.
        farthest: How many of the last of them were chosen for their distance, when nothing was left to cover.
    """

    frames: list[int]
    coverage: list[float]
    farthest: int


def select_references(
    distances: Distances,
    budget: float | None = None,
    radius: float | None = None,
    *,
    labelled: ArrayLike = (),
    usable: NDArray[np.bool_] | None = None,
    ties: Literal["labelled-first", "middle-first"] = "labelled-first",
) -> Selection:
    """Choose frames by greedy coverage.

    With a budget all of it is spent: when every frame is covered, those that lie farthest from all references follow
    (k-centre). Without one the choice ends at full coverage. Of frames that would newly cover as many, one that has
    labels goes first; then the one in the middle of what it newly covers, by the sum of distances; then the earliest.

    Args:
        distances: Of N frames.
        budget: A share of the usable frames (below 1) or a number; nothing for as many as full coverage takes.
        radius: A frame covers those at less than this, as a share of the spread of all distances. Without it, and with
            a budget, that at which the budget covers `COVERED` of the frames; without both `CODES_RADIUS`.
        labelled: Frames somebody has already labelled.
        usable: (N,), frames that may be chosen and ask to be covered, for example those that show a hand; else all.
        ties: Whether labels count where frames would cover as many.

    Raises:
        UsageError: The budget or the radius makes no sense, or no frame is usable.
    """
    if radius is None:
        radius = CODES_RADIUS if budget is None else radius_of_budget(distances, budget, usable)
    open_ = _usable(distances, usable)
    count = int(open_.sum())
    wanted = count if budget is None else budget_frames(budget, count)
    preferred = np.zeros(len(open_), np.bool_)
    if ties == "labelled-first":
        preferred[np.asarray(labelled, np.int64)] = True
    scale, picks = Scale.of(distances, open_), []
    reach = _reach(scale, radius)
    neighbours = Neighbours(distances, scale.least, reach)
    for pick in islice(greedy_picks(distances, neighbours, scale, reach, open_, preferred), wanted):
        if pick.farthest and budget is None:
            break
        picks.append(pick)
    coverage = [pick.covered / count for pick in picks]
    return Selection([pick.frame for pick in picks], coverage, sum(pick.farthest for pick in picks))


def radius_of_budget(distances: Distances, budget: float, usable: NDArray[np.bool_] | None = None) -> float:
    """Give the least radius, to a fiftieth of it, at which a budget covers `COVERED` of the usable frames."""
    open_ = _usable(distances, usable)
    count, scale, nobody = int(open_.sum()), Scale.of(distances, open_), np.zeros(len(open_), np.bool_)
    wanted, neighbours = budget_frames(budget, count), Neighbours(distances, scale.least, 0.0)
    low, high = 1e-3, 1.0
    while high > 1.02 * low:
        middle = math.sqrt(low * high)
        reach = scale.reach(middle)
        # Whoever is within a lesser radius is in the lists of a greater one, where they are all kept.
        if neighbours.reach < reach or not neighbours.hold(np.flatnonzero(open_)):
            neighbours = Neighbours(distances, scale.least, reach)
        picks = islice(greedy_picks(distances, neighbours, scale, reach, open_, nobody), wanted)
        covered = any(pick.covered / count >= COVERED for pick in picks)
        low, high = (low, middle) if covered else (middle, high)
    return high


def budget_frames(budget: float, frames: int) -> int:
    """Give the number of frames that a budget is: a share below 1, rounded down, or itself; from 1 to all frames.

    Raises:
        UsageError: It is not above 0, or above 1 and no whole number.
    """
    if not 0 < budget < math.inf or (budget > 1 and budget != int(budget)):
        raise UsageError(
            f"Found a budget of {budget:g} reference frames; wanted a share of the frames between 0 and 1 (0.1 is one "
            "in ten), or a whole number of frames."
        )
    # A share is rarely a binary number: 0.29 of 100 frames is 28.999999999999996 of them.
    return min(frames, max(1, math.floor(budget * frames + 1e-6)) if budget < 1 else int(budget))


def equally_spaced(frames: int, budget: float) -> list[int]:
    """Choose frames at equal intervals, each in the middle of its own: what one would do without looking."""
    count = budget_frames(budget, frames)
    return [(2 * k + 1) * frames // (2 * count) for k in range(count)]


def coverage_curve(
    distances: Distances,
    references: Sequence[int],
    radius: float = CODES_RADIUS,
    usable: NDArray[np.bool_] | None = None,
) -> list[float]:
    """Give the share of the usable frames covered after each of some references, however these were chosen."""
    open_ = _usable(distances, usable)
    scale = Scale.of(distances, open_)
    reach, waiting, shares = _reach(scale, radius), open_.copy(), []
    for some, rows in in_blocks(distances, np.asarray(references, np.int64)):
        for frame, row in zip(some, rows, strict=True):
            waiting &= row.astype(np.float64) - scale.least >= reach
            waiting[frame] = False
            shares.append(float((open_.sum() - waiting.sum()) / open_.sum()))
    return shares


def draw_coverage(curves: Mapping[str, Sequence[float]], frames: int) -> Picture:
    """Draw coverage in percent against the number of references, one line for each way of choosing.

    Args:
        curves: Name -> share of frames covered after each reference.
        frames: Number of all frames, for the caption.
    """
    picture = np.full((420, 640, 3), 255, np.uint8)
    left, right, top, bottom = 64, 620, 20, 360
    longest = max(map(len, curves.values()))
    step = next(s for s in (d * 10**e for e in range(9) for d in (1, 2, 5)) if s * 8 >= longest)
    last = step * -(-longest // step)

    def place(references: float, share: float) -> tuple[int, int]:
        return round(left + (right - left) * references / last), round(bottom - (bottom - top) * share)

    def write(text: str, x: int, y: int) -> None:
        cv2.putText(picture, text, (x, y), cv2.FONT_HERSHEY_SIMPLEX, 0.45, (40, 40, 40), 1, cv2.LINE_AA)

    for percent in range(0, 101, 20):
        cv2.line(picture, place(0, percent / 100), place(last, percent / 100), (225, 225, 225))
        write(f"{percent} %", left - 12 - 9 * len(f"{percent} %"), place(0, percent / 100)[1] + 5)
    for references in range(0, last + 1, step):
        cv2.line(picture, place(references, 0), place(references, 1), (225, 225, 225))
        write(f"{references}", place(references, 0)[0] - 4 * len(f"{references}"), bottom + 20)
    write(f"share of all {frames} frames covered, against the number of reference frames", left, bottom + 46)
    for row, (name, curve) in enumerate(reversed(list(curves.items()))):
        colour = _LINES[(len(curves) - 1 - row) % len(_LINES)]
        points = [place(0, 0), *(place(turn, share) for turn, share in enumerate(curve, 1))]
        cv2.polylines(picture, [np.array(points, np.int32)], False, colour, 2, cv2.LINE_AA)
        y = bottom - 16 - 22 * row
        cv2.line(picture, (right - 190, y - 4), (right - 160, y - 4), colour, 2, cv2.LINE_AA)
        write(name, right - 150, y)
    return picture


def _usable(distances: Distances, usable: NDArray[np.bool_] | None) -> NDArray[np.bool_]:
    if isinstance(distances, np.ndarray) and distances.shape != (len(distances), len(distances)):
        raise ValueError(f"Found distances of shape {distances.shape}, wanted (N, N).")
    open_ = np.ones(len(distances), np.bool_) if usable is None else np.asarray(usable, np.bool_)
    if not open_.any():
        raise UsageError(f"None of the {len(open_)} frames can be a reference; wanted at least one that shows a hand.")
    return open_


def _reach(scale: Scale, radius: float) -> float:
    if not 0 < radius < math.inf:
        raise UsageError(f"Found a radius of {radius:g}; wanted a share of the distances' spread, such as 0.1.")
    return scale.reach(radius)
