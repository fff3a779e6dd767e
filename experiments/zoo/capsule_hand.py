"""A right hand of rounded cones, with exact joints: another hand than the one that the refiner's renders show.

A rounded cone is the hull of two spheres; a finger's bone is one, and a palm is some of them side by side. The hand's
frame: the wrist is the origin, x points to the thumb's side, y along the stretched fingers, z out of the palm. Fingers
bend towards +z in the plane that their spread gives, so their joints follow by hand from lengths and angles.

Lengths and angles are those of an adult, rounded from anatomy: phalanges of 18 to 47 mm, knuckles that bend to 90
degrees, middle joints to 105, end joints about 0.6 times as far as the middle ones.
"""

import itertools
import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

KNUCKLES_MM = np.array([(25.0, 92.0, -2.0), (3.0, 96.0, -5.0), (-17.0, 90.0, -4.0), (-35.0, 80.0, 0.0)])
"""Bases of index, middle, ring and little finger."""
PHALANGES_MM = np.array([(43.0, 26.0, 19.0), (47.0, 30.0, 20.0), (44.0, 28.0, 20.0), (34.0, 21.0, 18.0)])
FINGER_RADII_MM = np.array([(10.8, 9.6, 8.4, 7.0), (11.0, 9.8, 8.6, 7.2), (10.4, 9.2, 8.1, 6.9), (9.4, 8.1, 7.1, 6.1)])
"""At base, middle joint, end joint and tip."""
THUMB_BASE_MM = np.array([19.0, 22.0, 7.0])
THUMB_BONES_MM = np.array([45.0, 33.0, 25.0])
THUMB_RADII_MM = np.array([15.0, 12.0, 10.2, 8.2])
WRIST_RADIUS_MM = 19.0


class CapsuleHand(NamedTuple):
    """A posed hand.

    Attributes:
        joints_mm: (21, 3) in hand21's order.
        radius_mm: (21,) depth of each joint below the surface.
        cones_mm: (K, 8) rounded cones: centre and radius of one end, centre and radius of the other.
    """

    joints_mm: Floats
    radius_mm: Floats
    cones_mm: Floats


@dataclass(frozen=True, eq=False)
class Build:
    """Lengths and thickness of one person's hand.

    Attributes:
        knuckles_mm: (4, 3) bases of the four fingers.
        phalanges_mm: (4, 3) lengths of their bones, from the base on.
        finger_radii_mm: (4, 4) radii at base, middle joint, end joint and tip.
        thumb_base_mm: (3,).
        thumb_bones_mm: (3,) lengths, from the base on.
        thumb_radii_mm: (4,).
        thickness: Of palm and forearm, 1 for the average.
        size: Of the whole hand, 1 for the average.
    """

    knuckles_mm: Floats
    phalanges_mm: Floats
    finger_radii_mm: Floats
    thumb_base_mm: Floats
    thumb_bones_mm: Floats
    thumb_radii_mm: Floats
    thickness: float = 1.0
    size: float = 1.0


@dataclass(frozen=True, eq=False)
class Pose:
    """Angles of one pose, degrees.

    Attributes:
        flexion: (4, 3) at base, middle and end joint of the four fingers; 0 is stretched.
        spread: (4,) turn of each finger in the palm's plane, positive towards the thumb.
        thumb: (4,) turn of the thumb's base in the palm's plane towards the fingers, out of it over the palm, flexion
            at the middle and at the end joint.
        arm: (2,) bend of the wrist: towards the back of the hand, and towards the thumb.
    """

    flexion: Floats
    spread: Floats
    thumb: Floats
    arm: Floats


AVERAGE = Build(KNUCKLES_MM, PHALANGES_MM, FINGER_RADII_MM, THUMB_BASE_MM, THUMB_BONES_MM, THUMB_RADII_MM)


def posed(build: Build, pose: Pose) -> CapsuleHand:
    """Bend a hand and wrap it in rounded cones."""
    joints, radii = np.zeros((21, 3)), np.zeros(21)
    radii[0] = WRIST_RADIUS_MM * build.size * build.thickness
    joints[1:5], radii[1:5] = _thumb(build, pose), build.thumb_radii_mm
    for finger in range(4):
        at = slice(5 + 4 * finger, 9 + 4 * finger)
        joints[at], radii[at] = _finger(build, pose, finger), build.finger_radii_mm[finger]
    balls = np.concatenate([joints, radii[:, None]], axis=1)
    bones = [(n, n + 1) for start in (1, 5, 9, 13, 17) for n in range(start, start + 3)]
    cones = [np.concatenate([balls[a], balls[b]]) for a, b in bones]
    cones += _palm(build, balls) + _forearm(build, pose)
    return CapsuleHand(joints, radii, np.array(cones))


