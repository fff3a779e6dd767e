"""Tell whether a posed hand cuts through itself: tapered capsules along the bones against each other and the palm.

Each phalanx is a capsule whose radius runs linearly between those of its two joints; the palm is four such capsules
from the carpus to the knuckles, midway between palm and back. Radii follow the shape parameters. Flesh gives way, and
capsules are rounder than fingers, so a pair may overlap by an allowance before it counts.
"""

import numba
import numpy as np

from refiner.hand.kinematics import move_bones, shape_points
from refiner.hand.model import HandModel

ALLOWED_DIGITS_MM = 3.0
"""Overlap allowed between two digits: pads give some 2 mm each when pressed, and radii are means over the outline."""
ALLOWED_PALM_MM = 4.0
"""Overlap allowed between a digit and the palm, whose hollow the capsules do not have."""
PAIRS = 10 * (3 * 3 - 1) + 5 * 2 * 4
"""Pairs of parts: of two digits' bones but their first, and of each digit's outer bones and the palm."""


@numba.njit(nogil=True, cache=True)
def segment_gap(a, b, ra, rb, c, d, rc, rd):
    """Distance between two tapered capsules (3-vectors a-b and c-d, radii at their ends); negative is overlap.

    Taken at the closest points of the two axes (Ericson, "Real-time collision detection", 2005, section 5.1.9), which
    is exact for equal radii and good to a fraction of the taper otherwise.
    """
    uu = uv = vv = uw = vw = 0.0
    for i in range(3):
        u, v, w = b[i] - a[i], d[i] - c[i], a[i] - c[i]
        uu += u * u
        uv += u * v
        vv += v * v
        uw += u * w
        vw += v * w
    det = uu * vv - uv * uv
    s = min(max((uv * vw - uw * vv) / det, 0.0), 1.0) if det > 1e-9 * uu * vv else 0.0
    t = (uv * s + vw) / vv
    if t < 0.0:
        t, s = 0.0, min(max(-uw / uu, 0.0), 1.0)
    elif t > 1.0:
        t, s = 1.0, min(max((uv - uw) / uu, 0.0), 1.0)
    squared = 0.0
    for i in range(3):
        gap = a[i] + s * (b[i] - a[i]) - c[i] - t * (d[i] - c[i])
        squared += gap * gap
    return np.sqrt(squared) - ra - s * (rb - ra) - rc - t * (rd - rc)


@numba.njit(nogil=True, cache=True)
def pair_overlaps(joints, radius, palm, palm_radius, allowed_digits, allowed_palm, out):
    """Write the overlap (PAIRS,) in mm of every pair beyond its allowance, of a hand given by its joints (21, 3)."""
    at = 0
    for first in range(5):
        for second in range(first + 1, 5):
            for i in range(3):
                a = 1 + 4 * first + i
                for j in range(3):
                    c = 1 + 4 * second + j
                    # What grows out of the palm side by side always touches: the first bones of any two digits, and
                    # the thumb's metacarpal against the index finger's first bone.
                    if i == 0 and j == 0:
                        continue
                    gap = segment_gap(
                        joints[a], joints[a + 1], radius[a], radius[a + 1],
                        joints[c], joints[c + 1], radius[c], radius[c + 1],
                    )  # fmt: skip
                    out[at] = -gap - allowed_digits
                    at += 1
    for digit in range(5):
        for i in range(1, 3):
            a = 1 + 4 * digit + i
            for k in range(4):
                gap = segment_gap(
                    joints[a], joints[a + 1], radius[a], radius[a + 1],
                    palm[2 * k], palm[2 * k + 1], palm_radius[2 * k], palm_radius[2 * k + 1],
                )  # fmt: skip
                out[at] = -gap - allowed_palm
                at += 1


@numba.njit(nogil=True, cache=True)
def crowding(joints, radius):
    """Largest overlap in mm of neighbouring fingers of a hand laid flat (joints (21, 3)): how tightly they fit."""
    worst = -1e9
    for first in range(1, 4):
        for i in range(3):
            a = 1 + 4 * first + i
            for j in range(3):
                c = 5 + 4 * first + j
                if i == 0 and j == 0:
                    continue
                gap = segment_gap(
                    joints[a], joints[a + 1], radius[a], radius[a + 1],
                    joints[c], joints[c + 1], radius[c], radius[c + 1],
                )  # fmt: skip
                worst = max(worst, -gap)
    return worst


@numba.njit(nogil=True, cache=True)
def _overlaps(
    pose, shape, rest_joints, joints_by, rest_axis, flat_frame, radius, radius_by, palm, palm_by, palm_radius,
    palm_radius_by, allowed_digits, allowed_palm, out,
):  # fmt: skip
    rest, joints, bones = np.empty((21, 3)), np.empty((21, 3)), np.empty((17, 3, 4))
    shaped_radius, shaped_palm, shaped_palm_radius = np.empty(21), np.empty((8, 3)), np.empty(8)
    flat = np.zeros(pose.shape[1] - 3)
    for n in range(len(pose)):
        shape_points(rest_joints, joints_by, shape[n], rest.reshape(-1))
        shape_points(radius, radius_by, shape[n], shaped_radius)
        shape_points(palm, palm_by, shape[n], shaped_palm.reshape(-1))
        shape_points(palm_radius, palm_radius_by, shape[n], shaped_palm_radius)
        # Thick fingers on a narrow palm press on each other even when they lie side by side; that is never refused.
        move_bones(flat, rest, rest_axis, flat_frame, bones, joints)
        allowed = max(allowed_digits, crowding(joints, shaped_radius) + 0.5)
        move_bones(pose[n, 3:], rest, rest_axis, flat_frame, bones, joints)
        pair_overlaps(joints, shaped_radius, shaped_palm, shaped_palm_radius, allowed, allowed_palm, out[n])


def pair_overlaps_mm(model: HandModel, pose: np.ndarray, shape: np.ndarray) -> np.ndarray:
    """Measure how far each pair of a hand's parts overlaps.

    Args:
        model: The hand.
        pose: (N, P) radians; the global rotation does not matter.
        shape: (N, S).

    Returns:
        (N, PAIRS) mm beyond each pair's allowance; above 0 the pose is impossible.
    """
    out = np.empty((len(pose), PAIRS))
    _overlaps(
        np.ascontiguousarray(pose, dtype=np.float64), np.ascontiguousarray(shape, dtype=np.float64),
        model.rest_joints, model.joint_directions, model.rest_axis, model.flat_frame,
        model.radius_mm, model.direction_radius_mm, model.palm_mm.reshape(-1),
        model.direction_palm_mm.reshape(len(model.direction_palm_mm), -1), model.palm_radius_mm,
        model.direction_palm_radius_mm, ALLOWED_DIGITS_MM, ALLOWED_PALM_MM, out,
    )  # fmt: skip
    return out


def overlap_mm(model: HandModel, pose: np.ndarray, shape: np.ndarray) -> np.ndarray:
    """Measure how far hands cut through themselves: (N,) mm, of the worst of `pair_overlaps_mm`."""
    return pair_overlaps_mm(model, pose, shape).max(axis=1)
