"""Two people change one frame: what both want is kept, and where they contradict each other nothing is overwritten."""

import numpy as np
from numpy.typing import NDArray

from refiner.annotate.sessions.labels import ABSENT, SAME_PX, FrameLabels, Pair, makes_circle
from refiner.errors import LabelConflictError
from refiner.hand.skeleton import Skeleton


def empty_labels(frame: int, joints: int) -> FrameLabels:
    """Return labels of a frame of which nothing is known."""
    return FrameLabels(frame, np.full((joints, 2), np.nan), np.zeros(joints, dtype=np.int8))


def merge_labels(
    before: FrameLabels | None,
    mine: FrameLabels,
    theirs: FrameLabels | None,
    skeleton: Skeleton,
    *,
    force: bool = False,
) -> FrameLabels:
    """Merge two changes of one frame, joint by joint.

    Args:
        before: What both started from.
        mine: What one made of it.
        theirs: What the frame shows now.
        skeleton: Names of the joints.
        force: Where both changed the same, take it from `mine`.

    Returns:
        Each joint as the one has it who changed it, and each pair of the order in depth likewise. A pair of a joint
        that is absent in the end says nothing, and is left out.

    Raises:
        LabelConflictError: Both changed a joint, and not to the same, or one says the opposite of the other's order.
    """
    start = before or empty_labels(mine.frame, len(skeleton))
    now = theirs or empty_labels(mine.frame, len(skeleton))
    uv_px, flag, moved = now.uv_px.copy(), now.flag.copy(), []
    for joint, name in enumerate(skeleton.joints):
        if _same(mine, start, joint) or _same(mine, now, joint):
            continue
        if not _same(now, start, joint):
            moved.append(name)
        uv_px[joint], flag[joint] = mine.uv_px[joint], mine.flag[joint]
    nearer, against = _merged_order(start, mine, now, flag)
    if (moved or against) and not force:
        what = [f"moved {', '.join(moved)}"] if moved else []
        what += [f"turned the order of {skeleton.joints[a]} and {skeleton.joints[b]}" for a, b in against]
        raise LabelConflictError(
            f"Somebody else has {' and '.join(what)} of frame {mine.frame} since this page read it."
        )
    return FrameLabels(mine.frame, uv_px, flag, nearer)


def _merged_order(
    start: FrameLabels, mine: FrameLabels, now: FrameLabels, flag: NDArray[np.int8]
) -> tuple[tuple[Pair, ...], list[Pair]]:
    """Return the merged pairs, and those that were left out since they say the opposite of what `mine` added."""
    removed = set(start.nearer) - set(mine.nearer)
    kept = [pair for pair in now.nearer if pair not in removed]
    added = [pair for pair in mine.nearer if pair not in start.nearer and pair not in kept]
    kept, added = ([(a, b) for a, b in pairs if flag[a] and flag[b]] for pairs in (kept, added))
    sure = [*added, *(pair for pair in kept if pair in mine.nearer)]  # no circle: `mine` has none
    against = list[Pair]()
    for pair in kept:
        if pair in mine.nearer:
            continue
        (against if makes_circle(sure, pair) else sure).append(pair)
    return (*(pair for pair in kept if pair not in against), *added), against


def _same(a: FrameLabels, b: FrameLabels, joint: int) -> bool:
    if a.flag[joint] != b.flag[joint]:
        return False
    return bool(a.flag[joint] == ABSENT or np.abs(a.uv_px[joint] - b.uv_px[joint]).max() <= SAME_PX)
