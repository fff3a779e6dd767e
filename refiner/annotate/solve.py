"""Levenberg-Marquardt over trees of unit directions: frames one by one, or all of a sequence at once.

Every cost is a function of single joints, of pairs of joints of a frame, or of a joint in two neighbouring frames. The
gradient and the curvature of a frame are summed over subtrees (see `refiner.annotate.chain`); neighbouring frames
couple by blocks of P x P, so that the normal equations of a sequence are a band of half width 2 P - 1, which LAPACK
factorises in time and memory linear in the number of frames.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numba
import numpy as np
from numpy.typing import NDArray
from scipy.linalg import LinAlgError, solveh_banded
from threadpoolctl import threadpool_limits

from refiner.annotate.chain import Tree, place_joints, take_step, tangents, to_joints
from refiner.annotate.costs import BoneSums, Terms, Weights, depth_at, huber, joint_cost, points_cost
from refiner.annotate.threads import map_frames
from refiner.geometry.camera import project

_LEAST_DAMPING, _GREATEST_DAMPING = 1e-6, 1e8

_SOME = 16
"""So many frames are one thread's work at a time."""

_LONGEST_STEP_MM = 15.0
"""No joint goes farther in a step: costs are not convex, and beyond a finger's width another finger begins."""


@dataclass(frozen=True, eq=False)
class Solution:
    """Frames after a solve.

    Attributes:
        root_mm: (N, 3).
        directions: (N, J, 3), unit.
        joints_mm: (N, J, 3), bone lengths exact.
        cost: (N,) of each frame; in a sequence a link between two frames is shared by them.
        iterations: Steps tried.
    """

    root_mm: NDArray[np.float64]
    directions: NDArray[np.float64]
    joints_mm: NDArray[np.float64]
    cost: NDArray[np.float64]
    iterations: int


@numba.njit(nogil=True, cache=True)
def empty_sums(count):
    """Give room for the sums of so many bones."""
    return BoneSums(np.empty((count, 3)), np.empty((count, 3, 3)), np.empty((count, 3, 3)))


@numba.njit(nogil=True, cache=True)
def frame_sums(tree, terms, weights, n, joints, gradient, hessian, bones):
    """Give a frame's cost; write gradient (J, 3) and curvature (J, 3, 3) of joints and bones, pairs left out."""
    gradient[:] = 0.0
    hessian[:] = 0.0
    bones.gradient[:] = 0.0
    bones.mixed[:] = 0.0
    bones.hessian[:] = 0.0
    cost = 0.0
    if weights.points_mm > 0.0:
        cost += points_cost(tree, terms, weights, n, joints, gradient, hessian, bones)
    for k in range(len(joints)):
        cost += joint_cost(terms, weights, n, k, joints[k], gradient[k], hessian[k])
    return cost


@numba.njit(nogil=True, cache=True)
def _pair_cost(terms, weights, n, joints):
    cost = 0.0
    for m in range(terms.pair_start[n], terms.pair_start[n + 1]):
        near, far = terms.pairs[m]
        lacking = weights.nearer_mm - (joints[far, 2] - joints[near, 2])
        if lacking > 0.0:
            cost += (lacking / weights.nearer_sigma_mm) ** 2
    return cost


