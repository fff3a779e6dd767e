"""Levenberg-Marquardt over all frames of a sequence at once.

Neighbouring frames couple by blocks of P x P, so that the normal equations of a sequence are a band of half width
2 P - 1, which LAPACK factorises in time and memory linear in the number of frames.
"""

from collections.abc import Callable

import numba
import numpy as np
from numpy.typing import NDArray
from scipy.linalg import LinAlgError, solveh_banded
from threadpoolctl import threadpool_limits

from refiner.annotate.chain import Tree, place_joints, take_step, tangents, to_joints
from refiner.annotate.costs import Terms, Weights, huber
from refiner.annotate.equations import add_pairs, empty_sums, frame_sums, normal_equations, pair_cost
from refiner.annotate.solve import LONGEST_STEP_MM, Solution
from refiner.threads import map_ranges

_LEAST_DAMPING, _GREATEST_DAMPING = 1e-6, 1e8


@numba.njit(nogil=True, cache=True)
def _frame_costs(tree, terms, weights, start, stop, joints, out):
    count = joints.shape[1]
    gradient, hessian, bones = np.empty((count, 3)), np.empty((count, 3, 3)), empty_sums(count)
    for n in range(start, stop):
        out[n] = frame_sums(tree, terms, weights, n, joints[n], gradient, hessian, bones)
        out[n] += pair_cost(terms, weights, n, joints[n])


@numba.njit(nogil=True, cache=True)
def _add_ways(weights, linked, joints, out):
    for n in range(1, len(joints)):
        if linked[n] and weights.smooth_mm > 0.0:
            for k in range(joints.shape[1]):
                half = 0.5 * _way(weights, joints[n - 1, k], joints[n, k])[0]
                out[n] += half
                out[n - 1] += half


def _sequence_cost(
    tree: Tree,
    terms: Terms,
    weights: Weights,
    linked: NDArray[np.bool_],
    joints: NDArray[np.float64],
    out: NDArray[np.float64],
) -> None:
    """Write what each frame costs, with half of each way to its neighbours."""
    map_ranges(lambda start, stop: _frame_costs(tree, terms, weights, start, stop, joints, out), len(joints))
    _add_ways(weights, linked, joints, out)


@numba.njit(nogil=True, cache=True)
def _way(weights, before, after):
    """Give what a joint's way between two frames costs, and its curvature (slope over way)."""
    far = 0.0
    for i in range(3):
        far += (after[i] - before[i]) ** 2
    value, _, curvature = huber(np.sqrt(far), weights.smooth_mm, weights.smooth_knee)
    return value, curvature


@numba.njit(nogil=True, cache=True)
def _ties(weights, linked, joints, n, out):
    """Write the curvatures of the ways of all joints from frame n to the next."""
    out[:] = 0.0
    if 0 <= n < len(joints) - 1 and linked[n + 1] and weights.smooth_mm > 0.0:
        for k in range(len(out)):
            out[k] = _way(weights, joints[n, k], joints[n + 1, k])[1]


@numba.njit(nogil=True, cache=True)
def _some_equations(tree, terms, weights, linked, start, stop, joints, basis, band, vector):
    frames, count = joints.shape[:2]
    size = 3 + 2 * (count - 1)
    gradient, hessian, bones = np.empty((count, 3)), np.empty((count, 3, 3)), empty_sums(count)
    matrix, own, link = np.empty((size, size)), np.empty(size), np.empty((size, size))
    ties = np.zeros((2, count))  # of the joints of this frame to the one before, and to the next
    _ties(weights, linked, joints, start - 1, ties[1])
    for n in range(start, stop):
        frame_sums(tree, terms, weights, n, joints[n], gradient, hessian, bones)
        ties[0] = ties[1]
        _ties(weights, linked, joints, n, ties[1])
        for side, other in enumerate((n - 1, n + 1)):
            if 0 <= other < frames:
                for k in range(count):
                    for i in range(3):
                        gradient[k, i] += ties[side, k] * (joints[n, k, i] - joints[other, k, i])
                        hessian[k, i, i] += ties[side, k]
        normal_equations(tree, basis[n], gradient, hessian, bones, matrix, own)
        add_pairs(tree, terms, weights, n, joints[n], basis[n], matrix, own)
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


def _sequence_equations(
    tree: Tree,
    terms: Terms,
    weights: Weights,
    linked: NDArray[np.bool_],
    joints: NDArray[np.float64],
    basis: NDArray[np.float64],
    band: NDArray[np.float64],
    vector: NDArray[np.float64],
) -> None:
    """Write the lower band (2 P, N P) of the curvature and the gradient (N P,) of a whole sequence."""
    band[:] = 0.0

    def some(start: int, stop: int) -> None:
        _some_equations(tree, terms, weights, linked, start, stop, joints, basis, band, vector)

    map_ranges(some, len(joints))


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
            steps *= np.minimum(1.0, LONGEST_STEP_MM / np.maximum(np.abs(steps).max(axis=1, keepdims=True), 1e-12))
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
