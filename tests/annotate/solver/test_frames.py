"""Frames one by one: optima worked out by hand."""

import numpy as np
import pytest
from solver_cases import CAMERA, ONE_BONE, clicked, flat

from refiner.annotate.solver.chain import to_directions, tree_of
from refiner.annotate.solver.costs import joint_cost
from refiner.annotate.solver.frames import depth_behind, solve_frames
from refiner.annotate.solver.surface import terms_of
from refiner.annotate.solver.terms import Weights
from refiner.geometry.camera import project, unproject


def test_a_bone_before_a_wall_worked_out_by_hand():
    """a is clicked in the middle of a wall at 500 mm and pulled there; b, occluded, is 30 mm long and 9 mm aside.

    In the middle x = 0 and z = 500; b must project to u with x_b = 9 and lie behind: z_b = 500 + sqrt(30^2 - 9^2).
    """
    tree = tree_of(ONE_BONE, [np.nan, 30.0])
    depth, camera = flat()
    b = np.array([9.0, 0.0, 500 + np.sqrt(30.0**2 - 9.0**2)])
    a = np.array([0.0, 0.0, 500.0])
    uv_px = project(np.stack([a, b]), CAMERA)
    labels = clicked(uv_px, nearer=((0, 1),))
    labels.flag[1] = 1
    terms = terms_of(depth, 1.0, camera, np.zeros(2), [labels])
    start = np.array([[[1.0, -2.0, 495.0], [15.0, 3.0, 510.0]]])
    solution = solve_frames(tree, terms, Weights(), *to_directions(tree, start), tolerance=1e-12)
    np.testing.assert_allclose(solution.joints_mm[0], [a, b], atol=1e-3)
    assert solution.cost[0] == pytest.approx(0, abs=1e-6)


def test_a_frame_without_any_reading_is_solved_from_its_clicks():
    tree = tree_of(ONE_BONE, [np.nan, 30.0])
    _, camera = flat()
    uv_px = project(np.array([[0, 0, 500.0], [20.0, 0, 520.0]]), CAMERA)
    terms = terms_of(np.zeros((1, 64, 64), np.uint16), 1.0, camera, np.zeros(2), [clicked(uv_px)])
    start = np.array([[[2.0, 0, 500.0], [22.0, 3.0, 510.0]]])
    solution = solve_frames(tree, terms, Weights(), *to_directions(tree, start))
    assert np.isfinite(solution.joints_mm).all()
    np.testing.assert_allclose(project(solution.joints_mm[0], CAMERA), uv_px, atol=0.05)


def hole_before_a_wall(joints_mm, flag=2, radius_px=10):
    """One bone of 50 mm, its second joint in a hole of a wall at 500 mm; both clicked, the second nearer."""
    depth, camera = flat()
    label = clicked(project(joints_mm, CAMERA), nearer=((1, 0),))
    label.flag[1] = flag
    rows, columns = np.mgrid[:64, :64]
    depth[0, np.hypot(columns - label.uv_px[1, 0], rows - label.uv_px[1, 1]) < radius_px] = 0
    return tree_of(ONE_BONE, [np.nan, 50.0]), terms_of(depth, 1.0, camera, np.zeros(2), [label])


@pytest.mark.parametrize("flag", [1, 2])
def test_a_joint_in_a_hole_has_no_depth_but_its_bone_and_its_click(flag):
    """a lies on the wall; b, 30 mm aside, is 40 mm nearer, since its bone has 50: nothing else is asked of it.

    The nearest readings are 10 px away, four times the thickness of a joint. Were they D, b would have to lie at 500 mm
    at least; were the hole no hand, b would be drawn out of it.
    """
    joints = np.array([[0, 0, 500.0], [30, 0, 460]])
    tree, terms = hole_before_a_wall(joints, flag)
    start = np.array([[[1.0, -2.0, 495.0], [25.0, 3.0, 470.0]]])
    solution = solve_frames(tree, terms, Weights(), *to_directions(tree, start), tolerance=1e-12)
    np.testing.assert_allclose(solution.joints_mm[0], joints, atol=1e-3)
    assert solution.cost[0] == pytest.approx(0, abs=1e-6)
    assert np.isnan(depth_behind(terms, 0, joints)).tolist() == [False, True]


@pytest.mark.parametrize(("z", "cost"), [(508, 0), (507, 0.25), (504, 3), (503, 4.25)])
def test_a_hidden_joint_lies_behind_the_surface_and_its_own_offset(z, cost):
    """The paper's z > D, with an offset of 8 mm: D + offset is 508 mm. 15 mm more was asked before.

    1 mm before it costs (1 / 2)^2, 4 mm (deviation 2 mm, straight from one on) 2 * 4 / 2 - 1 = 3, 5 mm 4; from half the
    offset on, 504 mm, where no joint lies, a millimetre costs (1 / 2)^2 more.
    """
    depth, camera = flat()
    label = clicked([[31.5, 31.5], [31.5, 31.5]], flag=1)
    terms = terms_of(depth, 1.0, camera, np.full(2, 8.0), [label])
    point = np.array([0.0, 0, z])
    assert joint_cost(terms, Weights(), 0, 0, point, np.zeros(3), np.zeros((3, 3))) == pytest.approx(cost)


def test_unproject_is_the_inverse_the_cases_rest_on():
    np.testing.assert_allclose(unproject([31.5, 31.5], 500.0, CAMERA), [0, 0, 500])