@numba.njit(nogil=True, cache=True)
def _normal_equations(tree, basis, gradient, hessian, bones, matrix, vector):
    """Write curvature (P, P) and gradient (P,) of a frame's step of those of its joints, which are destroyed."""
    matrix[:] = 0.0
    vector[:] = 0.0
    for at in range(len(tree.order) - 1, 0, -1):  # subtree sums
        joint = tree.order[at]
        parent = tree.parents[joint]
        gradient[parent] += gradient[joint]
        hessian[parent] += hessian[joint]
    root = tree.order[0]
    for i in range(3):
        vector[i] = gradient[root, i]
        for j in range(3):
            matrix[i, j] = hessian[root, i, j]
    turned, own = np.empty((2, 3)), np.empty((2, 3))
    for at in range(1, len(tree.order)):
        joint = tree.order[at]
        column = tree.column[joint]
        for a in range(2):
            value = 0.0
            for i in range(3):
                value += basis[joint, a, i] * (gradient[joint, i] + bones.gradient[joint, i])
                total = alone = 0.0
                for j in range(3):
                    total += (hessian[joint, i, j] + bones.mixed[joint, i, j]) * basis[joint, a, j]
                    alone += (hessian[joint, i, j] + bones.hessian[joint, i, j]) * basis[joint, a, j]
                turned[a, i], own[a, i] = total, alone
            vector[column + a] = value
        for a in range(2):
            for i in range(3):
                matrix[column + a, i] = turned[a, i]
                matrix[i, column + a] = turned[a, i]
        above = joint
        while tree.parents[above] >= 0:
            place = tree.column[above]
            for a in range(2):
                for b in range(2):
                    value = 0.0
                    for i in range(3):
                        value += basis[above, b, i] * (own[a, i] if above == joint else turned[a, i])
                    matrix[column + a, place + b] = value
                    matrix[place + b, column + a] = value
            above = tree.parents[above]


@numba.njit(nogil=True, cache=True)
def _add_row(tree, basis, joint, weight, row):
    """Add weight d z_joint / d step to a row (P,)."""
    row[2] += weight
    while tree.parents[joint] >= 0:
        row[tree.column[joint]] += weight * basis[joint, 0, 2]
        row[tree.column[joint] + 1] += weight * basis[joint, 1, 2]
        joint = tree.parents[joint]


@numba.njit(nogil=True, cache=True)
def _add_pairs(tree, terms, weights, n, joints, basis, matrix, vector):
    row = np.empty(len(vector))
    square = 1.0 / weights.nearer_sigma_mm**2
    for m in range(terms.pair_start[n], terms.pair_start[n + 1]):
        near, far = terms.pairs[m]
        lacking = weights.nearer_mm - (joints[far, 2] - joints[near, 2])
        if lacking > 0.0:
            row[:] = 0.0
            _add_row(tree, basis, near, 1.0, row)
            _add_row(tree, basis, far, -1.0, row)
            for i in range(len(row)):
                if row[i] != 0.0:
                    vector[i] += 2.0 * square * lacking * row[i]
                    for j in range(len(row)):
                        matrix[i, j] += 2.0 * square * row[i] * row[j]


@numba.njit(nogil=True, cache=True)
def _solve_small(matrix, vector, damping, out):
    """Solve (matrix + damping 1) out = -vector by Cholesky; whether it is positive definite."""
    size = len(vector)
    lower = np.empty((size, size))
    for j in range(size):
        total = matrix[j, j] + damping
        for k in range(j):
            total -= lower[j, k] * lower[j, k]
        if total <= 1e-12:
            return False
        root = np.sqrt(total)
        lower[j, j] = root
        for i in range(j + 1, size):
            total = matrix[i, j]
            for k in range(j):
                total -= lower[i, k] * lower[j, k]
            lower[i, j] = total / root
    for i in range(size):
        total = -vector[i]
        for k in range(i):
            total -= lower[i, k] * out[k]
        out[i] = total / lower[i, i]
    for i in range(size - 1, -1, -1):
        total = out[i]
        for k in range(i + 1, size):
            total -= lower[k, i] * out[k]
        out[i] = total / lower[i, i]
    return True


