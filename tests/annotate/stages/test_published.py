"""The published objectives, term by term, each worked out by hand."""

import numpy as np
import pytest
from solver_cases import CAMERA, ONE_BONE, clicked, flat

from refiner.annotate.solver.band import _run_cost
from refiner.annotate.solver.chain import tree_of
from refiner.annotate.solver.costs import joint_cost
from refiner.annotate.solver.equations import add_pairs, pair_cost
from refiner.annotate.solver.surface import terms_of
from refiner.annotate.solver.terms import NCC_STEPS
from refiner.annotate.stages import published, slsqp
from refiner.geometry.camera import project
from refiner.hand.skeleton import Skeleton

TREE = tree_of(ONE_BONE, [np.nan, 50.0])
JOINTS = np.array([[0.0, 0, 505], [20, 0, 540]])


def before_a_wall(flag, nearer=(), joints=JOINTS, skeleton=ONE_BONE):
    """Joints clicked 2 px right of where they project, 12 mm below a wall's surface as the solver usually has it."""
    depth, camera = flat()
    label = clicked(project(joints, CAMERA) + np.array([2.0, 0.0]), nearer=nearer)
    label.flag[:] = flag
    terms = terms_of(depth, 1.0, camera, np.full(len(joints), 12.0), [label])
    tree = tree_of(skeleton, [np.nan] + [50.0] * (len(joints) - 1))
    return published.lift_terms(tree, terms)


def cost_of(terms, weights, k, point, n=0):
    return joint_cost(terms, weights, n, k, np.asarray(point, dtype=np.float64), np.zeros(3), np.zeros((3, 3)))


def test_a_visible_click_costs_the_square_of_its_pixels_and_a_hidden_one_nothing():
    # Eq. 4: v |2 px|^2, and both depths are allowed: 505 within 500 to 515, 540 behind 500.
    terms = before_a_wall([2, 1])
    assert cost_of(terms, published.LIFT_WEIGHTS, 0, JOINTS[0]) == pytest.approx(4.0)
    assert cost_of(terms, published.LIFT_WEIGHTS, 1, JOINTS[1]) == 0.0


@pytest.mark.parametrize(
    ("flag", "z", "by_mm"),
    [
        (2, 497, 3),
        (2, 501, 0),
        (2, 514, 0),
        (2, 518, 3),
        (1, 497, 3),
        (1, 501, 0),
        (1, 518, 0),
        (1, 900, 0),
        (0, 400, 0),
    ],
)
def test_depth_is_within_15_mm_of_the_surface_at_the_click_or_behind_it(flag, z, by_mm):
    # Eq. 4: the wall is at 500 mm; there is no offset, though these joints have 12 mm, and no pull to a middle. Beyond
    # the range it costs (by / 2 mm)^2. The clicks are met where they count: u = 2 px, as z / 250 * 2 mm.
    terms = before_a_wall([flag, flag])
    point = [2.0 * z / 250, 0.0, z]
    assert cost_of(terms, published.LIFT_WEIGHTS, 0, point) == pytest.approx((by_mm / 2) ** 2, abs=1e-9)


def test_the_range_is_that_at_the_click_wherever_the_joint_projects():
    depth, camera = flat()
    depth[0, :, 40:] = 600  # a step, between the click in column 33 and the joint in column 45
    label = clicked([[33.0, 31.5], [33.0, 31.5]])
    label.flag[:] = [1, 0]
    terms = published.lift_terms(TREE, terms_of(depth, 1.0, camera, np.zeros(2), [label]))
    point = [(45 - 31.5) * 520 / 250, 0, 520.0]  # behind the click's 500 mm, before the 600 mm that it projects to
    assert cost_of(terms, published.LIFT_WEIGHTS, 0, point) == 0.0


def test_a_click_without_a_reading_near_has_no_range():
    depth, camera = flat()
    depth[0, :, 25:45] = 0
    terms = terms_of(depth, 1.0, camera, np.zeros(2), [clicked([[35.0, 31.5], [10.0, 31.5]])])
    assert published.lift_terms(TREE, terms).range_mm.tolist() == [[[-np.inf, np.inf], [500.0, 515.0]]]


def test_order_holds_for_visible_joints_and_their_parents_and_without_a_margin():
    """a - b - c - d; pairs of c and its parent, of d (hidden) and its parent, and of joints that have no bone."""
    skeleton = Skeleton("four", ("a", "b", "c", "d"), (-1, 0, 1, 2))
    joints = np.array([[0.0, 0, 500], [20, 0, 500], [40, 0, 500.6], [60, 0, 500]])
    terms = before_a_wall([2, 2, 2, 1], ((2, 1), (3, 2), (0, 3)), joints, skeleton)
    assert terms.pairs.tolist() == [[2, 1]]
    assert terms.pair_start.tolist() == [0, 1]
    # c is nearer than b: the printed c_k, (0, 0, 1), would ask z_c > z_b, which holds. It lacks 0.6 mm: (0.6 / 0.3)^2.
    assert pair_cost(terms, published.LIFT_WEIGHTS, 0, joints) == pytest.approx(4.0)
    joints[2, 2] = 499.9  # no 10 mm are asked
    assert pair_cost(terms, published.LIFT_WEIGHTS, 0, joints) == 0.0


