"""Sequences: bands against dense matrices, optima worked out by hand."""

import numpy as np
import pytest
from solver_cases import ONE_BONE, bumpy, clicked, flat, jacobian_of

from refiner.annotate.solver.band import _run_cost, _run_equations, solve_sequence
from refiner.annotate.solver.chain import tangents, to_directions, to_joints, tree_of
from refiner.annotate.solver.equations import add_pairs, empty_sums, frame_sums, normal_equations
from refiner.annotate.solver.surface import terms_of
from refiner.annotate.solver.terms import Weights
from refiner.hand.skeleton import HAND21


def test_the_bands_of_runs_equal_a_dense_matrix():
    frames = 3  # with a break before the last
    tree, terms, weights, root, directions = bumpy(frames)
    joints = to_joints(tree, root, directions)
    basis = np.empty((frames, 21, 2, 3))
    for n in range(frames):
        tangents(directions[n], basis[n])
    band, vector = np.empty((86, frames * 43), order="F"), np.empty(frames * 43)
    for run, columns in ((slice(0, 2), slice(0, 86)), (slice(2, 3), slice(86, 129))):
        where = run.start, joints[run], basis[run]
        _run_equations(tree, terms, weights, *where, band[:, columns], vector[columns])
    dense = np.zeros((frames * 43, frames * 43))
    wanted = np.zeros(frames * 43)
    jacobian = [jacobian_of(tree, basis[n]) for n in range(frames)]
    for n in range(frames):
        gradient, hessian, bones = np.empty((21, 3)), np.empty((21, 3, 3)), empty_sums(21)
        frame_sums(tree, terms, weights, n, joints[n], gradient, hessian, bones)
        rows = slice(43 * n, 43 * n + 43)
        block, part = np.empty((43, 43)), np.empty(43)
        normal_equations(tree, basis[n], gradient, hessian, bones, block, part)
        add_pairs(tree, terms, weights, n, joints[n], basis[n], block, part)
        dense[rows, rows] += block
        wanted[rows] += part
    way = np.concatenate([-jacobian[0], jacobian[1]], axis=2).reshape(63, 86)  # d (L_1 - L_0) / d steps
    both = slice(0, 86)
    off = joints[1] - joints[0]
    far = np.linalg.norm(off, axis=-1, keepdims=True)
    tie = np.where(far <= 4.0, 2 / 4.0**2, 2 / 4.0 / far)  # beyond one deviation the slope grows no more
    assert 0 < (far > 4.0).sum() < 21
    dense[both, both] += way.T @ (np.repeat(tie, 3, axis=0) * way)
    wanted[both] += way.T @ (tie * off).reshape(-1)
    for j in range(frames * 43):
        for i in range(j, min(j + 86, frames * 43)):
            assert band[i - j, j] == pytest.approx(dense[i, j], rel=1e-9, abs=1e-9)
    assert not dense[86:, :86].any()
    np.testing.assert_allclose(vector, wanted, rtol=1e-9, atol=1e-9)


def test_three_frames_pulled_together_worked_out_by_hand():
    """One joint in each of three frames; the first is clicked at u = 0, the last at 3, the middle nowhere.

    At a fixed depth of 250 mm and f = 250 px a pixel is a millimetre, and the roots alone matter (one bone, whose end
    is not seen and stays where it is, for the bone can turn). With clicks of 1 px (1 mm) and links of 1 mm, along u:
    x1^2 + (x2 - x1)^2 + (x3 - x2)^2 + (x3 - 3)^2. Slopes: 2 x1 = x2, 2 x2 = x1 + x3 and 2 x3 = x2 + 3, hence
    x = 0.75, 1.5, 2.25.
    """
    tree = tree_of(ONE_BONE, [np.nan, 20.0])
    depth, camera = flat(3, 250)
    labels = [clicked([[31.5 + u, 31.5], [0, 0]]) for u in (0.0, 0.0, 3.0)]
    for n, label in enumerate(labels):
        label.flag[:] = (2 if n != 1 else 0, 0)
    terms = terms_of(depth, 1.0, camera, np.zeros(2), labels)
    weights = Weights(smooth_mm=1.0, outside_px=0.0, pull_mm=1e-3, depth_mm=1e-3)
    terms.visible[:, 0] = True
    start = np.tile([[0, 0, 250.0], [0, 0, 270.0]], (3, 1, 1))
    solution = solve_sequence(
        tree,
        terms,
        weights,
        np.array([False, True, True]),
        *to_directions(tree, start),
        iterations=200,
        tolerance=1e-14,
    )
    np.testing.assert_allclose(solution.joints_mm[:, 0, 0], [0.75, 1.5, 2.25], atol=2e-3)