@numba.njit(nogil=True, cache=True)
def descend(tree, terms, weights, n, root_mm, directions, iterations, tolerance):
    """Solve one frame in place; its cost, and the steps tried.

    Args:
        tree: The skeleton.
        terms: Data of all frames.
        weights: Of the terms.
        n: Which frame.
        root_mm: (3,), start and result.
        directions: (J, 3), likewise.
        iterations: Steps tried at most.
        tolerance: It ends where a step lowers the cost by less than this share of it (plus 1).
    """
    count, size = len(directions), 3 + 2 * (len(directions) - 1)
    joints, trial = np.empty((count, 3)), np.empty((count, 3))
    gradient, hessian, bones = np.empty((count, 3)), np.empty((count, 3, 3)), empty_sums(count)
    basis, matrix, vector = np.empty((count, 2, 3)), np.empty((size, size)), np.empty(size)
    step, root_new, directions_new = np.empty(size), np.empty(3), np.empty((count, 3))
    place_joints(tree, root_mm, directions, joints)
    cost = frame_sums(tree, terms, weights, n, joints, gradient, hessian, bones) + _pair_cost(terms, weights, n, joints)
    damping, growth, fresh, tried = 1e-2, 4.0, True, 0
    while tried < iterations:
        tried += 1
        if fresh:
            tangents(directions, basis)
            _normal_equations(tree, basis, gradient, hessian, bones, matrix, vector)
            _add_pairs(tree, terms, weights, n, joints, basis, matrix, vector)
            fresh = False
        better = False
        if _solve_small(matrix, vector, damping, step):
            longest = 0.0
            for i in range(size):
                longest = max(longest, abs(step[i]))
            if longest > _LONGEST_STEP_MM:
                step *= _LONGEST_STEP_MM / longest
            take_step(tree, root_mm, directions, basis, step, root_new, directions_new)
            place_joints(tree, root_new, directions_new, trial)
            new = frame_sums(tree, terms, weights, n, trial, gradient, hessian, bones) + _pair_cost(
                terms, weights, n, trial
            )
            better = new < cost
        if better:
            gain = cost - new
            cost, fresh, growth = new, True, 4.0
            root_mm[:], directions[:], joints[:] = root_new, directions_new, trial
            damping = max(damping / 5.0, 1e-6)
            if gain < tolerance * (cost + 1.0):
                break
        else:
            damping *= growth
            growth *= 2.0
            if damping > 1e8:
                break
    return cost, tried


@numba.njit(nogil=True, cache=True)
def _descend_some(tree, terms, weights, start, stop, root_mm, directions, iterations, tolerance, cost):
    tried = 0
    for n in range(start, stop):
        cost[n], steps = descend(tree, terms, weights, n, root_mm[n], directions[n], iterations, tolerance)
        tried += steps
    return tried


def solve_frames(
    tree: Tree,
    terms: Terms,
    weights: Weights,
    root_mm: NDArray[np.float64],
    directions: NDArray[np.float64],
    iterations: int = 60,
    tolerance: float = 1e-5,
) -> Solution:
    """Solve every frame by itself, from the given start; arguments and end as for `descend`."""
    root_mm, directions, cost = root_mm.copy(), directions.copy(), np.empty(len(root_mm))

    def descend_some(start: int) -> int:
        some = start, min(start + _SOME, len(root_mm))
        return _descend_some(tree, terms, weights, *some, root_mm, directions, iterations, tolerance, cost)

    tried = sum(map_frames(descend_some, range(0, len(root_mm), _SOME)))
    return Solution(root_mm, directions, to_joints(tree, root_mm, directions), cost, tried)


@numba.njit(nogil=True, cache=True)
def _sequence_cost(tree, terms, weights, linked, joints, out):
    count = joints.shape[1]
    gradient, hessian, bones = np.empty((count, 3)), np.empty((count, 3, 3)), empty_sums(count)
    for n in range(len(joints)):
        out[n] = frame_sums(tree, terms, weights, n, joints[n], gradient, hessian, bones)
        out[n] += _pair_cost(terms, weights, n, joints[n])
    for n in range(1, len(joints)):
        if linked[n] and weights.smooth_mm > 0.0:
            for k in range(count):
                half = 0.5 * _way(weights, joints[n - 1, k], joints[n, k])[0]
                out[n] += half
                out[n - 1] += half


