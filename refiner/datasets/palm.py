"""Find the middle of the hand among the points of a hand with its arm.

The arm is where the part leaves the image or runs on behind the searched slab, at the widest such place; or, where the
part stands free, the end that looks like an arm. The palm is the thickest place within 170 mm of the other end, and the
hand reaches to 95 mm beyond it towards the arm. The centre is the mean of the hand's points, each weighted with its
distance from the outline: between the middle of the palm, from which long fingers would stick out of the cube, and
the mean of the silhouette, which moves with every finger.

All lengths suit an adult's hand; `scale` stretches them.
"""

import math

import numba
import numpy as np

HAND_MM = 170.0
"""Reach from the fingers' end in which the palm is the thickest place, stretched or closed."""
HEEL_MM, FADE_MM = 95.0, 40.0
"""The hand ends so far from the palm's middle towards the arm; there the weights fade in over this length."""
THIN_MM = 15.0
"""An end is fingers where no disc inside it is larger."""
CONTACT_MM = 40.0
"""Half the width of an arm: cells where it leaves lie this close together."""
TIP_CELLS = 4
"""So many cells (100 mm2) may lie further than the end: flying pixels."""


@numba.njit(nogil=True, cache=True)
def palm_centre(points, leaves, scale):
    """Give the middle of the hand.

    Args:
        points: (K, 4) x, y, z and distance to the outline, millimetres; K > 0.
        leaves: (K,) bool, the part may go on there: border of the image, end of the slab.
        scale: Length of the hand relative to an adult's.

    Returns:
        (3,) millimetres, the frame of the points.
    """
    total = len(points)
    arm = _where_the_arm_leaves(points, leaves, scale)
    if arm < 0:
        arm = _arm_end(points, scale)
    distance = np.empty(total)
    for n in range(total):
        distance[n] = _apart(points, n, arm)
    hand_from = np.sort(distance)[max(0, total - 1 - TIP_CELLS)] - scale * HAND_MM
    thickest = -1
    for n in range(total):
        if distance[n] >= hand_from and (thickest < 0 or points[n, 3] > points[thickest, 3]):
            thickest = n
    heel = distance[thickest] - scale * HEEL_MM
    centre, total_weight = np.zeros(3), 0.0
    for n in range(total):
        if distance[n] > heel:
            # Fading in, so that a small change of the thickest place changes little.
            weight = points[n, 3] * min((distance[n] - heel) / (scale * FADE_MM), 1.0)
            for k in range(3):
                centre[k] += weight * points[n, k]
            total_weight += weight
    return centre / total_weight


@numba.njit(nogil=True, cache=True)
def _apart(points, n, m):
    dx, dy, dz = points[n, 0] - points[m, 0], points[n, 1] - points[m, 1], points[n, 2] - points[m, 2]
    return math.sqrt(dx * dx + dy * dy + dz * dz)


@numba.njit(nogil=True, cache=True)
def _where_the_arm_leaves(points, leaves, scale):
    """The cell with most leaving cells around it, or -1 where the part stands free."""
    best, most = -1, 0.0
    for n in range(len(points)):
        if not leaves[n]:
            continue
        weight = 0.0
        for m in range(len(points)):
            if leaves[m]:
                weight += max(0.0, 1.0 - _apart(points, n, m) / (scale * CONTACT_MM))
        if weight > most:
            best, most = n, weight
    return best


@numba.njit(nogil=True, cache=True)
def _arm_end(points, scale):
    """The end of a free part that is the stump of an arm: thicker than fingers; farther or thinner than a fist."""
    thickest, one, other = 0, 0, 0
    for n in range(len(points)):
        if points[n, 3] > points[thickest, 3]:
            thickest = n
    for n in range(len(points)):
        if _apart(points, n, thickest) > _apart(points, one, thickest):
            one = n
    for n in range(len(points)):
        if _apart(points, n, one) > _apart(points, other, one):
            other = n
    thick_one, thick_other = 0.0, 0.0
    for n in range(len(points)):
        if _apart(points, n, one) < scale * CONTACT_MM:
            thick_one = max(thick_one, points[n, 3])
        if _apart(points, n, other) < scale * CONTACT_MM:
            thick_other = max(thick_other, points[n, 3])
    if min(thick_one, thick_other) < scale * THIN_MM:
        return one if thick_one > thick_other else other
    return one if points[one, 2] - 2 * thick_one > points[other, 2] - 2 * thick_other else other
