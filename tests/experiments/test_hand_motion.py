"""Motion is one hand's, smooth, possible, and as much as was asked for."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from experiments.annotation_sequence import MOTION
from experiments.hand_motion import FASTEST_MM, LARGEST, Take, freed, make_takes, timed, tracked_joints
from refiner.hand.collision import overlap_mm
from refiner.hand.limits import pose_limits, sample_hands
from refiner.hand.model import load_hand, pose_joints
from refiner.hand.skeleton import HAND21

needs_motion = pytest.mark.skipif(
    not MOTION.exists(), reason="the tracked motion is not beside the project (../shared/data/motion)"
)


@pytest.fixture(scope="module")
def hand():
    model = load_hand()
    return model, sample_hands(model, 4, [0]).shape[0]


def joints_of(model, shape, take):
    count = len(take.pose)
    return pose_joints(model, take.pose, np.tile(shape, (count, 1)), np.zeros(count, int)) + take.wrist_mm[:, None]


def check_possible(model, shape, takes):
    low, high = pose_limits(model)
    for take in takes:
        assert np.isfinite(take.pose).all()
        steps = np.linalg.norm(np.diff(joints_of(model, shape, take), axis=0), axis=2)
        assert steps.max() < 1.06 * FASTEST_MM
        assert overlap_mm(model, take.pose, np.tile(shape, (len(take.pose), 1))).max() < 1.5
        beyond = np.maximum(take.pose - high, low - take.pose)[:, 3:]
        assert np.rad2deg(beyond.max()) < 2.0  # of tremor


def test_drawn_takes(hand):
    model, shape = hand
    takes = make_takes(model, shape, 500, 0, None)
    assert {take.kind for take in takes} == {"drawn"}
    assert sum(len(take.pose) for take in takes) == 500
    check_possible(model, shape, takes)
    for take in takes:
        assert np.ptp(take.pose[:, 3:], axis=0).max() > np.deg2rad(30)
        assert ((take.wrist_mm[:, 2] > 380) & (take.wrist_mm[:, 2] < 900)).all()


def test_palms_are_shown(hand):
    """Spin and tilt of 60 degrees at most leave the palm's normal 75.5 degrees from the line to the camera: 1/4."""
    model, shape = hand
    for take in make_takes(model, shape, 400, 1, None):
        normal = Rotation.from_rotvec(take.pose[:, :3]).as_matrix()[:, :, 2]
        assert (-normal[:, 2]).min() > np.cos(LARGEST) ** 2 - 0.06


def test_a_seed_is_a_motion(hand):
    model, shape = hand
    first, again, other = (make_takes(model, shape, 200, seed, None) for seed in (3, 3, 4))
    np.testing.assert_array_equal(first[0].pose, again[0].pose)
    np.testing.assert_array_equal(first[0].wrist_mm, again[0].wrist_mm)
    assert not np.array_equal(first[0].pose[:50], other[0].pose[:50])


@needs_motion
def test_tracked_and_drawn_takes(hand):
    model, shape = hand
    takes = make_takes(model, shape, 1500, 0, MOTION)
    frames = {kind: sum(len(t.pose) for t in takes if t.kind == kind) for kind in ("tracked", "drawn")}
    assert sum(frames.values()) == 1500
    assert 450 < frames["tracked"] < 900
    check_possible(model, shape, takes)
    for take in takes:
        # Before the camera, where a hand of 20 cm stays in the image.
        assert (np.abs(take.wrist_mm[:, :2]) < 260).all()
        assert ((take.wrist_mm[:, 2] > 380) & (take.wrist_mm[:, 2] < 900)).all()


@needs_motion
def test_the_tracked_hand_keeps_its_bones():
    """The centres of mass, which are in no file, were found: else bones would grow and shrink as joints bend."""
    joints, wrist = tracked_joints(MOTION)
    assert joints.shape == (2336, 21, 3)
    lengths = HAND21.bone_lengths(joints)[:, 1:]
    assert lengths.std(axis=0).max() < 0.5
    assert ((lengths > 5) & (lengths < 110)).all()
    assert np.rad2deg(np.abs(wrist).max()) < 90
    # A right hand seen from its back has the thumb to the left of the little finger.
    across, along = joints[:, 5] - joints[:, 17], joints[:, 9] - joints[:, 0]
    out_of_palm = np.cross(across, along)
    bent = joints[:, 12] - joints[:, 9]
    assert (np.sum(out_of_palm * bent, axis=1) > 0).mean() > 0.9


def test_fast_motion_gets_time_and_slow_motion_is_hurried(hand):
    model, shape = hand
    pose = np.zeros((101, 26))
    still = Take(pose, np.linspace(0, 1, 101)[:, None] * [0.0, 0.0, 100.0], "tracked")  # 1 mm a frame
    assert len(timed(model, shape, still, 1.0).pose) == 101
    half = timed(model, shape, still, 2.0)
    assert len(half.pose) == 51
    np.testing.assert_allclose(half.wrist_mm[:, 2], np.arange(0, 101, 2), atol=1e-9)
    # 29 mm a frame is twice the fastest.
    fast = timed(model, shape, Take(pose, 29.0 * still.wrist_mm, "drawn"), 1.0)
    assert len(fast.pose) == 201
    np.testing.assert_allclose(np.diff(fast.wrist_mm[:, 2]), 14.5, atol=1e-6)


def test_rotations_go_the_short_way_when_time_is_stretched(hand):
    model, shape = hand
    turns = np.deg2rad([175.0, 179.0, 183.0, 187.0])
    pose = np.zeros((4, 26))
    pose[:, 1] = np.where(turns > np.pi, turns - 2 * np.pi, turns)  # the vector flips at half a turn
    slow = timed(model, shape, Take(pose, np.zeros((4, 3)), "drawn"), 0.5)
    assert len(slow.pose) == 7
    np.testing.assert_allclose(
        np.rad2deg(np.linalg.norm(slow.pose[:, :3], axis=1)), [175, 177, 179, 179, 177, 175, 173]
    )


def test_a_hand_that_cuts_through_itself_is_freed_and_others_are_left(hand):
    model, _ = hand
    shape = np.zeros(17)
    flat = np.zeros((40, 26))
    np.testing.assert_array_equal(freed(model, shape, flat), flat)
    crossed = flat.copy()
    crossed[:, model.pose_names.index("index_mcp_abduction")] = np.deg2rad(-15.0)
    crossed[:, model.pose_names.index("middle_mcp_abduction")] = np.deg2rad(15.0)
    shapes = np.tile(shape, (40, 1))
    assert overlap_mm(model, crossed, shapes).min() > 3.0
    apart = freed(model, shape, crossed)
    assert overlap_mm(model, apart, shapes).max() <= 0.0
    assert np.rad2deg(np.abs(apart - crossed).max()) < 25.0
    np.testing.assert_array_equal(apart[:, :5], crossed[:, :5])
