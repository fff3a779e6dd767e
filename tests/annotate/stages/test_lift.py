"""3D joints of labelled frames."""

import numpy as np
import pytest
from shipped_sequence import clicks, error_mm, offsets, shipped
from solver_cases import CAMERA, ONE_BONE, clicked, flat

from refiner.annotate.solver.chain import tree_of
from refiner.annotate.solver.surface import terms_of
from refiner.annotate.solver.terms import Weights
from refiner.annotate.stages.lift import lift, start_joints
from refiner.geometry.camera import project
from refiner.hand.skeleton import HAND21, Skeleton

FRAMES = range(0, 24, 3)


@pytest.fixture(scope="module")
def case():
    sequence, joints, visible = shipped()
    return sequence, joints, visible, tree_of(HAND21, HAND21.bone_lengths(joints)[0])


def lifted(case, weights=None, noise_px=0.0, pairs=True, seen=True):
    sequence, joints, visible, tree = case
    labels = clicks(sequence, joints, visible, FRAMES, noise_px)
    chosen = [labels[n] for n in FRAMES]
    if not pairs:
        for label in chosen:
            label.nearer = ()
    at = list(FRAMES)
    terms = terms_of(sequence.depth[at], sequence.depth_unit_mm, sequence.camera[at], offsets(), chosen)
    if not seen:
        terms = terms._replace(click=np.minimum(terms.click, 1), visible=np.zeros_like(terms.visible))
    return lift(tree, terms, weights or Weights()), joints[at], terms


def test_the_order_of_the_paper_clicks_alone_then_depth_then_pairs(case):
    alone, joints, _ = lifted(case, Weights(depth_mm=0.0, outside_px=0.0), pairs=False)
    depth, _, _ = lifted(case, pairs=False)
    all_three, _, _ = lifted(case)
    errors = [error_mm(s.joints_mm, joints) for s in (alone, depth, all_three)]
    assert errors[0] > 2 * errors[1] >= errors[2]
    assert errors[2] < 4


def test_bone_lengths_hold_exactly_and_pairs_within_a_millimetre(case):
    solution, _, terms = lifted(case, noise_px=1.0)
    tree = case[3]
    lengths = HAND21.bone_lengths(solution.joints_mm)[:, 1:]
    np.testing.assert_allclose(lengths, np.tile(tree.length_mm[1:], (len(lengths), 1)), rtol=1e-9)
    for n in range(len(lengths)):
        for near, far in terms.pairs[terms.pair_start[n] : terms.pair_start[n + 1]]:
            assert solution.joints_mm[n, far, 2] - solution.joints_mm[n, near, 2] > 9.0


def test_noise_of_the_clicks_costs_little(case):
    clean, joints, _ = lifted(case)
    noisy, _, _ = lifted(case, noise_px=1.0)
    assert error_mm(noisy.joints_mm, joints) < error_mm(clean.joints_mm, joints) + 2.5


def test_the_same_labels_give_the_same_joints(case):
    np.testing.assert_array_equal(lifted(case)[0].joints_mm, lifted(case)[0].joints_mm)


def test_a_start_is_finite_for_joints_nobody_clicked(case):
    sequence, joints, visible, tree = case
    label = clicks(sequence, joints, visible, [0])[0]
    label.flag[5:] = 0
    label.uv_px[5:] = np.nan
    label.nearer = ()
    terms = terms_of(sequence.depth[:1], sequence.depth_unit_mm, sequence.camera[:1], offsets(), [label])
    assert np.isfinite(start_joints(tree, terms, 10.0)).all()
    assert np.isfinite(lift(tree, terms).joints_mm).all()


@pytest.mark.parametrize(("nearer", "depth_mm"), [((), 540), (((0, 1),), 540), (((1, 0),), 460)])
def test_a_joint_in_a_hole_starts_a_bone_from_its_parent(nearer, depth_mm):
    """a is 500 mm away; the rays of b's clicks are 50 mm from it at 460 or 540 mm: 3, 4, 5."""
    joints = np.array([[0, 0, 500], [30, 0, depth_mm]])
    label = clicked(project(joints, CAMERA), nearer=nearer)
    depth, camera = flat()
    terms = terms_of(depth, 1.0, camera, np.zeros(2), [label])
    terms.lost[0, 1] = True
    tree = tree_of(ONE_BONE, [np.nan, 50.0])
    np.testing.assert_allclose(start_joints(tree, terms, 10.0)[0], joints, atol=1e-9)


def test_a_joint_in_a_hole_is_tried_before_and_behind_its_parent():
    """As above; nobody says which is nearer, but the tip, seen on the wall 30 mm from b's place before it, does."""
    three = Skeleton("three", ("a", "b", "c"), (-1, 0, 1))
    joints = np.array([[0, 0, 500], [30, 0, 460], [50, 0, 500]])
    depth, camera = flat()
    label = clicked(project(joints, CAMERA))
    rows, columns = np.mgrid[:64, :64]
    depth[0, (np.hypot(columns - label.uv_px[1, 0], rows - label.uv_px[1, 1]) < 8)] = 0
    tree = tree_of(three, [np.nan, 50.0, np.hypot(20, 40)])
    terms = terms_of(depth, 1.0, camera, np.zeros(3), [label])
    assert terms.lost.tolist() == [[False, True, False]]
    assert start_joints(tree, terms, 10.0)[0, 1, 2] > 500
    np.testing.assert_allclose(lift(tree, terms).joints_mm[0], joints, atol=1.0)
