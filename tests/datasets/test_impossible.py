import numpy as np
import pytest

from refiner.datasets.impossible import impossible_joints

CENTRE, CUBE = np.float32([[10, -20, 600]]), np.float32([260])


def reasons(joints):
    found = impossible_joints(np.asarray(joints, np.float32)[None], CENTRE, CUBE)
    assert sum(mask.astype(int) for mask in found.values()).max() <= 1
    return {reason: np.flatnonzero(mask[0]).tolist() for reason, mask in found.items() if mask.any()}


GOOD = [[0, 0, 600], [30, 10, 640], [-40, 60, 590]]


def test_a_hand_is_possible():
    assert reasons(GOOD) == {}


@pytest.mark.parametrize("sentinel", [-1, 0, -9999])
def test_sentinels_are_behind_the_camera(sentinel):
    assert reasons([[sentinel] * 3] * 3) == {"behind the camera": [0, 1, 2]}
    assert reasons([*GOOD[:2], [sentinel] * 3]) == {"behind the camera": [2]}


def test_all_joints_in_one_place():
    assert reasons([[10, 10, 600]] * 3) == {"all joints in one place": [0, 1, 2]}
    assert reasons([[10, 10, 600], [np.nan] * 3, [10, 10, 600]]) == {"all joints in one place": [0, 2]}


def test_one_known_joint_is_not_all_alike():
    assert reasons([[10, 10, 600], [np.nan] * 3, [np.nan] * 3]) == {}


def test_far_is_more_than_a_side_from_the_centre():
    # Centre 10 and side 260: 270 is the last that is near.
    assert reasons([*GOOD, [270, 0, 600]]) == {}
    assert reasons([*GOOD, [271, 0, 600]]) == {"far outside the cube": [3]}
    assert reasons([*GOOD, [0, 0, 1e4]]) == {"far outside the cube": [3]}


def test_unknown_joints_are_no_fault():
    assert reasons([*GOOD, [np.nan] * 3]) == {}
