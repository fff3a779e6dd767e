"""Hands about given ones: turned a little, and each joint bent a little, within the limits."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from refiner.hand.collision import overlap_mm
from refiner.hand.limits import pose_limits
from refiner.hand.model import HandModel

TRIES = 16
"""Draws for one hand before its joints are left as they are: closed fists have little room."""
_STREAM = 0x6A69


def jitter_hands(
    model: HandModel, pose: NDArray[np.float64], shape: NDArray[np.float64], jitter_deg: float, seed: int,
    items: Sequence[int] | NDArray[np.int64],
) -> NDArray[np.float64]:  # fmt: skip
    """Draw a hand about each given one.

    A joint that a given hand bends beyond its limit may stay there, and goes no farther; a hand cuts through itself no
    more than the given one does. Item i of a seed is the same bytes whatever else is drawn with it.

    Args:
        model: The hand.
        pose: (N, 26).
        shape: (N, 17) or (N, 113).
        jitter_deg: Standard deviation of the turn about each axis and of each angle.
        seed: Not negative.
        items: (N,) numbers of the items, not negative.

    Returns:
        (N, 26).
    """
    low, high = pose_limits(model)
    low, high = np.minimum(low, pose), np.maximum(high, pose)
    bare = shape[:, : len(model.shape_names)]
    most_mm = np.maximum(overlap_mm(model, pose, bare), 0.0)
    draws = [np.random.default_rng((_STREAM, seed, int(item))).standard_normal((1 + TRIES, 23)) for item in items]
    by_item = np.deg2rad(jitter_deg) * np.array(draws).reshape(len(pose), 1 + TRIES, 23)
    result = pose.copy()
    result[:, :3] = (Rotation.from_rotvec(by_item[:, 0, :3]) * Rotation.from_rotvec(pose[:, :3])).as_rotvec()
    left = np.arange(len(pose))
    for attempt in range(1, 1 + TRIES):
        tried = result[left]
        tried[:, 3:] = np.clip(pose[left, 3:] + by_item[left, attempt], low[left, 3:], high[left, 3:])
        free = overlap_mm(model, tried, bare[left]) <= most_mm[left]
        result[left[free]] = tried[free]
        left = left[~free]
        if not len(left):
            break
    return result