def test_a_leap_by_hand():
    """A hand clicked 20 mm from where it was clicked before, whose ways cost their length from 2 mm on.

    With clicks of 1 px (1 mm) and ways of 1 mm, a millimetre of way costs 2 x 2 = 4 from there, so that 2 x = 4: both
    frames give way by 2 mm. Squares alone, 2 x^2 + (20 - 2 x)^2, would have them do so by 20 / 3 mm. The other end of
    the bone stays where it is.
    """
    tree = tree_of(ONE_BONE, [np.nan, 20.0])
    depth, camera = flat(2, 250)
    labels = [clicked([[21.5, 31.5], [0, 0]]), clicked([[41.5, 31.5], [0, 0]])]
    for label in labels:
        label.flag[:] = 2, 0
    terms = terms_of(depth, 1.0, camera, np.zeros(2), labels)
    start = np.tile([[0, 0, 250.0], [0, 0, 270.0]], (2, 1, 1))
    for knee, expected in ((2.0, [-8.0, 8.0]), (np.inf, [-10 / 3, 10 / 3])):
        weights = Weights(smooth_mm=1.0, smooth_knee=knee, outside_px=0.0, pull_mm=1e-3, depth_mm=1e-3)
        terms.visible[:, 0] = True
        run = {"iterations": 400, "tolerance": 1e-15}
        solution = solve_sequence(tree, terms, weights, np.array([False, True]), *to_directions(tree, start), **run)
        np.testing.assert_allclose(solution.joints_mm[:, 0, 0], expected, atol=0.02)


def test_a_break_lets_go():
    tree = tree_of(ONE_BONE, [np.nan, 20.0])
    depth, camera = flat(2, 250)
    labels = [clicked([[21.5, 31.5], [21.5, 31.5]]), clicked([[41.5, 31.5], [41.5, 31.5]])]
    terms = terms_of(depth, 1.0, camera, np.zeros(2), labels)
    start = np.tile([[0, 0, 250.0], [0, 0, 270.0]], (2, 1, 1))
    root_mm, directions = to_directions(tree, start)
    run = {"root_mm": root_mm, "directions": directions, "iterations": 100}
    tied = solve_sequence(tree, terms, Weights(smooth_mm=0.5), np.array([False, True]), **run)
    free = solve_sequence(tree, terms, Weights(smooth_mm=0.5), np.array([False, False]), **run)
    assert np.diff(free.joints_mm[:, 0, 0])[0] == pytest.approx(20, abs=0.5)
    assert np.diff(tied.joints_mm[:, 0, 0])[0] < 10


def test_a_sequence_never_ends_worse_and_keeps_lengths():
    tree, terms, weights, root, directions = bumpy(4)
    linked = np.array([False, True, True, True])
    start = to_joints(tree, root, directions)
    before = np.empty(4)
    _run_cost(tree, terms, weights, 0, start, before)
    seen = []
    solution = solve_sequence(
        tree, terms, weights, linked, root, directions, on_iteration=lambda n, cost: seen.append(cost) or n >= 3
    )
    assert len(seen) == 3  # cancelled
    assert solution.cost.sum() < before.sum()
    lengths = HAND21.bone_lengths(solution.joints_mm)[:, 1:]
    np.testing.assert_allclose(lengths, np.tile(tree.length_mm[1:], (4, 1)), rtol=1e-9)
