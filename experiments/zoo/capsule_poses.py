"""Random capsule hands: how they are built and what they do, within what hands can do."""

import math

import numpy as np

from experiments.zoo.capsule_hand import (
    FINGER_RADII_MM,
    KNUCKLES_MM,
    PHALANGES_MM,
    THUMB_BASE_MM,
    THUMB_BONES_MM,
    THUMB_RADII_MM,
    Build,
    CapsuleHand,
    Pose,
    posed,
)

DEEPEST = 0.65
"""The thumb may come as near to a finger as this share of the sum of their radii: flesh gives way."""


def draw_build(rng: np.random.Generator) -> Build:
    """Draw a person's hand: 7 % of spread in size, 8 % in thickness, 4 % in every bone."""
    size = float(np.clip(rng.normal(1.0, 0.07), 0.82, 1.18))
    thick = float(np.clip(rng.normal(1.0, 0.08), 0.8, 1.25))
    return Build(
        KNUCKLES_MM * size * rng.normal(1.0, (0.06, 0.03, 0.1), (1, 3)),
        PHALANGES_MM * size * rng.normal(1.0, 0.04, (4, 3)),
        FINGER_RADII_MM * size * thick * rng.normal(1.0, 0.03, (4, 1)),
        THUMB_BASE_MM * size,
        THUMB_BONES_MM * size * rng.normal(1.0, 0.04, 3),
        THUMB_RADII_MM * size * thick,
        thick,
        size,
    )


def draw_pose(rng: np.random.Generator) -> Pose:
    """Draw a pose: open, signs of stretched and bent fingers, fists, grasps, pinches, and what lies between two."""
    one, other = _draw_kind(rng), _draw_kind(rng)
    share = rng.uniform(0.0, 0.5) if rng.random() < 0.3 else 0.0
    mixed = {
        name: (1.0 - share) * getattr(one, name) + share * getattr(other, name)
        for name in ("flexion", "spread", "thumb", "arm")
    }
    return Pose(**mixed)


def _draw_kind(rng: np.random.Generator) -> Pose:
    kind = rng.choice(5, p=(0.25, 0.3, 0.1, 0.2, 0.15))
    curl = np.zeros(4)
    thumb = np.array([rng.uniform(-15, 20), rng.uniform(-10, 25), rng.uniform(-5, 25), rng.uniform(-10, 30)])
    opposed = np.array([rng.uniform(15, 45), rng.uniform(25, 55), rng.uniform(10, 45), rng.uniform(10, 60)])
    if kind == 0:  # open
        curl = rng.uniform(-0.05, 0.25) + rng.normal(0.0, 0.05, 4)
    elif kind == 1:  # a sign: each finger stretched or bent, pointing among them
        curl = np.where(rng.random(4) < 0.5, rng.uniform(-0.05, 0.15, 4), rng.uniform(0.75, 1.0, 4))
        thumb = opposed if rng.random() < 0.6 else thumb
    elif kind == 2:  # a fist
        curl = rng.uniform(0.8, 1.0, 4)
        thumb = opposed
    elif kind == 3:  # a grasp
        curl = np.clip(rng.uniform(0.2, 0.8) + rng.normal(0.0, 0.08) * np.arange(-1.5, 2.0), 0.0, 1.0)
        thumb = opposed if rng.random() < 0.7 else thumb
    else:  # a pinch: the thumb comes towards the index, the others anyhow
        curl = np.array([rng.uniform(0.45, 0.65), *(rng.uniform(0.0, 0.9) + rng.normal(0.0, 0.08, 3))])
        thumb = opposed
    curl = np.clip(curl + rng.normal(0.0, 0.03, 4), -0.1, 1.0)
    middle = np.clip(105.0 * curl + rng.normal(0.0, 8.0, 4), 0.0, 108.0)
    base = np.clip(85.0 * curl + rng.normal(0.0, 9.0, 4), -18.0, 92.0)
    flexion = np.stack([base, middle, np.clip(0.6 * middle + rng.normal(0.0, 5.0, 4), -5.0, 75.0)], axis=1)
    # Bent fingers cannot be spread.
    wide = rng.uniform(-0.3, 1.0) * np.array([12.0, 2.0, -7.0, -16.0]) + rng.normal(0.0, 1.5, 4)
    spread = wide * np.clip(1.0 - curl, 0.0, 1.0)
    return Pose(flexion, spread, thumb, np.array([rng.normal(0.0, 18.0), rng.normal(0.0, 9.0)]))


def draw_hand(rng: np.random.Generator) -> CapsuleHand:
    """Draw build and pose until the thumb passes through no finger, thirty times at most, and return the best."""
    best, least = None, math.inf
    for _ in range(30):
        hand = posed(draw_build(rng), draw_pose(rng))
        depth = _thumb_inside(hand)
        if depth < least:
            best, least = hand, depth
        if least <= 0.0:
            break
    assert best is not None  # every number is less than infinity
    return best


def _thumb_inside(hand: CapsuleHand) -> float:
    """Return how deep the thumb's two outer bones lie in fingers, mm; none is 0 or less."""
    share = np.linspace(0.0, 1.0, 5)[:, None]
    balls = np.concatenate([hand.joints_mm, hand.radius_mm[:, None]], axis=1)
    outer = np.concatenate([balls[a] + share * (balls[a + 1] - balls[a]) for a in (2, 3)])
    fingers = np.concatenate([balls[a + k] + share * (balls[a + k + 1] - balls[a + k])
                              for a in (5, 9, 13, 17) for k in range(3)])  # fmt: skip
    outer = outer[3:]  # the middle joint itself lies in the web, beside the palm
    apart = np.linalg.norm(outer[:, None, :3] - fingers[None, :, :3], axis=2)
    return float((DEEPEST * (outer[:, None, 3] + fingers[None, :, 3]) - apart).max())
