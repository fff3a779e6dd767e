"""3D joints of labelled frames as published (Oberweger et al. 2016, eq. 4): SLSQP, each frame by itself.

The yardstick of `refiner.annotate.stages.lift`: bounds and depth order are hard constraints, bone lengths a penalty
whose weight grows tenfold in each of five rounds, and bones that point the wrong way are not turned round. The unknowns
are joints in units of half a hand's cube (130 mm) about the start's mean; pixels count in halves of the crop.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from refiner.annotate.solver.chain import Tree, to_directions, to_joints
from refiner.annotate.solver.frames import Solution, depth_behind
from refiner.annotate.solver.terms import Terms
from refiner.annotate.stages.lift import start_joints
from refiner.geometry.camera import project, unproject

_UNIT_MM = 130.0
_CLICK_WEIGHT = 10.0
_LENGTH_WEIGHTS = (1e1, 1e2, 1e3, 1e4, 1e5)
_LEAST_Z_MM, _BLIND_Z_MM, _BACK_MM = 1.0, 500.0, 150.0
"""Hidden joints lie at most `_BACK_MM` behind the farthest reading, and where D is unknown as much before the nearest,
since terms carry no cube."""

_SLACK = 1e-3
"""Pairs that lack less than this (0.13 mm) count as kept when two solutions are compared."""

_Objective = Callable[[NDArray[np.float64], float], tuple[float, NDArray[np.float64]]]


def _objective_of(
    tree: Tree, terms: Terms, n: int, mean_mm: NDArray[np.float64], hidden_weight: float = 1.0
) -> _Objective:
    """Give the function of unknowns (3 J,) and the lengths' weight that gives frame n's objective and gradient."""
    clicked, camera, half_px = np.flatnonzero(terms.click[n]), terms.camera[n], terms.surface.shape[2] / 2
    child = tree.order[1:]
    parent, square = tree.parents[child], (tree.length_mm[child] / _UNIT_MM) ** 2
    click_weight = np.where(terms.click[n, clicked] == 2, 1.0, hidden_weight)[:, None]
    click_weight *= _CLICK_WEIGHT / max(len(clicked), 1)

    def objective(x: NDArray[np.float64], length_weight: float) -> tuple[float, NDArray[np.float64]]:
        at = x.reshape(-1, 3)
        points = at[clicked] * _UNIT_MM + mean_mm
        off = (project(points, camera) - terms.click_uv_px[n, clicked]) / half_px
        gradient, slope = np.zeros_like(at), 2 * click_weight * off * camera[:2] / half_px * _UNIT_MM / points[:, 2:]
        gradient[clicked, :2] = slope
        gradient[clicked, 2] = -(slope * points[:, :2] / points[:, 2:]).sum(axis=1)
        bone, bone_weight = at[child] - at[parent], length_weight / len(child)
        excess = (bone**2).sum(axis=1) - square
        pull = 4 * bone_weight * excess[:, None] * bone
        gradient[child] += pull
        np.subtract.at(gradient, parent, pull)
        return float((click_weight * off**2).sum() + bone_weight * (excess**2).sum()), gradient.ravel()

    return objective


def _order_of(pairs: NDArray[np.int64], count: int) -> NDArray[np.float64]:
    """Give the rows (M, 3 J) that take of unknowns how much farther each pair's second joint is than its first."""
    order = np.zeros((len(pairs), count, 3))
    order[np.arange(len(pairs)), pairs[:, 1], 2] = 1.0
    order[np.arange(len(pairs)), pairs[:, 0], 2] = -1.0
    return order.reshape(len(pairs), 3 * count)


