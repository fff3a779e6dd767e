"""What speaks against a solution, worked out by hand."""

from types import SimpleNamespace

import numpy as np

from refiner.annotate.solver.chain import to_directions, to_joints, tree_of
from refiner.annotate.solver.frames import Solution, solve_frames
from refiner.annotate.solver.surface import terms_of
from refiner.annotate.solver.terms import NCC_STEPS, Weights
from refiner.annotate.stages.evidence import depth_violation, evidence, jumps_mm
from refiner.hand.skeleton import Skeleton

CAMERA = np.array([[250.0, 250.0, 31.5, 31.5]])
ONE_BONE = Skeleton("bone", ("a", "b"), (-1, 0))
WEIGHTS = Weights(eps_mm=15.0, depth_mm=2.0)


def wall(frames=1, depth_mm=500, offset_mm=8.0, clicks=None, joints=2):
    depth = np.full((frames, 64, 64), depth_mm, np.uint16)
    return terms_of(depth, 1.0, np.tile(CAMERA, (frames, 1)), np.full(joints, offset_mm), clicks)


def test_depth_that_is_out_of_range():
    terms = wall(joints=5)._replace(visible=np.array([[True, True, True, True, False]]))
    z = np.array([500.0, 504, 510, 528, 560])  # the range of seen joints is 504 to 523
    joints = np.stack([np.zeros(5), np.zeros(5), z], axis=-1)
    np.testing.assert_allclose(depth_violation(terms, WEIGHTS, 0, joints), [4, 0, 0, 5, 0])


def test_depth_that_is_unknown_is_not_out_of_range():
    terms = wall(joints=2)._replace(visible=np.ones((1, 2), bool), lost=np.array([[True, False]]))
    joints = np.array([[0, 0, 400.0], [0, 0, 400]])
    np.testing.assert_allclose(depth_violation(terms, WEIGHTS, 0, joints), [0, 104])  # 400 mm instead of 504


def test_jumps_are_from_the_middle_of_both_neighbours():
    joints = np.zeros((5, 1, 3))
    joints[:, 0, 0] = [0, 10, 0, 0, 0]
    linked = np.array([False, True, True, True, True])
    np.testing.assert_allclose(jumps_mm(joints, linked)[:, 0], [0, 10, 5, 0, 0])
    linked[2] = False  # a break before the third
    np.testing.assert_allclose(jumps_mm(joints, linked)[:, 0], [0, 0, 0, 0, 0])


def test_a_bone_that_is_too_short_wants_to_be_longer():
    # Clicks 30 px = 60 mm apart at 500 mm, bone of 40 mm: each end misses its click by 5 px.
    clicks = [SimpleNamespace(uv_px=np.array([[16.5, 31.5], [46.5, 31.5]]), flag=np.full(2, 2, np.int8), nearer=())]
    terms, tree = wall(offset_mm=0.0, clicks=clicks), tree_of(ONE_BONE, [0, 40])
    weights = Weights(pull_mm=0.1, outside_px=0.0)
    start = to_directions(tree, np.array([[[-20.0, 0, 500], [20, 0, 500]]]))
    solution = solve_frames(tree, terms, weights, *start)
    np.testing.assert_allclose(solution.joints_mm[0, :, 0], [-20, 20], atol=0.01)
    found = evidence(tree, terms, weights, np.zeros(1, bool), solution, solution.joints_mm + np.array([0, 3.0, 4.0]))
    assert abs(found["slack_mm"][0, 1] - 10) < 0.05  # with the root at rest, its end goes to its click
    assert abs(found["slack"][0, 1] - 25) < 0.3  # (5 px / 1 px)^2
    assert found["slack"][0, 0] == 0
    np.testing.assert_allclose(found["moved_mm"], 5)
    np.testing.assert_allclose(found["unlike"], 0)


def test_likeness_is_read_where_it_was_looked_for():
    tree = tree_of(ONE_BONE, [0, 40])
    root, directions = np.array([[-20.0, 0, 500]]), np.array([[[0.0, 0, 1], [1, 0, 0]]])
    joints = to_joints(tree, root, directions)  # at u = 21.5 and 41.5
    windows = np.zeros((1, 2, 3, 3), np.uint16)
    windows[0, :, 1, 1] = NCC_STEPS / 4
    terms = wall()._replace(unlike=windows, unlike_uv_px=np.array([[[22, 32], [-1, -1]]]))
    solution = Solution(root, directions, joints, np.zeros(1), 0)
    found = evidence(tree, terms, Weights(outside_px=0.0), np.zeros(1, bool), solution, joints)
    np.testing.assert_allclose(found["unlike"], [[0.25, 0]])