def _finger(build: Build, pose: Pose, finger: int) -> Floats:
    """Return base, middle joint, end joint and tip of a finger, (4, 3)."""
    spread = math.radians(float(pose.spread[finger]))
    along = np.array([math.sin(spread), math.cos(spread), 0.0])
    bent = np.radians(np.cumsum(pose.flexion[finger]))
    steps = np.cos(bent)[:, None] * along + np.sin(bent)[:, None] * np.array([0.0, 0.0, 1.0])
    base = build.knuckles_mm[finger]
    return np.concatenate([base[None], base + np.cumsum(build.phalanges_mm[finger][:, None] * steps, axis=0)])


def _thumb(build: Build, pose: Pose) -> Floats:
    """Return base, middle joint, end joint and tip of the thumb, (4, 3).

    At rest its first bone points 45 degrees from the fingers; it bends towards the fingers' bases and over the palm.
    """
    inwards, over, *bends = np.radians(pose.thumb)
    flat = math.radians(45.0) - inwards
    along = np.array([math.sin(flat) * math.cos(over), math.cos(flat) * math.cos(over), math.sin(over)])
    towards = np.array([-0.85, 0.1, 0.25 + 0.4 * math.sin(over)])
    towards -= along * (towards @ along)
    towards /= np.linalg.norm(towards)
    angles = np.cumsum([0.0, *bends])
    steps = np.cos(angles)[:, None] * along + np.sin(angles)[:, None] * towards
    base = build.thumb_base_mm
    return np.concatenate([base[None], base + np.cumsum(build.thumb_bones_mm[:, None] * steps, axis=0)])


def _palm(build: Build, balls: Floats) -> list[Floats]:
    """Return the palm: four bones of the hand, the row of knuckles, two balls of flesh, and the thumb's web."""
    s, t = build.size, build.size * build.thickness
    heels = np.array([(13.0, 10.0, 0.0), (4.0, 10.0, -2.0), (-5.0, 10.0, -2.0), (-14.0, 10.0, 0.0)]) * s
    knuckles = balls[[5, 9, 13, 17]].copy()
    knuckles[:, 3] *= 1.1
    cones = [np.array([*heel, 15.5 * t, *ball]) for heel, ball in zip(heels, knuckles, strict=True)]
    cones += [np.concatenate([a, b]) for a, b in itertools.pairwise(knuckles)]
    middle = 0.55 * knuckles + 0.45 * np.concatenate([heels, np.full((4, 1), 15.5 * t)], axis=1)
    cones += [np.concatenate([a, b]) for a, b in itertools.pairwise(middle)]
    # Flesh between the bones: from each pair of heels to between their knuckles.
    between = 0.5 * (knuckles[:-1] + knuckles[1:]) - (0.0, 6.0 * s, 0.0, 0.0)
    cones += [
        np.array([*(0.5 * (a + b)), 15.5 * t, *ball]) for a, b, ball in zip(heels, heels[1:], between, strict=False)
    ]
    cones.append(
        np.array([*(np.array([-20.0, 20.0, 5.0]) * s), 15.0 * t, *(np.array([-30.0, 62.0, 3.0]) * s), 12.0 * t])
    )
    base, joint = balls[1], balls[2]
    cones.append(np.array([*(np.array([10.0, 16.0, 6.0]) * s), 15.0 * t, *base[:3], base[3]]))
    # The web, thinner than finger and palm, from the thumb's first bone to the index's.
    for share in (0.35, 0.6):
        end = base + (joint - base) * share
        side = middle[0] + (knuckles[0] - middle[0]) * (share - 0.6)
        cones.append(np.array([*end[:3], 0.8 * end[3], *side[:3], 0.75 * side[3]]))
    return cones


def _forearm(build: Build, pose: Pose) -> list[Floats]:
    """Return the forearm, as three cones side by side that go on 300 mm from the wrist, and the wrist."""
    back, sideways = np.radians(pose.arm)
    # Where the back of the hand bends to the forearm, the forearm lies on the palm's side of the hand's plane.
    along = np.array([math.sin(sideways), -math.cos(sideways) * math.cos(back), -math.cos(sideways) * math.sin(back)])
    across = np.array([math.cos(sideways), math.sin(sideways), 0.0])
    t = build.size * build.thickness
    wrist, radius = np.zeros(3), WRIST_RADIUS_MM * t
    cones = []
    for side in (-1.0, 0.0, 1.0):
        near, far = wrist + side * 9.0 * t * across, wrist + 300.0 * along + side * 14.0 * t * across
        cones.append(np.array([*near, radius, *far, 38.0 * t]))
    cones += [
        np.array([*(x * 0.9 * t * across), 0.95 * radius, x * build.size, 24.0 * build.size, -1.0, 15.0 * t])
        for x in (-10.0, 10.0)
    ]
    return cones
