"""Levenberg-Marquardt over all frames of a sequence at once.

Neighbouring frames couple by blocks of P x P, so that the normal equations of a sequence are a band of half width
2 P - 1, which LAPACK factorises in time and memory linear in the number of frames. Nothing couples across a break: the
runs of frames between breaks are solved one by one, each with a damping and an end of its own, so that what becomes of
one does not depend on the others and a hard one does not hold them up.
"""

from collections.abc import Callable
from threading import Lock

import numba
import numpy as np
from numpy.typing import NDArray
from scipy.linalg import LinAlgError, solveh_banded

from refiner.annotate.solver.chain import Tree, place_joints, take_step, tangents, to_joints
from refiner.annotate.solver.costs import huber
from refiner.annotate.solver.equations import add_pairs, empty_sums, frame_sums, normal_equations, pair_cost
from refiner.annotate.solver.frames import LONGEST_STEP_MM, Solution
from refiner.annotate.solver.terms import Terms, Weights
from refiner.threads import map_frames, map_ranges

_LEAST_DAMPING, _GREATEST_DAMPING = 1e-6, 1e8


@numba.njit(nogil=True, cache=True)
def _frame_costs(tree, terms, weights, first, start, stop, joints, out):
    count = joints.shape[1]
    gradient, hessian, bones = np.empty((count, 3)), np.empty((count, 3, 3)), empty_sums(count)
    for n in range(start, stop):
        out[n] = frame_sums(tree, terms, weights, first + n, joints[n], gradient, hessian, bones)
        out[n] += pair_cost(terms, weights, first + n, joints[n])


@numba.njit(nogil=True, cache=True)
def _add_ways(weights, joints, out):
    if weights.smooth_mm > 0.0:
        for n in range(1, len(joints)):
            for k in range(joints.shape[1]):
                half = 0.5 * _way(weights, joints[n - 1, k], joints[n, k])[0]
                out[n] += half
                out[n - 1] += half


def _run_cost(
    tree: Tree, terms: Terms, weights: Weights, first: int, joints: NDArray[np.float64], out: NDArray[np.float64]
) -> None:
    """Write what each frame of a run costs, with half of each way to its neighbours."""
    map_ranges(lambda start, stop: _frame_costs(tree, terms, weights, first, start, stop, joints, out), len(joints))
    _add_ways(weights, joints, out)


@numba.njit(nogil=True, cache=True)
def _way(weights, before, after):
    """Give what a joint's way between two frames costs, and its curvature (slope over way)."""
    far = 0.0
    for i in range(3):
        far += (after[i] - before[i]) ** 2
    value, _, curvature = huber(np.sqrt(far), weights.smooth_mm, weights.smooth_knee)
    return value, curvature


@numba.njit(nogil=True, cache=True)
def _ties(weights, joints, n, out):
    """Write the curvatures of the ways of all joints from frame n to the next."""
    out[:] = 0.0
    if 0 <= n < len(joints) - 1 and weights.smooth_mm > 0.0:
        for k in range(len(out)):
            out[k] = _way(weights, joints[n, k], joints[n + 1, k])[1]


@numba.njit(nogil=True, cache=True)
def _some_equations(tree, terms, weights, first, start, stop, joints, basis, band, vector):
    frames, count = joints.shape[:2]
    size = 3 + 2 * (count - 1)
    gradient, hessian, bones = np.empty((count, 3)), np.empty((count, 3, 3)), empty_sums(count)
    matrix, own, link = np.empty((size, size)), np.empty(size), np.empty((size, size))
    ties = np.zeros((2, count))  # of the joints of this frame to the one before, and to the next
    _ties(weights, joints, start - 1, ties[1])
    for n in range(start, stop):
        frame_sums(tree, terms, weights, first + n, joints[n], gradient, hessian, bones)
        ties[0] = ties[1]
        _ties(weights, joints, n, ties[1])
        for side, other in enumerate((n - 1, n + 1)):
            if 0 <= other < frames:
                for k in range(count):
                    for i in range(3):
                        gradient[k, i] += ties[side, k] * (joints[n, k, i] - joints[other, k, i])
                        hessian[k, i, i] += ties[side, k]
        normal_equations(tree, basis[n], gradient, hessian, bones, matrix, own)
        add_pairs(tree, terms, weights, first + n, joints[n], basis[n], matrix, own)
        at = n * size
        for j in range(size):
            vector[at + j] = own[j]
            for i in range(j, size):
                band[i - j, at + j] = matrix[i, j]
        if n + 1 < frames:
            _link(tree, basis[n], basis[n + 1], ties[1], link)
            for j in range(size):
                for i in range(size):
                    band[size + i - j, at + j] = link[i, j]