@numba.njit(nogil=True, cache=True)
def _way(weights, before, after):
    """Give what a joint's way between two frames costs, and its curvature (slope over way)."""
    far = 0.0
    for i in range(3):
        far += (after[i] - before[i]) ** 2
    value, _, curvature = huber(np.sqrt(far), weights.smooth_mm, weights.smooth_knee)
    return value, curvature


@numba.njit(nogil=True, cache=True)
def _sequence_equations(tree, terms, weights, linked, joints, basis, band, vector):
    """Write the lower band (2 P, N P) of the curvature and the gradient (N P,) of a whole sequence."""
    frames, count = joints.shape[:2]
    size = 3 + 2 * (count - 1)
    gradient, hessian, bones = np.empty((count, 3)), np.empty((count, 3, 3)), empty_sums(count)
    matrix, own, link = np.empty((size, size)), np.empty(size), np.empty((size, size))
    ties = np.zeros((2, count))  # of the joints of this frame to the one before, and to the next
    band[:] = 0.0
    for n in range(frames):
        frame_sums(tree, terms, weights, n, joints[n], gradient, hessian, bones)
        ties[0], ties[1] = ties[1], 0.0
        if n + 1 < frames and linked[n + 1] and weights.smooth_mm > 0.0:
            for k in range(count):
                ties[1, k] = _way(weights, joints[n, k], joints[n + 1, k])[1]
        for side, other in enumerate((n - 1, n + 1)):
            if 0 <= other < frames:
                for k in range(count):
                    for i in range(3):
                        gradient[k, i] += ties[side, k] * (joints[n, k, i] - joints[other, k, i])
                        hessian[k, i, i] += ties[side, k]
        _normal_equations(tree, basis[n], gradient, hessian, bones, matrix, own)
        _add_pairs(tree, terms, weights, n, joints[n], basis[n], matrix, own)
        at = n * size
        for j in range(size):
            vector[at + j] = own[j]
            for i in range(j, size):
                band[i - j, at + j] = matrix[i, j]
        if n + 1 < frames and linked[n + 1]:
            _link(tree, basis[n], basis[n + 1], ties[1], link)
            for j in range(size):
                for i in range(size):
                    band[size + i - j, at + j] = link[i, j]


@numba.njit(nogil=True, cache=True)
def _link(tree, before, after, ties, out):
    """Write -sum_k ties_k (d L_k / d step of the later frame)^T (d L_k / d step of the earlier), (P, P)."""
    out[:] = 0.0
    below = ties.copy()  # of all joints that a bone moves
    for at in range(len(tree.order) - 1, 0, -1):
        below[tree.parents[tree.order[at]]] += below[tree.order[at]]
    for i in range(3):
        out[i, i] = -below[tree.order[0]]
    for at in range(1, len(tree.order)):
        joint = tree.order[at]
        column, shared = tree.column[joint], -below[joint]
        for a in range(2):
            for i in range(3):
                out[column + a, i] = shared * after[joint, a, i]
                out[i, column + a] = shared * before[joint, a, i]
        above = joint
        while tree.parents[above] >= 0:
            place = tree.column[above]
            for a in range(2):
                for b in range(2):
                    later = earlier = 0.0
                    for i in range(3):
                        later += after[joint, a, i] * before[above, b, i]
                        earlier += after[above, b, i] * before[joint, a, i]
                    out[column + a, place + b] = shared * later
                    out[place + b, column + a] = shared * earlier
            above = tree.parents[above]


@numba.njit(nogil=True, cache=True)
def _step_all(tree, root_mm, directions, basis, steps, root_out, directions_out, joints_out):
    for n in range(len(root_mm)):
        take_step(tree, root_mm[n], directions[n], basis[n], steps[n], root_out[n], directions_out[n])
        place_joints(tree, root_out[n], directions_out[n], joints_out[n])


