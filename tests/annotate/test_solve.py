"""The solver: slopes against differences, optima worked out by hand, bands against dense matrices."""

from types import SimpleNamespace

import numpy as np
import pytest

from refiner.annotate.chain import take_step, tangents, to_directions, to_joints, tree_of
from refiner.annotate.costs import NCC_STEPS, Weights
from refiner.annotate.solve import (
    _add_pairs,
    _normal_equations,
    _pair_cost,
    _sequence_cost,
    _sequence_equations,
    empty_sums,
    frame_sums,
    solve_frames,
    solve_sequence,
)
from refiner.annotate.surface import terms_of
from refiner.geometry.camera import project, unproject
from refiner.hand.model import load_hand, pose_joints
from refiner.hand.skeleton import HAND21, Skeleton

CAMERA = np.array([250.0, 250.0, 31.5, 31.5])
ONE_BONE = Skeleton("bone", ("a", "b"), (-1, 0))


def flat(frames=1, depth_mm=500, size=64):
    """A wall that fills the map."""
    return np.full((frames, size, size), depth_mm, np.uint16), np.tile(CAMERA, (frames, 1))


def clicked(uv_px, flag=2, nearer=()):
    uv_px = np.asarray(uv_px, dtype=np.float64)
    return SimpleNamespace(uv_px=uv_px, flag=np.full(len(uv_px), flag, np.int8), nearer=nearer)


