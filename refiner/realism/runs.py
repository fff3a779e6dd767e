"""Which maps are learnt from and which are asked about, so that no classifier can know a hand again.

Frames of a recording are not independent. What a Gaussian mean leaves of a Kinect v2's map, whose hand moves,
correlates by 0.76, 0.60 and 0.33 with that of the frame 1, 5 and 20 later. Of a Kinect v1's, whose hand holds one pose
in a sequence, it does so by 0.82, 0.69 and 0.70, and by 0.36 with that of another sequence
(`experiments/results/same_hand_*.json`). So after 20 frames a hand that moves is as new as in another sequence; a hand
that keeps still is new in another sequence alone. Therefore:

- all maps of one hand are on one side (`refiner.realism.timeline` says which these are);
- sets of several sequences are divided by whole sequences, others in time, with a gap (`apart`);
- sets to learn from that a recording shares with those that are asked about keep a gap, too (`learnable`);
- intervals resample whole sequences, or runs of frames as long as a gap (`clusters`);
- a control says whether hands are known again all the same (`stretches`).
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from refiner.realism.timeline import Timeline

GAP_FRAMES = 20
"""Frames between what is learnt from and what is asked about: a hand that moves is forgotten by then."""
MOST_LOST = 0.25
"""Share of a set's items that gaps take at most; where `GAP_FRAMES` would take more they are shorter."""
FEWEST_SEQUENCES = 4
"""A set with so many sequences, none with more than half of its items, is divided by whole ones."""
BLOCKS = 40
"""A set is cut into so many blocks at most."""
LEARNT, ASKED, LEFT_OUT = 0, 1, 2


@dataclass(frozen=True)
class Division:
    """Sides of a set's items.

    Attributes:
        roles: (n,) `LEARNT`, `ASKED` or `LEFT_OUT`.
        gap_frames: Frames between both sides where they share a sequence; none where they share none.
    """

    roles: NDArray[np.int64]
    gap_frames: int | None


Divide = Callable[[Timeline, int], Division]


def apart(timeline: Timeline, seed: int) -> Division:
    """Divide a set about evenly: by whole sequences where there are enough (`FEWEST_SEQUENCES`), else in time."""
    return (by_sequence if _many_sequences(timeline) else by_time)(timeline, seed)


def by_sequence(timeline: Timeline, seed: int) -> Division:
    """Divide a set by whole sequences; by blocks of neighbouring ones where there are more than `BLOCKS`.

    Large ones are given out first, each to the side that has fewer items so far; which of equal ones comes first is
    drawn. Even seeds begin with the side that is learnt from, odd ones with the other.
    """
    _, sequence, sizes = np.unique(timeline.sequence, return_inverse=True, return_counts=True)
    middle = (np.cumsum(sizes) - sizes / 2) / max(len(timeline), 1)
    block = np.arange(len(sizes)) if len(sizes) <= BLOCKS else (middle * BLOCKS).astype(int)
    weights = np.bincount(block, sizes)
    drawn = np.random.default_rng((0x7365, seed)).permutation(len(weights))
    side, lead = np.zeros(len(weights), np.int64), 0.0
    for number in drawn[np.argsort(-weights[drawn], kind="stable")]:
        side[number] = int(lead > 0)
        lead += weights[number] if side[number] == 0 else -weights[number]
    return Division((side + seed)[block][sequence] % 2, None)


