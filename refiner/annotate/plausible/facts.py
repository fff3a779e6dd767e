"""What is known of a hand before anything of it is labelled: lengths, thickness, order of its fingers."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from refiner.annotate.sessions.truth import surface_offset_mm
from refiner.hand.skeleton import FINGERS, HAND21, SKELETONS, Skeleton, map_joints, weights_from_hand21

Floats = NDArray[np.float64]

UNKNOWN_SIZE_MM = 10.0
"""Radius of the flesh about a joint that the hand model does not have."""


@dataclass(frozen=True, eq=False)
class HandFacts:
    """What is known of the joints of a skeleton.

    Attributes:
        size_mm: (J,) radius of the flesh about each joint.
        offset_mm: (J,) depth of each joint below the skin.
        usual_mm: (J,) bone lengths of the mean hand, NaN at the root and where the skeleton is not a known hand.
        to_hand21: (21,) index of each joint of `hand21` in the skeleton; nothing where it has other joints.
        fingers_reversed: (J,) the order in which index and little, middle and ring change places; nothing where the
            skeleton does not name them all.
    """

    size_mm: Floats
    offset_mm: Floats
    usual_mm: Floats
    to_hand21: NDArray[np.int64] | None
    fingers_reversed: NDArray[np.int64] | None


def hand_facts(skeleton: Skeleton) -> HandFacts:
    """Return what is known of the joints of a skeleton; of one that is no known set of hand joints that is little."""
    known = SKELETONS.get(skeleton.name)
    usual_mm, size_mm = np.full(len(skeleton), np.nan), np.full(len(skeleton), UNKNOWN_SIZE_MM)
    if known is not None and known == skeleton:
        from refiner.hand.model import load_hand

        usual_mm = skeleton.bone_lengths(map_joints(_mean_joints_mm(), skeleton.name))
        radius_mm, made_of = load_hand().radius_mm, weights_from_hand21(skeleton.name) > 0
        size_mm = np.array([radius_mm[used].max() for used in made_of], dtype=np.float64)
    same = set(skeleton.joints) == set(HAND21.joints)
    to_hand21 = np.array([skeleton.joints.index(name) for name in HAND21.joints]) if same else None
    offset_mm = surface_offset_mm(HAND21)[np.argsort(to_hand21)] if to_hand21 is not None else np.zeros(len(skeleton))
    return HandFacts(size_mm, offset_mm, usual_mm, to_hand21, _reversed(skeleton))


def usual_lengths_mm() -> Floats:
    """Return the bone lengths (21,) of the hand model's mean hand, NaN at the root."""
    return HAND21.bone_lengths(_mean_joints_mm())


def _mean_joints_mm() -> Floats:
    from refiner.hand.model import load_hand, pose_joints

    model = load_hand()
    pose, shape = np.zeros((1, len(model.pose_names))), np.zeros((1, len(model.shape_names)))
    return pose_joints(model, pose, shape, np.zeros(1, dtype=np.int64)).astype(np.float64)[0]


def _reversed(skeleton: Skeleton) -> NDArray[np.int64] | None:
    order = []
    for name in skeleton.joints:
        finger, _, part = name.partition("_")
        if finger in FINGERS:
            name = f"{FINGERS[len(FINGERS) - 1 - FINGERS.index(finger)]}_{part}"
        if name not in skeleton.joints:
            return None
        order.append(skeleton.joints.index(name))
    return None if order == list(range(len(skeleton))) else np.array(order)