def bumpy(frames, seed=0):
    """A hand-like case with every term at work: joints near a wavy surface with a silhouette, windows, pairs."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[:64, :64]
    depth = (5000 + 40 * np.sin(columns / 7) + 30 * np.cos(rows / 9)).astype(np.uint16)  # tenths of a millimetre
    depth[np.hypot(rows - 32, columns - 32) > 24] = 0
    model = load_hand()
    pose = np.zeros((frames, 26))
    pose[:, 3:] = rng.normal(0.2, 0.2, (frames, 23))
    joints = pose_joints(model, pose, np.zeros((frames, 17)), np.zeros(frames, np.int64)).astype(np.float64)
    joints = joints * 0.4 + [0, -20, 505]
    camera = np.tile([250.0, 250.0, 31.5, 31.5], (frames, 1))
    uv_px = project(joints, camera[:, None])
    labels = [clicked(uv_px[n] + rng.normal(0, 1, (21, 2)), nearer=((0, 5), (8, 4), (12, 3))) for n in range(frames)]
    labels[0].flag[::3] = 1
    labels[0].flag[1::7] = 0
    terms = terms_of(
        np.tile(depth, (frames, 1, 1)),
        0.1,
        camera,
        model.surface_offset_mm.astype(float),
        labels,
    )
    rows, columns = np.mgrid[:13, :13]
    bowl = 0.03 * ((rows - 6.2) ** 2 + (columns - 5.7) ** 2)
    windows = np.broadcast_to(np.round(np.minimum(bowl, 2) * NCC_STEPS), (frames, 21, 13, 13)).astype(np.uint16)
    normal = rng.standard_normal((frames, 40, 3))
    terms = terms._replace(
        unlike=np.ascontiguousarray(windows),
        unlike_uv_px=np.round(uv_px).astype(np.int64),
        anchor_mm=joints + 2.0,
        point_bone=rng.integers(1, 21, (frames, 40)),
        point_share=rng.uniform(0, 1, (frames, 40)),
        point_mm=rng.normal([0, 0, 505], 20, (frames, 40, 3)),
        point_normal=normal / np.linalg.norm(normal, axis=-1, keepdims=True),
    )
    tree = tree_of(HAND21, HAND21.bone_lengths(joints[0]))
    root, directions = to_directions(tree, joints + rng.normal(0, 2, joints.shape))
    return (
        tree,
        terms,
        Weights(appearance=5.0, smooth_mm=4.0, smooth_knee=1.0, points_mm=3.0, anchor_mm=5.0),
        root,
        directions,
    )


def _frame_cost(tree, terms, weights, root, directions, basis, step):
    moved_root, moved = np.empty(3), np.empty((21, 3))
    take_step(tree, root, directions, basis, step, moved_root, moved)
    joints = to_joints(tree, moved_root[None], moved[None])[0]
    return frame_sums(
        tree, terms, weights, 0, joints, np.empty((21, 3)), np.empty((21, 3, 3)), empty_sums(21)
    ) + _pair_cost(terms, weights, 0, joints)


def _frame_system(tree, terms, weights, root, directions):
    joints = to_joints(tree, root[None], directions[None])[0]
    gradient, hessian, basis, bones = np.empty((21, 3)), np.empty((21, 3, 3)), np.empty((21, 2, 3)), empty_sums(21)
    tangents(directions, basis)
    frame_sums(tree, terms, weights, 0, joints, gradient, hessian, bones)
    matrix, vector = np.empty((43, 43)), np.empty(43)
    _normal_equations(tree, basis, gradient, hessian, bones, matrix, vector)
    _add_pairs(tree, terms, weights, 0, joints, basis, matrix, vector)
    return basis, matrix, vector


@pytest.mark.parametrize("seed", range(3))
def test_the_gradient_of_a_frame_is_that_of_differences(seed):
    tree, terms, weights, root, directions = bumpy(1, seed)
    _check_gradient(tree, terms, weights, root, directions)


def _check_gradient(tree, terms, weights, root, directions):
    basis, matrix, vector = _frame_system(tree, terms, weights, root[0], directions[0])
    step = 1e-4
    numeric = np.array(
        [
            (
                _frame_cost(tree, terms, weights, root[0], directions[0], basis, step * unit)
                - _frame_cost(tree, terms, weights, root[0], directions[0], basis, -step * unit)
            )
            / (2 * step)
            for unit in np.eye(43)
        ]
    )
    assert np.abs(vector).max() > 0.1  # something is at work
    # Bilinear depth and distances have kinks at pixel borders: a few entries may straddle one.
    close = np.isclose(vector, numeric, rtol=1e-3, atol=1e-3 * np.abs(vector).max())
    assert close.mean() > 0.9
    assert np.linalg.eigvalsh(matrix).min() > -1e-9 * np.abs(matrix).max()


def test_subtree_sums_equal_a_stored_jacobian():
    tree, terms, weights, root, directions = bumpy(1)
    joints = to_joints(tree, root, directions)[0]
    gradient, hessian, bones = np.empty((21, 3)), np.empty((21, 3, 3)), empty_sums(21)
    frame_sums(tree, terms, weights._replace(points_mm=0.0), 0, joints, gradient, hessian, bones)
    basis = np.empty((21, 2, 3))
    tangents(directions[0], basis)
    jacobian = _jacobian(tree, basis)
    matrix = np.einsum("kip,kij,kjq->pq", jacobian, hessian, jacobian)
    wanted = [matrix, np.einsum("kip,ki->p", jacobian, gradient)]
    rng = np.random.default_rng(0)
    for _ in range(50):  # points on bones
        k, t, slope, half = rng.integers(1, 21), rng.uniform(), rng.standard_normal(3), rng.standard_normal((3, 3))
        curve, parent = half @ half.T, tree.parents[k]
        way = (1 - t) * jacobian[parent] + t * jacobian[k]
        wanted[0] += way.T @ curve @ way
        wanted[1] += way.T @ slope
        gradient[parent] += slope
        hessian[parent] += curve
        bones.gradient[k] += t * slope
        bones.mixed[k] += t * curve
        bones.hessian[k] += t * t * curve
    matrix, vector = np.empty((43, 43)), np.empty(43)
    _normal_equations(tree, basis, gradient, hessian, bones, matrix, vector)
    np.testing.assert_allclose(matrix, wanted[0], rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(vector, wanted[1], rtol=1e-9, atol=1e-9)


def _jacobian(tree, basis):
    jacobian = np.zeros((21, 3, 43))
    for joint in range(21):
        jacobian[joint, :, :3] = np.eye(3)
        above = joint
        while tree.parents[above] >= 0:
            jacobian[joint, :, tree.column[above] : tree.column[above] + 2] = basis[above].T
            above = tree.parents[above]
    return jacobian


def test_the_band_of_a_sequence_equals_a_dense_matrix():
    frames = 3
    tree, terms, weights, root, directions = bumpy(frames)
    linked = np.array([False, True, False])  # a break before the last
    joints = to_joints(tree, root, directions)
    basis = np.empty((frames, 21, 2, 3))
    for n in range(frames):
        tangents(directions[n], basis[n])
    band, vector = np.empty((86, frames * 43)), np.empty(frames * 43)
    _sequence_equations(tree, terms, weights, linked, joints, basis, band, vector)
    dense = np.zeros((frames * 43, frames * 43))
    wanted = np.zeros(frames * 43)
    jacobian = [_jacobian(tree, basis[n]) for n in range(frames)]
    for n in range(frames):
        gradient, hessian, bones = np.empty((21, 3)), np.empty((21, 3, 3)), empty_sums(21)
        frame_sums(tree, terms, weights, n, joints[n], gradient, hessian, bones)
        rows = slice(43 * n, 43 * n + 43)
        block, part = np.empty((43, 43)), np.empty(43)
        _normal_equations(tree, basis[n], gradient, hessian, bones, block, part)
        _add_pairs(tree, terms, weights, n, joints[n], basis[n], block, part)
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
    _sequence_cost(tree, terms, weights, linked, start, before)
    seen = []
    solution = solve_sequence(
        tree, terms, weights, linked, root, directions, on_iteration=lambda n, cost: seen.append(cost) or n >= 3
    )
    assert len(seen) == 3  # cancelled
    assert solution.cost.sum() < before.sum()
    lengths = HAND21.bone_lengths(solution.joints_mm)[:, 1:]
    np.testing.assert_allclose(lengths, np.tile(tree.length_mm[1:], (4, 1)), rtol=1e-9)


def test_a_frame_without_any_reading_is_solved_from_its_clicks():
    tree = tree_of(ONE_BONE, [np.nan, 30.0])
    _, camera = flat()
    uv_px = project(np.array([[0, 0, 500.0], [20.0, 0, 520.0]]), CAMERA)
    terms = terms_of(np.zeros((1, 64, 64), np.uint16), 1.0, camera, np.zeros(2), [clicked(uv_px)])
    start = np.array([[[2.0, 0, 500.0], [22.0, 3.0, 510.0]]])
    solution = solve_frames(tree, terms, Weights(), *to_directions(tree, start))
    assert np.isfinite(solution.joints_mm).all()
    np.testing.assert_allclose(project(solution.joints_mm[0], CAMERA), uv_px, atol=0.05)


def test_unproject_is_the_inverse_the_cases_rest_on():
    np.testing.assert_allclose(unproject([31.5, 31.5], 500.0, CAMERA), [0, 0, 500])
