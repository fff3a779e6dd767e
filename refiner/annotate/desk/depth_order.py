"""Which end of a bone is nearer, proposed from the depth under the clicks."""

from collections.abc import Collection
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from refiner.annotate.sessions.labels import FrameLabels, Pair, makes_circle, without_absent
from refiner.annotate.sessions.truth import NEARER_MM
from refiner.hand.skeleton import Skeleton


def proposed_pair(parent: int, child: int, lifted_mm: NDArray[np.float64]) -> Pair | None:
    """Return (nearer, farther) of a bone whose ends are seen more than 10 mm apart in depth, else nothing.

    Args:
        parent: Index of the one end.
        child: Index of the other.
        lifted_mm: (J, 3) joints whose depth is seen; NaN elsewhere.
    """
    behind_mm = lifted_mm[child, 2] - lifted_mm[parent, 2]
    if not abs(behind_mm) > NEARER_MM:  # NaN where an end is not seen
        return None
    return (parent, child) if behind_mm > 0 else (child, parent)


def pair_of_bone(labels: FrameLabels, parent: int, child: int) -> Pair | None:
    """Return the pair of a bone's ends that labels hold, nothing where they hold none."""
    return next((pair for pair in labels.nearer if set(pair) == {parent, child}), None)


def with_proposals(
    labels: FrameLabels,
    before: FrameLabels,
    moved: Collection[int],
    lifted_mm: NDArray[np.float64],
    lifted_before_mm: NDArray[np.float64],
    skeleton: Skeleton,
) -> FrameLabels:
    """Return labels with the order that the depth proposes for bones whose ends were moved.

    An order that differs from what was proposed before is a person's own: it stays. Nothing is proposed that would say
    the opposite of what stays.

    Args:
        labels: After the change.
        before: Before it.
        moved: Joints that were moved.
        lifted_mm: (J, 3) of `labels`, see `proposed_pair`.
        lifted_before_mm: (J, 3) of `before`.
        skeleton: Names and tree of the joints.
    """
    pairs = without_absent(labels).nearer
    for parent, child in skeleton.bones:
        if parent not in moved and child not in moved:
            continue
        said = pair_of_bone(before, parent, child)
        if pair_of_bone(labels, parent, child) != said:
            continue  # this very change says how it lies
        pair = proposed_pair(parent, child, lifted_mm)
        if said != proposed_pair(parent, child, lifted_before_mm) or said == pair:
            continue
        pairs = tuple(one for one in pairs if set(one) != {parent, child})
        if pair is not None and not makes_circle(pairs, pair):
            pairs = (*pairs, pair)
    return replace(labels, nearer=pairs)