@pytest.mark.parametrize("weights", [published.PROPAGATE_WEIGHTS, published.optimize_weights(260.0, 128)])
def test_unlikeness_costs_its_square_and_nothing_else_does_without_labels(weights):
    # Eq. 5 and 6: ds = 1 - NCC = 0.3 costs 0.09. The joint is off the surface, the silhouette and its anchor.
    depth, camera = flat()
    depth[0, :, 32:] = 0
    terms = terms_of(depth, 1.0, camera, np.zeros(2))
    windows = np.full((1, 2, 5, 5), 0.3 * NCC_STEPS, np.uint16)
    terms = terms._replace(unlike=windows, unlike_uv_px=np.full((1, 2, 2), 50), visible=np.ones((1, 2), bool))
    point = np.array([20 * 300 / 250, 20 * 300 / 250, 300.0])
    assert cost_of(terms, weights, 0, point) == pytest.approx(0.09)


def test_the_square_of_the_unlikeness_slopes_as_its_differences_do():
    depth, camera = flat()
    rows, columns = np.mgrid[:13, :13]
    windows = np.round(0.01 * ((rows - 6.2) ** 2 + (columns - 5.7) ** 2) * NCC_STEPS).astype(np.uint16)
    terms = terms_of(depth, 1.0, camera, np.zeros(2))
    terms = terms._replace(unlike=np.tile(windows, (1, 2, 1, 1)), unlike_uv_px=np.full((1, 2, 2), 32))
    point, slope, curve = np.array([4.0, 5.0, 500.0]), np.zeros(3), np.zeros((3, 3))
    joint_cost(terms, published.PROPAGATE_WEIGHTS, 0, 0, point, slope, curve)
    steps = 1e-4 * np.eye(3)
    ends = [[cost_of(terms, published.PROPAGATE_WEIGHTS, 0, point + side * e) for side in (1, -1)] for e in steps]
    np.testing.assert_allclose(slope, [(up - down) / 2e-4 for up, down in ends], rtol=1e-5, atol=1e-9)
    assert np.linalg.eigvalsh(curve).min() > -1e-12
    assert np.abs(slope).max() > 1e-3


def test_eq_6_weighs_ways_in_half_cubes_and_clicks_in_tenths_of_half_crops():
    """One joint goes 26 mm, a fifth of half a cube of 260 mm: 1 * 0.2^2, half of it in either frame.

    A visible click missed by 3.2 of 64 px costs 100 * 0.05^2 = 0.25, a hidden one nothing; nor is order or depth asked.
    """
    weights = published.optimize_weights(260.0, 128)
    depth, camera = flat(2)
    joints = np.array([[[0.0, 0, 500], [0, 0, 550]], [[26, 0, 500], [0, 0, 550]]])
    labels = []
    for n in range(2):
        label = clicked(project(joints[n], CAMERA) + np.array([3.2, 0.0]), nearer=((1, 0),))
        label.flag[:] = [2, 1]
        labels.append(label)
    terms = terms_of(depth, 1.0, camera, np.zeros(2), labels)
    cost = np.zeros(2)
    _run_cost(TREE, terms, weights, 0, joints, cost)
    np.testing.assert_allclose(cost, 0.25 + 0.02)
    matrix, vector = np.zeros((5, 5)), np.zeros(5)
    add_pairs(TREE, terms, weights, 0, joints[0], np.zeros((2, 2, 3)), matrix, vector)
    assert not matrix.any()
    assert not vector.any()


def test_slsqp_does_not_count_clicks_on_hidden_joints():
    """Ten times the mean over two clicks, each off by 2 of 32 px."""
    terms = before_a_wall([2, 1])
    x = ((JOINTS - JOINTS.mean(axis=0)) / 130).ravel()
    told = [slsqp._objective_of(TREE, terms, 0, JOINTS.mean(axis=0), weight)(x, 0.0) for weight in (0.0, 1.0)]
    assert told[0][0] == pytest.approx(10 / 2 * (2 / 32) ** 2)
    assert told[1][0] == pytest.approx(10 * (2 / 32) ** 2)  # as the authors' code counts them
    assert not told[0][1][3:].any()


def test_slsqp_bounds_depth_by_the_surface_alone():
    terms = before_a_wall([2, 1])
    low, high = slsqp._depth_bounds(terms, 0, JOINTS, terms.pairs, published.EPS_MM, 0.0)
    np.testing.assert_allclose(low, [500, 500])
    np.testing.assert_allclose(high, [515, 650])


def test_joints_of_labelled_frames_are_seen_at_their_clicks():
    label = clicked([[1.0, 2.0], [np.nan, np.nan]])
    label.flag[1] = 0
    seen = published.clicked_px(label, np.array([[5.0, 6.0], [7.0, 8.0]]))
    np.testing.assert_array_equal(seen, [[1, 2], [7, 8]])