def by_time(timeline: Timeline, seed: int) -> Division:
    """Divide a set into blocks of neighbouring frames, learnt from and asked about in turn, with gaps between them.

    There are as many blocks as leave room for gaps of `GAP_FRAMES`, at least two. A gap is taken in equal parts from
    both sides. Odd seeds ask about what even ones learn from, but for the places of the cuts, which are drawn.
    """
    hand = timeline.hands()
    count = int(hand.max(initial=-1)) + 1
    blocks = int(np.clip(1 + MOST_LOST * count // GAP_FRAMES, 2, BLOCKS))
    block = np.clip(np.floor(hand * blocks / max(count, 1) + _shift(seed)), 0, blocks - 1).astype(np.int64)
    roles = (block + seed) % 2
    distance = np.full(len(timeline), np.inf)
    for role in (LEARNT, ASKED):
        distance[roles == role] = _frames_to(timeline[roles == role], timeline[roles != role])
    half = _longest(distance, GAP_FRAMES // 2)
    roles[distance <= half] = LEFT_OUT
    return Division(roles, 2 * half if np.isfinite(distance).any() else None)


def learnable(learn: Timeline, asked: Timeline) -> Division:
    """Choose what may be learnt from of a set of its own: all that is a gap away from what is asked about.

    The same hand is never learnt from, whatever share that leaves out.
    """
    distance = _frames_to(learn, asked)
    gap = _longest(distance, GAP_FRAMES)
    return Division(np.where(distance <= gap, LEFT_OUT, LEARNT), gap if np.isfinite(distance).any() else None)


def stretches(timeline: Timeline, roles: NDArray[np.int64]) -> NDArray[np.int64]:
    """Cut real maps into stretches for a control that sees leakage.

    Leakage is that a classifier names a hand rightly since it has learnt from the same hand, and not since it has found
    what tells the two sets apart. A control for it needs two sets that nothing tells apart but memory, and memory has
    to help: what is asked about must belong to the same set as what it resembles among what was learnt from. So real
    maps are cut into stretches of time each of which reaches over a border between a block that is learnt from and one
    that is asked about: from the middle of the one, over the gap, to the middle of the other. Stretches make up the one
    set and the other in turn. Where a hand is known again across the gap, the two sets are told apart.

    Sets that are drawn map by map cannot show it: each stretch is in both of them, and to know it again helps nobody.
    The units that an interval of the control resamples are stretches: of one border alone nothing can be said, since
    what is asked about resembles one of the two sets more in any case.

    Args:
        timeline: Of all items.
        roles: (n,), see `Division`.

    Returns:
        (n,) numbers of stretches in order of time; of what is left out they mean nothing.
    """
    kept = roles != LEFT_OUT
    hands, first, hand = np.unique(timeline.hands()[kept], return_index=True, return_inverse=True)
    role = roles[kept][first]
    block = np.concatenate([np.zeros(1, int), np.cumsum(np.diff(role) != 0)])[: len(hands)]
    sizes = np.bincount(block, minlength=1)
    place = np.arange(len(hands)) - (np.cumsum(sizes) - sizes)[block]
    result = np.zeros(len(roles), np.int64)
    result[kept] = (block + (2 * place >= sizes[block]))[hand]
    return result


def clusters(timeline: Timeline) -> NDArray[np.int64]:
    """Return the number of the run that each item belongs to, (n,), the units that intervals resample.

    Whole sequences where there are enough of them (`FEWEST_SEQUENCES`), else `short_runs`. Hands that were drawn are
    sequences of their own.
    """
    return timeline.sequence << 32 if _many_sequences(timeline) else short_runs(timeline)


def short_runs(timeline: Timeline) -> NDArray[np.int64]:
    """Return the number of the run of `GAP_FRAMES` frames of one sequence that each item belongs to, (n,)."""
    return (timeline.sequence << 32) + timeline.frame // GAP_FRAMES


def _shift(seed: int) -> float:
    """Draw how much cuts move, as a share of a block."""
    return float(np.random.default_rng((0x7469, seed)).uniform(-0.125, 0.125))


def _many_sequences(timeline: Timeline) -> bool:
    sizes = np.unique(timeline.sequence, return_counts=True)[1]
    return len(sizes) >= FEWEST_SEQUENCES and 2 * sizes.max() <= len(timeline)


def _frames_to(these: Timeline, others: Timeline) -> NDArray[np.float64]:
    """Return how many frames the nearest of the others of the same sequence is away, (n,); infinity without any."""
    result = np.full(len(these), np.inf)
    for sequence in np.intersect1d(these.sequence, others.sequence):
        here = these.sequence == sequence
        frames = np.sort(others.frame[others.sequence == sequence])
        after = np.searchsorted(frames, these.frame[here])
        nearest = [frames[np.clip(after + side, 0, len(frames) - 1)] for side in (-1, 0)]
        result[here] = np.min(np.abs(np.array(nearest) - these.frame[here]), axis=0)
    return result


def _longest(distance: NDArray[np.float64], most: int) -> int:
    """Return the greatest distance, of `most` at most, that leaves out no more than `MOST_LOST` of the items."""
    return next((gap for gap in range(most, 0, -1) if np.mean(distance <= gap) <= MOST_LOST), 0)
