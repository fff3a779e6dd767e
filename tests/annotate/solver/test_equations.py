"""A frame's equations: slopes against differences, subtree sums against a stored Jacobian."""

import numpy as np
import pytest
from solver_cases import bumpy, jacobian_of

from refiner.annotate.solver.chain import take_step, tangents, to_joints
from refiner.annotate.solver.equations import add_pairs, empty_sums, frame_sums, normal_equations, pair_cost


def _frame_cost(tree, terms, weights, root, directions, basis, step):
    moved_root, moved = np.empty(3), np.empty((21, 3))
    take_step(tree, root, directions, basis, step, moved_root, moved)
    joints = to_joints(tree, moved_root[None], moved[None])[0]
    return frame_sums(
        tree, terms, weights, 0, joints, np.empty((21, 3)), np.empty((21, 3, 3)), empty_sums(21)
    ) + pair_cost(terms, weights, 0, joints)


def _frame_system(tree, terms, weights, root, directions):
    joints = to_joints(tree, root[None], directions[None])[0]
    gradient, hessian, basis, bones = np.empty((21, 3)), np.empty((21, 3, 3)), np.empty((21, 2, 3)), empty_sums(21)
    tangents(directions, basis)
    frame_sums(tree, terms, weights, 0, joints, gradient, hessian, bones)
    matrix, vector = np.empty((43, 43)), np.empty(43)
    normal_equations(tree, basis, gradient, hessian, bones, matrix, vector)
    add_pairs(tree, terms, weights, 0, joints, basis, matrix, vector)
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
    jacobian = jacobian_of(tree, basis)
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
    normal_equations(tree, basis, gradient, hessian, bones, matrix, vector)
    np.testing.assert_allclose(matrix, wanted[0], rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(vector, wanted[1], rtol=1e-9, atol=1e-9)
