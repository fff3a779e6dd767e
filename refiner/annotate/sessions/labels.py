"""What a person says of a frame: where each joint is, whether it is seen, which of two is nearer."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from graphlib import CycleError, TopologicalSorter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from refiner.errors import LabelError
from refiner.hand.skeleton import Skeleton

Pair = tuple[int, int]
"""Joints (a, b), a nearer to the camera than b."""

ABSENT, OCCLUDED, VISIBLE = 0, 1, 2

SAME_PX = 1e-3
"""Two clicks on one joint that differ by less are one."""


@dataclass(frozen=True, eq=False)
class FrameLabels:
    """The labels of one frame.

    Attributes:
        frame: Index in the session's store.
        uv_px: (J, 2) pixels of the stored crop, NaN where absent.
        flag: (J,) 0 absent, 1 occluded, 2 visible.
        nearer: Pairs (a, b) of joints, a nearer to the camera than b.
    """

    frame: int
    uv_px: NDArray[np.float64]
    flag: NDArray[np.int8]
    nearer: tuple[Pair, ...] = ()


def inside(uv_px: NDArray[np.floating], size: int) -> NDArray[np.bool_]:
    """Return which pixels (J, 2) lie in a crop."""
    return np.all((uv_px >= -0.5) & (uv_px <= size - 0.5), axis=1)  # NaN is nowhere


def check_labels(labels: FrameLabels, skeleton: Skeleton, size: int, frames: int) -> None:
    """Check the labels of one frame.

    Args:
        labels: What to check. Where a joint is absent, its pixel is not looked at.
        skeleton: Its joints are those of the session.
        size: Side of the crops in pixels.
        frames: Number of frames in the session.

    Raises:
        LabelError: A joint or frame that does not exist, a click outside the crop, contradictory order.
    """
    if not 0 <= labels.frame < frames:
        raise LabelError(f"Found labels of frame {labels.frame}, wanted 0 to {frames - 1}. Label frames that exist.")
    where, joints = f"frame {labels.frame}", skeleton.joints
    uv_px, flag = np.asarray(labels.uv_px), np.asarray(labels.flag)
    if uv_px.shape != (len(joints), 2) or flag.shape != (len(joints),):
        raise LabelError(
            f"{where}: found uv_px of shape {uv_px.shape} and flag of shape {flag.shape}, wanted those of "
            f"{len(joints)} joints. Label the joints of {skeleton.name!r}."
        )
    if (strange := ~np.isin(flag, (ABSENT, OCCLUDED, VISIBLE))).any():
        joint = int(np.argmax(strange))
        raise LabelError(
            f"{where}: found the flag {flag[joint]} of {joints[joint]}, wanted 0 absent, 1 occluded or 2 visible."
        )
    if (wrong := (flag != ABSENT) & ~inside(uv_px, size)).any():
        joint = int(np.argmax(wrong))
        u, v = uv_px[joint]
        raise LabelError(
            f"{where}: found {joints[joint]} at ({u:g}, {v:g}) px, wanted both from -0.5 to {size - 0.5}, inside the "
            "crop. Move it there, or give it the flag 0 (absent)."
        )
    _check_order(labels.nearer, flag, joints, where)


def without_absent(labels: FrameLabels) -> FrameLabels:
    """Return labels without the orders of absent joints: these say nothing."""
    lost = set(np.flatnonzero(np.asarray(labels.flag) == ABSENT).tolist())
    return replace(labels, nearer=tuple(pair for pair in labels.nearer if not lost & set(pair)))


def makes_circle(nearer: Iterable[Pair], pair: Pair) -> bool:
    """Return whether pairs, one after another, say the opposite of another one."""
    behind: dict[int, list[int]] = {}
    for near, far in nearer:
        behind.setdefault(near, []).append(far)
    reached, ahead = set[int](), [pair[1]]
    while ahead:
        joint = ahead.pop()
        if joint not in reached:
            reached.add(joint)
            ahead += behind.get(joint, [])
    return pair[0] in reached


def merged(several: Sequence[FrameLabels], skeleton: Skeleton) -> FrameLabels:
    """Take several labels of one frame together: each joint is where the ones that have it say.

    Raises:
        LabelError: Two have the same joint at different places, or do not agree whether it is seen.
    """
    first = several[0]
    if len(several) == 1:
        return first
    uv_px, flag, nearer = first.uv_px.copy(), first.flag.copy(), dict.fromkeys(first.nearer)
    for one in several[1:]:
        both = (flag != ABSENT) & (one.flag != ABSENT)
        with np.errstate(invalid="ignore"):  # a file may hold infinity twice, whose difference is no number
            other = both & ((flag != one.flag) | ~(np.abs(uv_px - one.uv_px).max(axis=1) <= SAME_PX))
        if other.any():
            joint = int(np.argmax(other))
            places = " and ".join(
                f"({at.uv_px[joint, 0]:g}, {at.uv_px[joint, 1]:g}) px with the flag {at.flag[joint]}"
                for at in (replace(first, uv_px=uv_px, flag=flag), one)
            )
            raise LabelError(
                f"found {skeleton.joints[joint]} of frame {one.frame} at {places}, wanted it once. Remove one of them; "
                "labels of a second hand have no place in a session."
            )
        new = one.flag != ABSENT
        uv_px[new], flag[new] = one.uv_px[new], one.flag[new]
        nearer |= dict.fromkeys(one.nearer)
    return replace(first, uv_px=uv_px, flag=flag, nearer=tuple(nearer))


def _check_order(nearer: Sequence[tuple[int, int]], flag: NDArray[Any], joints: Sequence[str], where: str) -> None:
    order: TopologicalSorter[int] = TopologicalSorter()
    for pair in nearer:
        if len(pair) != 2 or not all(0 <= joint < len(joints) for joint in pair):
            raise LabelError(
                f"{where}: found {list(pair)} in `nearer`, wanted joints from 0 to {len(joints) - 1}. Mend it."
            )
        names = [joints[joint] for joint in pair]
        if pair[0] == pair[1]:
            raise LabelError(f"{where}: found {names[0]} nearer than itself, wanted two joints. Remove the pair.")
        if absent := [joints[joint] for joint in pair if flag[joint] == ABSENT]:
            raise LabelError(
                f"{where}: found {names[0]} nearer than {names[1]}, but {absent[0]} is absent. Click it, or remove the "
                "pair."
            )
        order.add(pair[1], pair[0])
    try:
        order.prepare()
    except CycleError as error:
        circle = " nearer than ".join(str(joints[joint]) for joint in error.args[1])
        raise LabelError(
            f"{where}: found {circle}, wanted an order without circles. Remove one of the pairs."
        ) from None
