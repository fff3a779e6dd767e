"""The capsule hand: joints worked out by hand, lengths that no pose changes."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from experiments.zoo.capsule_hand import AVERAGE, Pose, posed
from experiments.zoo.capsule_poses import DEEPEST, draw_build, draw_hand, draw_pose
from refiner.hand.skeleton import HAND21


def pose_of(flexion=(0, 0, 0), spread=0.0, thumb=(0, 0, 0, 0), arm=(0, 0)):
    return Pose(np.tile(np.float64(flexion), (4, 1)), np.full(4, spread), np.float64(thumb), np.float64(arm))


def joint(hand, name):
    return hand.joints_mm[HAND21.joints.index(name)]


def test_a_stretched_finger_goes_straight_up_from_its_base():
    """43 + 26 + 19 = 88 mm above (25, 92, -2)."""
    hand = posed(AVERAGE, pose_of())
    assert joint(hand, "wrist") == pytest.approx([0, 0, 0])
    assert joint(hand, "index_mcp") == pytest.approx([25, 92, -2])
    assert joint(hand, "index_pip") == pytest.approx([25, 135, -2])
    assert joint(hand, "index_tip") == pytest.approx([25, 180, -2])
    assert joint(hand, "little_tip") == pytest.approx([-35, 80 + 34 + 21 + 18, 0])


def test_a_finger_bends_over_the_palm_one_right_angle_at_a_time():
    hand = posed(AVERAGE, pose_of(flexion=(90, 90, 90)))
    assert joint(hand, "middle_pip") == pytest.approx([3, 96, -5 + 47])
    assert joint(hand, "middle_dip") == pytest.approx([3, 96 - 30, 42])
    assert joint(hand, "middle_tip") == pytest.approx([3, 66, 42 - 20])


def test_spread_turns_a_finger_towards_the_thumb_which_points_sideways():
    hand = posed(AVERAGE, pose_of(spread=30))
    assert joint(hand, "ring_tip") == pytest.approx([-17 + 92 / 2, 90 + 92 * np.sqrt(0.75), -4])
    at = 103 * np.sqrt(0.5)
    assert joint(hand, "thumb_tip") == pytest.approx([19 + at, 22 + at, 7])


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32))
def test_no_pose_changes_a_length(seed):
    rng = np.random.default_rng(seed)
    build = draw_build(rng)
    hands = [posed(build, draw_pose(rng)) for _ in range(2)]
    lengths = [HAND21.bone_lengths(hand.joints_mm)[1:] for hand in hands]
    assert lengths[0] == pytest.approx(lengths[1], abs=1e-9)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32))
def test_every_joint_of_a_finger_lies_in_the_middle_of_a_ball(seed):
    hand = draw_hand(np.random.default_rng(seed))
    balls = hand.cones_mm.reshape(-1, 4)
    for k in range(1, 21):
        ball = np.concatenate([hand.joints_mm[k], hand.radius_mm[k : k + 1]])
        assert np.abs(balls - ball).max(axis=1).min() < 1e-9


def test_hands_are_drawn_without_the_thumb_in_a_finger_and_again_the_same():
    inside = 0
    for seed in range(40):
        hand = draw_hand(np.random.default_rng(seed))
        balls = np.concatenate([hand.joints_mm, hand.radius_mm[:, None]], axis=1)
        apart = np.linalg.norm(balls[4, :3] - balls[5:, :3], axis=1)
        inside += int((apart < DEEPEST * (balls[4, 3] + balls[5:, 3]) - 1e-9)[np.arange(16) % 4 > 0].any())
    assert inside == 0
    one, again = (draw_hand(np.random.default_rng(7)) for _ in range(2))
    assert all(np.array_equal(a, b) for a, b in zip(one, again, strict=True))
