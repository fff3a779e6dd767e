"""Levenberg-Marquardt over trees of unit directions, frame by frame."""

from dataclasses import dataclass

import numba
import numpy as np
from numpy.typing import NDArray

from refiner.annotate.solver.chain import Tree, place_joints, take_step, tangents, to_joints
from refiner.annotate.solver.costs import known_depth
from refiner.annotate.solver.equations import add_pairs, empty_sums, frame_sums, normal_equations, pair_cost
from refiner.annotate.solver.terms import Terms, Weights
from refiner.cholesky import solve_damped
from refiner.geometry.camera import project
from refiner.threads import map_ranges

LONGEST_STEP_MM = 15.0
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
        tolerance: It ends where a step lowers the cost by less than this share of it (plus 1), or should.
    """
    count, size = len(directions), 3 + 2 * (len(directions) - 1)
    joints, trial = np.empty((count, 3)), np.empty((count, 3))
    gradient, hessian, bones = np.empty((count, 3)), np.empty((count, 3, 3)), empty_sums(count)
    basis, vector = np.empty((count, 2, 3)), np.empty(size)
    matrix, factor = np.empty((size, size)), np.empty((size, size))
    step, root_new, directions_new = np.empty(size), np.empty(3), np.empty((count, 3))
    place_joints(tree, root_mm, directions, joints)
    cost = frame_sums(tree, terms, weights, n, joints, gradient, hessian, bones) + pair_cost(terms, weights, n, joints)
    damping, growth, fresh, tried = 1e-2, 4.0, True, 0
    while tried < iterations:
        tried += 1
        if fresh:
            tangents(directions, basis)
            normal_equations(tree, basis, gradient, hessian, bones, matrix, vector)
            add_pairs(tree, terms, weights, n, joints, basis, matrix, vector)
            fresh = False
        better = done = False
        if solve_damped(matrix, vector, size, damping, 0.0, factor, step):
            longest = hoped = 0.0
            for i in range(size):
                longest = max(longest, abs(step[i]))
                # What the step would gain, were the cost as its equations say.
                hoped += 0.5 * step[i] * (damping * step[i] - vector[i])
            done = hoped < tolerance * (cost + 1.0)
            if longest > LONGEST_STEP_MM:
                step *= LONGEST_STEP_MM / longest
            take_step(tree, root_mm, directions, basis, step, root_new, directions_new)
            place_joints(tree, root_new, directions_new, trial)
            new = frame_sums(tree, terms, weights, n, trial, gradient, hessian, bones) + pair_cost(
                terms, weights, n, trial
            )
            better = new < cost
        if better:
            done = done or cost - new < tolerance * (new + 1.0)
            cost, fresh, growth = new, True, 4.0
            root_mm[:], directions[:], joints[:] = root_new, directions_new, trial
            damping = max(damping / 5.0, 1e-6)
        else:
            damping *= growth
            growth *= 2.0
        if done or damping > 1e8:
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

    def descend_some(start: int, stop: int) -> int:
        return _descend_some(tree, terms, weights, start, stop, root_mm, directions, iterations, tolerance, cost)

    tried = sum(map_ranges(descend_some, len(root_mm)))
    return Solution(root_mm, directions, to_joints(tree, root_mm, directions), cost, tried)


def depth_behind(terms: Terms, n: int, joints_mm: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return how far behind the surface joints (J, 3) of frame n lie, z - D, mm; NaN where D is unknown."""
    uv_px = project(joints_mm, terms.camera[n])
    z = joints_mm[:, 2]
    over = np.array([known_depth(terms, n, k, u, v, z[k])[0] for k, (u, v) in enumerate(uv_px)])
    return np.where(over > 0, z - over, np.nan)
