"""Skin stands out along its normals, smoothly, and moves neither joints nor the finger beside."""

import numpy as np
import pytest

from refiner.hand.model import load_hand, pose_hands, pose_joints
from refiner.hand.normals import vertex_normals
from refiner.hand.skin import CONTROL_POINTS, skin_directions


@pytest.fixture(scope="module")
def flat():
    model = load_hand()
    vertices = model.template.reshape(-1, 3)
    return vertices, skin_directions(vertices, model.triangles).reshape(CONTROL_POINTS, -1, 3)


def test_skin_moves_along_its_normals_with_deviation_one(flat):
    vertices, directions = flat
    along = (directions * vertex_normals(vertices, load_hand().triangles)).sum(axis=2)
    np.testing.assert_allclose(np.linalg.norm(directions, axis=2), np.abs(along), atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(along, axis=0), 1, atol=1e-5)
    assert (along >= -1e-6).all()


def test_fingers_do_not_move_their_neighbours(flat):
    vertices, directions = flat
    joints = load_hand().rest_joints.reshape(21, 3)
    index, middle = (int(np.argmin(np.linalg.norm(vertices - joints[tip], axis=1))) for tip in (8, 12))
    assert np.linalg.norm(vertices[index] - vertices[middle]) < 50  # and far apart along the skin
    moved = np.linalg.norm(directions, axis=2)
    assert (moved[:, index] * moved[:, middle]).max() < 1e-3


def test_a_shape_with_skin_is_posed(flat):
    model, rng = load_hand(), np.random.default_rng(2)
    pose = np.zeros((2, 26))
    pose[:, 10:] = 0.4
    shape, side = rng.normal(0, 0.03, (2, 17)), np.array([0, 1])
    plain, joints = pose_hands(model, pose, shape, side)
    wide = np.pad(shape, ((0, 0), (0, CONTROL_POINTS)))
    np.testing.assert_array_equal(pose_hands(model, pose, wide, side)[0], plain)
    wide[:, 17 + 40] = 2.0
    skinned, same = pose_hands(model, pose, wide, side)
    np.testing.assert_array_equal(same, joints)
    np.testing.assert_array_equal(pose_joints(model, pose, wide, side), joints)
    moved = np.linalg.norm(skinned - plain, axis=2)
    wanted = 2 * np.linalg.norm(flat[1][40], axis=1)
    # Size makes it larger as it does the hand, and between bones a mean of turns is shorter than either.
    assert (moved <= wanted * (1 + shape[:, :1]) + 1e-3).all()
    np.testing.assert_allclose(moved.max(axis=1), wanted.max() * (1 + shape[:, 0]), rtol=0.02)


def test_other_widths_are_refused():
    with pytest.raises(ValueError, match=r"wanted \(1, 17\) or \(1, 113\)"):
        pose_hands(load_hand(), np.zeros((1, 26)), np.zeros((1, 20)), np.zeros(1, int))