def _run_equations(
    tree: Tree,
    terms: Terms,
    weights: Weights,
    first: int,
    joints: NDArray[np.float64],
    basis: NDArray[np.float64],
    band: NDArray[np.float64],
    vector: NDArray[np.float64],
) -> None:
    """Write the lower band (2 P, N P) of the curvature and the gradient (N P,) of a run of N frames."""
    band[:] = 0.0

    def some(start: int, stop: int) -> None:
        _some_equations(tree, terms, weights, first, start, stop, joints, basis, band, vector)

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
        iterations: Steps tried at most, of each run between breaks.
        tolerance: A run ends where a step lowers its cost by less than this share of it, or should.
        on_iteration: Is given the number of steps tried and the cost of a run, one call at a time; where it returns
            True that run ends with what it has, which is never worse than the start.
    """
    root_mm, directions = root_mm.copy(), directions.copy()
    joints, cost = to_joints(tree, root_mm, directions), np.empty(len(root_mm))
    telling = Lock()

    def tell(tried: int, so_far: float) -> bool:
        if on_iteration is None:
            return False
        with telling:
            return on_iteration(tried, so_far)

    breaks = [n for n in range(len(linked)) if n == 0 or not linked[n]]

    def solve_run(start: int, stop: int) -> int:
        return _solve_run(
            tree, terms, weights, start, root_mm[start:stop], directions[start:stop], joints[start:stop],
            cost[start:stop], iterations, tolerance, tell,
        )  # fmt: skip

    # With one BLAS thread, too: more make LAPACK's banded factorisation up to 90 times slower.
    tried = max(map_frames(solve_run, breaks, [*breaks[1:], len(linked)]), default=0)
    return Solution(root_mm, directions, joints, cost, tried)


def _solve_run(
    tree: Tree,
    terms: Terms,
    weights: Weights,
    first: int,
    root_mm: NDArray[np.float64],
    directions: NDArray[np.float64],
    joints: NDArray[np.float64],
    cost: NDArray[np.float64],
    iterations: int,
    tolerance: float,
    tell: Callable[[int, float], bool],
) -> int:
    """Solve the frames from `first` to the next break in place, and write their costs; the steps tried."""
    frames, size = len(root_mm), tree.step_size
    basis, vector, new_cost = np.empty((*directions.shape[:2], 2, 3)), np.empty(frames * size), np.empty(frames)
    band = np.empty((2 * size, frames * size), order="F")  # as LAPACK takes it, or it is transposed each time
    trial = np.empty_like(root_mm), np.empty_like(directions), np.empty_like(joints)
    _run_cost(tree, terms, weights, first, joints, cost)
    damping, growth, fresh, tried = 1e-2, 4.0, True, 0
    while tried < iterations and damping <= _GREATEST_DAMPING:
        tried += 1
        if fresh:
            _tangents_all(directions, basis)
            _run_equations(tree, terms, weights, first, joints, basis, band, vector)
            fresh = False
        steps, better, done = _solve_band(band, vector, damping), False, False
        if steps is not None:
            # What the step would gain, were the cost as its equations say: 1/2 step . (damping step - gradient).
            least = tolerance * (cost.sum() + frames)
            done = 0.5 * steps @ (damping * steps - vector) < least
            steps = steps.reshape(frames, size)
            steps *= np.minimum(1.0, LONGEST_STEP_MM / np.maximum(np.abs(steps).max(axis=1, keepdims=True), 1e-12))
            _step_all(tree, root_mm, directions, basis, steps, *trial)
            _run_cost(tree, terms, weights, first, trial[2], new_cost)
            gain = cost.sum() - new_cost.sum()
            better = gain > 0
            done |= better and gain < least
        if better:
            root_mm[:], directions[:], joints[:], cost[:] = *trial, new_cost
            damping, growth, fresh = max(damping / 5.0, _LEAST_DAMPING), 4.0, True
        else:
            damping, growth = damping * growth, growth * 2.0
        if tell(tried, float(cost.sum())) or done:
            break
    return tried


def _solve_band(band: NDArray[np.float64], vector: NDArray[np.float64], damping: float) -> NDArray[np.float64] | None:
    """Solve (curvature + damping 1) step = -gradient, nothing where it is not positive definite."""
    damped = band.copy(order="F")
    damped[0] += damping
    try:
        return solveh_banded(damped, -vector, overwrite_ab=True, lower=True, check_finite=False)
    except LinAlgError:
        return None
