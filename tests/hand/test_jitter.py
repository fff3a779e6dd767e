import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from refiner.hand.collision import overlap_mm
from refiner.hand.jitter import jitter_hands
from refiner.hand.limits import pose_limits, sample_hands
from refiner.hand.model import load_hand


@pytest.fixture(scope="module")
def hands():
    return sample_hands(load_hand(), 3, np.arange(200))


def turns_deg(pose, other):
    apart = Rotation.from_rotvec(pose[:, :3]) * Rotation.from_rotvec(other[:, :3]).inv()
    return np.rad2deg(apart.as_rotvec())


def test_each_hand_is_turned_and_bent_by_as_much_as_was_asked_for(hands):
    given = hands.pose.copy()
    given[:, :3] = np.random.default_rng(0).normal(0, 1, (200, 3))
    drawn = jitter_hands(load_hand(), given, hands.shape, 5.0, 0, np.arange(200))
    assert turns_deg(drawn, given).std() == pytest.approx(5.0, rel=0.1)
    moved = np.rad2deg(drawn[:, 3:] - given[:, 3:])
    low, high = (limit[3:] for limit in pose_limits(load_hand()))
    inner = (given[:, 3:] > low + 0.3) & (given[:, 3:] < high - 0.3)  # 17 degrees from either limit
    bent = moved[inner & (np.abs(moved).max(axis=1, keepdims=True) > 0)]
    assert bent.std() == pytest.approx(5.0, rel=0.1)


def test_no_joint_leaves_its_limits_and_no_hand_cuts_through_itself(hands):
    drawn = jitter_hands(load_hand(), hands.pose, hands.shape, 10.0, 0, np.arange(200))
    low, high = pose_limits(load_hand())
    assert (drawn[:, 3:] >= low[3:] - 1e-9).all()
    assert (drawn[:, 3:] <= high[3:] + 1e-9).all()
    assert (overlap_mm(load_hand(), drawn, hands.shape) <= 1e-6).all()
    assert (np.abs(drawn[:, 3:] - hands.pose[:, 3:]).max(axis=1) > 0).mean() > 0.8


def test_a_joint_beyond_its_limit_may_stay_and_goes_no_farther(hands):
    given = np.tile(hands.pose[:1], (50, 1))
    at = load_hand().pose_names.index("index_pip_flexion")
    beyond = given[0, at] = pose_limits(load_hand())[1][at] + 0.04
    given[:] = given[0]
    drawn = jitter_hands(load_hand(), given, np.tile(hands.shape[:1], (50, 1)), 5.0, 0, np.arange(50))
    assert (drawn[:, at] <= beyond + 1e-9).all()


def test_an_item_is_the_same_whatever_is_drawn_with_it(hands):
    many = jitter_hands(load_hand(), hands.pose[:9], hands.shape[:9], 5.0, 4, np.arange(9))
    one = jitter_hands(load_hand(), hands.pose[7:8], hands.shape[7:8], 5.0, 4, [7])
    np.testing.assert_array_equal(many[7:8], one)
    other = jitter_hands(load_hand(), hands.pose[7:8], hands.shape[7:8], 5.0, 5, [7])
    assert not np.allclose(one, other)
