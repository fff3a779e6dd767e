"""Trees of unit directions: exact bone lengths, and steps whose slopes are what the solver takes them for."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from refiner.annotate.solver.chain import place_joints, take_step, tangents, to_directions, to_joints, tree_of
from refiner.hand.skeleton import HAND21, NYU14, Skeleton

PATH = Skeleton("path", ("a", "b", "c"), (-1, 0, 1))


def _hand(seed: int, skeleton: Skeleton = HAND21):
    rng = np.random.default_rng(seed)
    tree = tree_of(skeleton, rng.uniform(10, 80, len(skeleton)))
    directions = rng.standard_normal((1, len(skeleton), 3))
    directions /= np.linalg.norm(directions, axis=-1, keepdims=True)
    return tree, rng.normal(0, 100, (1, 3)), directions


def test_joints_of_two_bones_by_hand():
    tree = tree_of(PATH, [np.nan, 10.0, 5.0])
    directions = np.array([[[0, 0, 1.0], [1, 0, 0], [0, 0.6, 0.8]]])
    joints = to_joints(tree, np.array([[1.0, 2.0, 3.0]]), directions)
    np.testing.assert_allclose(joints[0], [[1, 2, 3], [11, 2, 3], [11, 5, 7]])


def test_a_root_in_the_middle_of_the_list_and_children_before_parents():
    tree = tree_of(NYU14, np.full(14, 10.0))
    assert tree.order[0] == NYU14.parents.index(-1)
    places = {int(joint): at for at, joint in enumerate(tree.order)}
    assert all(places[p] < places[j] for j, p in enumerate(NYU14.parents) if p >= 0)
    assert tree.step_size == 3 + 2 * 13


def test_lengths_that_are_none_are_refused():
    with pytest.raises(ValueError, match=r"\['b'\]"):
        tree_of(PATH, [np.nan, 0.0, 5.0])


@settings(deadline=None)
@given(seed=st.integers(0, 10_000))
def test_there_and_back(seed):
    tree, root, directions = _hand(seed)
    again_root, again = to_directions(tree, to_joints(tree, root, directions))
    np.testing.assert_allclose(again_root, root)
    bones = tree.order[1:]
    np.testing.assert_allclose(again[:, bones], directions[:, bones], atol=1e-9)


@settings(deadline=None)  # the first example compiles
@given(seed=st.integers(0, 10_000), scale=st.sampled_from([1e-9, 1e-3, 1.0, 200.0]))
def test_a_step_keeps_every_bone_length(seed, scale):
    tree, root, directions = _hand(seed)
    basis, moved_root, moved = np.empty((21, 2, 3)), np.empty(3), np.empty((21, 3))
    tangents(directions[0], basis)
    step = np.random.default_rng(seed).normal(0, scale, tree.step_size)
    take_step(tree, root[0], directions[0], basis, step, moved_root, moved)
    joints = to_joints(tree, moved_root[None], moved[None])
    np.testing.assert_allclose(HAND21.bone_lengths(joints)[0, 1:], tree.length_mm[1:], rtol=1e-12)
    np.testing.assert_allclose(moved_root, root[0] + step[:3])


@settings(deadline=None)
@given(seed=st.integers(0, 10_000))
def test_tangents_are_square_to_the_direction_and_to_each_other(seed):
    _, _, directions = _hand(seed)
    directions[0, 0] = [0, 0, -1]
    directions[0, 1] = [0, 0, 1]
    basis = np.empty((21, 2, 3))
    tangents(directions[0], basis)
    frames = np.concatenate([directions[0][:, None], basis], axis=1)
    np.testing.assert_allclose(frames @ frames.transpose(0, 2, 1), np.broadcast_to(np.eye(3), (21, 3, 3)), atol=1e-9)


def test_a_small_step_moves_the_joints_below_along_the_tangent():
    tree, root, directions = _hand(3)
    basis, moved_root, moved = np.empty((21, 2, 3)), np.empty(3), np.empty((21, 3))
    tangents(directions[0], basis)
    before, after = np.empty((21, 3)), np.empty((21, 3))
    place_joints(tree, root[0], directions[0], before)
    finger = [6, 7, 8]  # index pip, dip, tip: what the bone of 6 moves
    step = np.zeros(tree.step_size)
    step[tree.column[6] + 1] = 1e-4
    take_step(tree, root[0], directions[0], basis, step, moved_root, moved)
    place_joints(tree, moved_root, moved, after)
    wanted = np.zeros((21, 3))
    wanted[finger] = 1e-4 * basis[6, 1]
    np.testing.assert_allclose(after - before, wanted, atol=1e-8)