def _depth_bounds(
    terms: Terms, n: int, joints_mm: NDArray[np.float64], pairs: NDArray[np.int64], eps_mm: float, nearer_mm: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return least and greatest z (J,) of joints that start at (J, 3): those of all readings where D is unknown."""
    if not terms.surface[n].any():
        return np.full(len(joints_mm), _LEAST_Z_MM), np.full(len(joints_mm), np.inf)
    behind = depth_behind(terms, n, joints_mm)
    unknown = np.isnan(behind)
    front = terms.surface[n].min() * terms.surface_unit_mm - _BACK_MM
    back = terms.surface[n].max() * terms.surface_unit_mm + _BACK_MM
    low = np.where(unknown, front, joints_mm[:, 2] - behind + terms.offset_mm[n])
    low = np.maximum(low, _LEAST_Z_MM)
    high, needed = low + eps_mm, low.copy()
    for _ in range(len(low)):  # no chain of pairs has more links
        np.maximum.at(needed, pairs[:, 1], needed[pairs[:, 0]] + nearer_mm)
    free = ~(terms.visible[n] & (terms.click[n] > 0)) | unknown | (needed > high)
    high[free] = np.maximum(back, needed[free] + eps_mm)
    return low, high


def _solve(
    objective: _Objective,
    order: NDArray[np.float64],
    margin: float,
    bounds: NDArray[np.float64],
    x: NDArray[np.float64],
) -> tuple[NDArray[np.float64], int]:
    """Run the rounds from a start within bounds (3 J, 2); give the best unknowns and the sum of iterations."""
    pairs, iterations = {"type": "ineq", "fun": lambda x: order @ x - margin, "jac": lambda _: order}, 0
    for weight in _LENGTH_WEIGHTS:
        found = minimize(
            objective,
            x,
            args=(weight,),
            jac=True,
            method="SLSQP",
            bounds=bounds,
            constraints=[pairs] if len(order) else [],
            options={"maxiter": 100, "ftol": 1e-5},
        )
        iterations += found.nit
        new = np.clip(found.x, *bounds.T)
        lacking = [float(np.maximum(margin - order @ at - _SLACK, 0).sum()) for at in (new, x)]
        if (lacking[0], objective(new, weight)[0]) <= (lacking[1], objective(x, weight)[0]):  # not of NaN
            x = new
    return x, iterations


def lift_slsqp(
    tree: Tree, terms: Terms, eps_mm: float = 15.0, nearer_mm: float = 10.0, hidden_weight: float = 1.0
) -> Solution:
    """Find the joints of labelled frames, each by itself, by the published method.

    SLSQP's bad luck is no error: a round that ends worse than it began (pairs that lack more, else a higher objective,
    or no finite numbers) is forgotten, and the next one starts where it started; the worst that comes out is the start.
    A visible joint whose pairs put it beyond its upper bound, where eq. 4 has no solution, is bounded as a hidden one.
    A frame without any reading starts at 500 mm and has no bounds but z > 1 mm: clicks and lengths alone place it, and
    poorly. A joint that nobody clicked is bounded by the surface over its place in the start.

    Args:
        tree: The skeleton.
        terms: The frames' data: clicks, surface, visibility, offsets and pairs.
        eps_mm: How far behind surface and offset visible joints lie at most.
        nearer_mm: Least difference of depth of a pair.
        hidden_weight: What a click on a hidden joint counts beside one on a visible joint: 1 in the authors' code, 0 in
            eq. 4.

    Returns:
        Joints of exact lengths, along the directions that SLSQP found; `cost` is the objective in the last round.
    """
    start = start_joints(tree, terms, nearer_mm)
    found, cost, iterations = np.empty_like(start), np.empty(len(start)), 0
    for n, joints in enumerate(start):
        clicked, blind = terms.click[n] > 0, not terms.surface[n].any()
        elsewhere = terms.surface.shape[2] / 2 if blind else project(joints, terms.camera[n])
        uv_px = np.where(clicked[:, None], terms.click_uv_px[n], elsewhere)
        joints = unproject(uv_px, np.where(blind, _BLIND_Z_MM, joints[:, 2]), terms.camera[n])
        for k in tree.order[1:]:
            if not clicked[k]:  # the start has it upon its parent, where a length has no slope
                joints[k] = joints[tree.parents[k]] + np.array([0.0, 0.0, tree.length_mm[k]])
        pairs = terms.pairs[terms.pair_start[n] : terms.pair_start[n + 1]]
        bounds = np.full((*joints.shape, 2), [-np.inf, np.inf])
        bounds[:, 2] = np.stack(_depth_bounds(terms, n, joints, pairs, eps_mm, nearer_mm), axis=-1)
        # Along the ray of sight, so that clicks are still met.
        joints *= (np.clip(joints[:, 2], *bounds[:, 2].T) / joints[:, 2])[:, None]
        mean = joints.mean(axis=0)
        objective = _objective_of(tree, terms, n, mean, hidden_weight)
        bounds = ((bounds - mean[:, None]) / _UNIT_MM).reshape(-1, 2)
        x, order = ((joints - mean) / _UNIT_MM).ravel(), _order_of(pairs, len(joints))
        x, tried = _solve(objective, order, nearer_mm / _UNIT_MM, bounds, x)
        found[n], cost[n] = x.reshape(-1, 3) * _UNIT_MM + mean, objective(x, _LENGTH_WEIGHTS[-1])[0]
        iterations += tried
    root_mm, directions = to_directions(tree, found)
    return Solution(root_mm, directions, to_joints(tree, root_mm, directions), cost, iterations)