@numba.njit(nogil=True, cache=True)
def _tangents_all(directions, out):
    for n in range(len(directions)):
        tangents(directions[n], out[n])


def solve_sequence(
    tree: Tree,
    terms: Terms,
    weights: Weights,
    linked: NDArray[np.bool_],
    root_mm: NDArray[np.float64],
    directions: NDArray[np.float64],
    iterations: int = 40,
    tolerance: float = 1e-5,
    on_iteration: Callable[[int, float], bool] | None = None,
) -> Solution:
    """Solve all frames at once, with neighbours held together by `weights.smooth_mm`.

    Args:
        tree: The skeleton.
        terms: Data of the frames, in order of time.
        weights: Of the terms.
        linked: (N,) whether a frame follows the one before it; False at the breaks of a sequence.
        root_mm: (N, 3), the start.
        directions: (N, J, 3), likewise.
        iterations: Steps tried at most.
        tolerance: It ends where a step lowers the cost by less than this share of it.
        on_iteration: Is given the number of steps tried and the cost; where it returns True the solve ends with what it
            has, which is never worse than the start.
    """
    frames, size = len(root_mm), tree.step_size
    root_mm, directions = root_mm.copy(), directions.copy()
    joints = to_joints(tree, root_mm, directions)
    basis, band, vector = np.empty((*directions.shape[:2], 2, 3)), np.empty((2 * size, frames * size)), np.empty(0)
    cost, new_cost = np.empty(frames), np.empty(frames)
    trial = np.empty_like(root_mm), np.empty_like(directions), np.empty_like(joints)
    _sequence_cost(tree, terms, weights, linked, joints, cost)
    damping, growth, fresh, tried = 1e-2, 4.0, True, 0
    while tried < iterations and damping <= _GREATEST_DAMPING:
        tried += 1
        if fresh:
            vector = np.empty(frames * size)
            _tangents_all(directions, basis)
            _sequence_equations(tree, terms, weights, linked, joints, basis, band, vector)
            fresh = False
        steps = _solve_band(band, vector, damping)
        better = False
        if steps is not None:
            steps = steps.reshape(frames, size)
            steps *= np.minimum(1.0, _LONGEST_STEP_MM / np.maximum(np.abs(steps).max(axis=1, keepdims=True), 1e-12))
            _step_all(tree, root_mm, directions, basis, steps, *trial)
            _sequence_cost(tree, terms, weights, linked, trial[2], new_cost)
            better = new_cost.sum() < cost.sum()
        done = False
        if better:
            done = cost.sum() - new_cost.sum() < tolerance * (cost.sum() + frames)
            root_mm[:], directions[:], joints[:], cost[:] = *trial, new_cost
            damping, growth, fresh = max(damping / 5.0, _LEAST_DAMPING), 4.0, True
        else:
            damping, growth = damping * growth, growth * 2.0
        if (on_iteration is not None and on_iteration(tried, float(cost.sum()))) or done:
            break
    return Solution(root_mm, directions, joints, cost, tried)


def _solve_band(band: NDArray[np.float64], vector: NDArray[np.float64], damping: float) -> NDArray[np.float64] | None:
    """Solve (curvature + damping 1) step = -gradient, nothing where it is not positive definite."""
    damped = band.copy()
    damped[0] += damping
    try:
        # More BLAS threads make LAPACK's banded factorisation up to 90 times slower.
        with threadpool_limits(limits=1, user_api="blas"):
            return solveh_banded(damped, -vector, overwrite_ab=True, lower=True, check_finite=False)
    except LinAlgError:
        return None


def depth_behind(terms: Terms, n: int, joints_mm: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give how far behind the surface joints (J, 3) of frame n lie, z - D, mm."""
    uv_px = project(joints_mm, terms.camera[n])
    over = [depth_at(terms.surface[n], terms.surface_unit_mm, u, v)[0] for u, v in uv_px]
    return joints_mm[:, 2] - np.array(over)
