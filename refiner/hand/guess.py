"""Where a fit of the hand begins: a rigid motion laid on joints, and angles read off bones."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def lay_points(points: Floats, onto: Floats, weight: Floats) -> tuple[Floats, Floats]:
    """Give the rigid motions (n, 3, 3), (n, 3) that bring points nearest to others."""
    share = (weight / weight.sum(axis=1, keepdims=True))[:, :, None]
    middle, onto_middle = (points * share).sum(axis=1), (onto * share).sum(axis=1)
    # Products matrix by matrix: others would come out a little different among more hands.
    moment = ((onto - onto_middle[:, None]) * share).swapaxes(1, 2) @ (points - middle[:, None])
    left, _, right = np.linalg.svd(moment)
    left[:, :, 2] *= np.linalg.det(left @ right)[:, None]
    rotation = left @ right
    return rotation, onto_middle - (rotation @ middle[:, :, None])[:, :, 0]


def read_bends(joints_mm: Floats, rotation: Floats, mirror: Floats, flat_frame: Floats) -> Floats:
    """Read the angles off the bones.

    Args:
        joints_mm: (n, 21, 3), NaN where unknown.
        rotation: (n, 3, 3) camera_from_hand, without the mirror of left hands.
        mirror: (n, 1), -1 for left hands, else 1.
        flat_frame: (5, 3, 3) of the hand model.

    Returns:
        (n, 21) radians, the pose without rotation and wrist; NaN for the thumb's twist and where joints are unknown.
    """
    bones = np.diff(joints_mm[:, 1:].reshape(-1, 5, 4, 3), axis=2) @ rotation[:, None]
    bones[..., 0] *= mirror[:, :, None]
    length = np.linalg.norm(bones, axis=3, keepdims=True)
    bones /= np.where(length > 0, length, np.nan)
    angles = np.full((len(joints_mm), 21), np.nan)
    for digit in range(5):
        at = 0 if digit == 0 else 1 + 4 * digit
        first = (bones[:, digit, :1] @ flat_frame[digit])[:, 0]
        angles[:, at] = np.arctan2(first[:, 2], first[:, 1])
        angles[:, at + 1] = np.arcsin(np.clip(first[:, 0], -1.0, 1.0)) * (-1.0 if digit > 2 else 1.0)
        cosine = np.sum(bones[:, digit, :2] * bones[:, digit, 1:], axis=2)
        bend = at + (3 if digit == 0 else 2)
        angles[:, bend : bend + 2] = np.arccos(np.clip(cosine, -1.0, 1.0))
    return angles
