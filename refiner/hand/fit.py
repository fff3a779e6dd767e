"""Find the hand behind joints: place, pose and shape of the model whose joints lie nearest to given ones.

Levenberg-Marquardt on each hand by itself. Besides the distances there are three soft things: a stiff wall at the
limits of the joints, the spread of human shapes, and a pull of the angles to the middle of their range, so weak that it
decides only what the joints leave open (the twist of a straight thumb). The wrist's two angles move the forearm, of
which the joints say nothing: they are 0.

A shape that many hands share is found by variable projection: Gauss-Newton on the shape alone, with all poses brought
to rest after each step. The joints of one person's hand lie off the model's in the same way in every frame; hence many
frames count no more against the spread of shapes than one does, or they would ask for a monster.
"""

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from refiner.hand.derivatives import pose_angles_batch
from refiner.hand.guess import lay_points, read_bends
from refiner.hand.least_squares import fit_batch, reduce_shapes
from refiner.hand.limits import HandPrior, pose_limits, shape_covariance
from refiner.hand.model import HandModel
from refiner.hand.prior import THUMBS
from refiner.threads import map_ranges

Floats = NDArray[np.float64]

MIN_JOINTS = 6
"""Hands with fewer known joints are not fitted."""
SOFT = (1.0, float(np.deg2rad(0.1)), 10.0)
"""Deviations of the joints (mm), of the wall at the limits and of the pull to their middle (rad)."""
DOUBT_MM = 6.0
"""A hand that ends farther off than this (root mean square) is tried again from other starts."""
ITERATIONS, SHAPE_STEPS = 80, 12
SHARED_HANDS = 512
"""A shared shape is found from at most so many hands, evenly spread."""
_PALM = np.array([0, 1, 5, 9, 13, 17])
_RELAXED = np.deg2rad([*THUMBS["relaxed"], *(20.0, 0.0, 30.0, 20.0) * 4])


@dataclass(frozen=True, eq=False)
class FittedHands:
    """Hands of the model; rows are NaN where too few joints are known.

    Attributes:
        pose: (N, P) as `refiner.hand.model` has it, `camera_from_hand` included.
        shape: (N, S).
        wrist_mm: (N, 3) place of the wrist in the frame of the given joints.
        residual_mm: (N, 21) distance of given and fitted joint; NaN where the given one is unknown.
    """

    pose: Floats
    shape: Floats
    wrist_mm: Floats
    residual_mm: Floats


def fit_hands(
    model: HandModel,
    joints_mm: NDArray[np.floating],
    side: int | NDArray[np.integer],
    shape: NDArray[np.floating] | Literal["shared", "each"] = "shared",
    prior: HandPrior | None = None,
) -> FittedHands:
    """Fit hands to joints; one that is fitted alone comes out as among others, unless they share their shape.

    Args:
        model: The hand.
        joints_mm: (N, 21, 3) in the order of `hand21`; a joint that is not finite is unknown.
        side: 0 right, 1 left; one for all, or (N,).
        shape: Known shapes, (S,) or (N, S); or unknown: "shared", one for all, or "each", one for each.
        prior: Spread of unknown shapes; None for the defaults.
    """
    joints, sides = _checked(joints_mm, side)
    count = len(joints)
    known = np.asarray(np.isfinite(joints).all(axis=2))
    kept = np.flatnonzero(known.sum(axis=1) >= MIN_JOINTS)
    problem = _problem(model, joints[kept], known[kept], sides[kept], prior or HandPrior())
    shapes = np.zeros((len(kept), len(model.shape_names)))
    if not isinstance(shape, str):
        shapes[:] = _known_shapes(model, shape, count)[kept]
    elif shape == "shared":
        shapes[:] = _shared_shape(problem)
    elif shape != "each":
        raise ValueError(f'`shape` is {shape!r}, wanted "shared", "each", or an array of shape parameters.')
    hands = _solve(problem, shapes, free=isinstance(shape, str) and shape == "each")
    residual = np.where(problem.known, np.linalg.norm(hands.joints_mm - problem.joints_mm, axis=2), np.nan)
    rotation = Rotation.from_matrix(hands.rotation).as_rotvec() if len(kept) else np.zeros((0, 3))
    pose = np.concatenate([rotation, np.zeros((len(kept), 2)), hands.angles], axis=1)
    return FittedHands(*(_spread(rows, kept, count) for rows in (pose, hands.shape, hands.wrist_mm, residual)))


def _spread(rows: Floats, kept: NDArray[np.intp], count: int) -> Floats:
    out = np.full((count, rows.shape[1]), np.nan)
    out[kept] = rows
    return out


def _checked(joints_mm: NDArray[np.floating], side: int | NDArray[np.integer]) -> tuple[Floats, NDArray[np.int64]]:
    joints, sides = np.array(joints_mm, dtype=np.float64), np.asarray(side)
    if joints.ndim != 3 or joints.shape[1:] != (21, 3):
        raise ValueError(
            f"`joints_mm` has shape {joints.shape}, wanted (N, 21, 3): hands in the order of hand21, one a row."
        )
    if sides.shape not in ((), (len(joints),)) or not np.isin(sides, (0, 1)).all():
        raise ValueError(
            f"`side` has shape {sides.shape} and values {np.unique(sides)[:5]}, wanted one number or {len(joints)}, "
            "only 0 (right) or 1 (left)."
        )
    return joints, np.broadcast_to(sides, len(joints)).astype(np.int64)


def _known_shapes(model: HandModel, shape: NDArray[np.floating], count: int) -> Floats:
    shape, width = np.asarray(shape, dtype=np.float64), len(model.shape_names)
    if shape.shape not in ((width,), (count, width)) or not np.isfinite(shape).all():
        raise ValueError(
            f"`shape` has shape {shape.shape}, wanted {(width,)} or {(count, width)}, and finite numbers: a column for "
            'each of `model.shape_names`. Where the shape is unknown, say "shared" or "each".'
        )
    return np.broadcast_to(shape, (count, width))


@dataclass(frozen=True, eq=False)
class _Problem:
    """Joints (n, 21, 3) to fit, finite, those of them that are known, sides, and what all of them need."""

    joints_mm: Floats
    known: NDArray[np.bool_]
    side: NDArray[np.int64]
    model: HandModel
    low: Floats
    high: Floats
    active: NDArray[np.intp]
    precision: Floats

    def take(self, items: NDArray[np.intp]) -> "_Problem":
        return replace(self, joints_mm=self.joints_mm[items], known=self.known[items], side=self.side[items])


@dataclass(frozen=True, eq=False)
class _Hands:
    """What is moved: rotations (n, 3, 3), wrists, angles (n, 21), shapes; and what comes of it: joints, costs (n,)."""

    rotation: Floats
    wrist_mm: Floats
    angles: Floats
    shape: Floats
    joints_mm: Floats
    cost: Floats


def _problem(model: HandModel, joints, known, side, prior: HandPrior) -> _Problem:
    low, high = pose_limits(model)
    # Girths move no joint.
    active = np.flatnonzero(np.append(True, (np.abs(model.joint_directions) > 1e-9).any(axis=1)))
    covariance = shape_covariance([model.shape_names[k] for k in active], prior)
    return _Problem(
        np.where(known[:, :, None], joints, 0.0), known, side, model, low[5:], high[5:], active,
        np.linalg.inv(covariance).astype(np.float64),
    )  # fmt: skip


def _solve(problem: _Problem, shape: Floats, free: bool) -> _Hands:
    """Bring hands to rest from the best of some starts."""
    hands = _settle(problem, _start(problem, shape, 0), free)
    for attempt in (1, 2):
        doubtful = np.flatnonzero(hands.cost > problem.known.sum(axis=1) * (DOUBT_MM / SOFT[0]) ** 2)
        part = problem.take(doubtful)
        other = _settle(part, _start(part, shape[doubtful], attempt), free)
        better = other.cost < hands.cost[doubtful]
        for name, rows in vars(hands).items():
            rows[doubtful[better]] = getattr(other, name)[better]
    return hands


def _settle(problem: _Problem, hands: _Hands, free: bool) -> _Hands:
    model = problem.model

    def some(start: int, stop: int) -> None:
        at = slice(start, stop)
        fit_batch(
            hands.rotation[at], hands.wrist_mm[at], hands.angles[at], hands.shape[at], problem.joints_mm[at],
            problem.known[at], problem.side[at], model.rest_joints, model.joint_directions, model.flat_frame,
            problem.low, problem.high, problem.active, problem.precision, free, SOFT, ITERATIONS,
            hands.joints_mm[at], hands.cost[at],
        )  # fmt: skip

    map_ranges(some, len(hands.cost))
    return hands


def _shared_shape(problem: _Problem) -> Floats:
    """Find one shape (S,) for all hands."""
    shape = np.zeros(len(problem.model.shape_names))
    count = len(problem.joints_mm)
    if count > SHARED_HANDS:
        problem = problem.take(np.linspace(0, count - 1, SHARED_HANDS).astype(np.intp))
    if count == 0:
        return shape
    hands = _solve(problem, np.tile(shape, (len(problem.side), 1)), free=False)
    cost, normal, gradient = _reduced(problem, hands, shape)
    damping = 1e-3
    for _ in range(SHAPE_STEPS):
        trial = shape.copy()
        trial[problem.active] -= np.linalg.solve(normal + damping * np.diag(np.diag(normal)), gradient)
        moved = _Hands(**{name: rows.copy() for name, rows in vars(hands).items()})
        moved.shape[:] = trial
        trial_cost, trial_normal, trial_gradient = _reduced(problem, _settle(problem, moved, free=False), trial)
        if trial_cost >= cost:
            damping *= 10.0
            continue
        settled = cost - trial_cost < 1e-6 * cost
        shape, hands, cost, normal, gradient = trial, moved, trial_cost, trial_normal, trial_gradient
        damping *= 0.1
        if settled:
            break
    return shape


def _reduced(problem: _Problem, hands: _Hands, shape: Floats) -> tuple[float, Floats, Floats]:
    """Give the cost, and J'J and J'r of the shape alone."""
    model, own = problem.model, shape[problem.active]
    normal = problem.precision * len(hands.cost)
    gradient = normal @ own
    cost = float(hands.cost.sum() + own @ gradient)
    reduce_shapes(
        hands.rotation, hands.wrist_mm, hands.angles, hands.shape, problem.joints_mm, problem.known, problem.side,
        model.rest_joints, model.joint_directions, model.flat_frame, problem.low, problem.high, problem.active,
        np.zeros_like(normal), SOFT, normal, gradient,
    )  # fmt: skip
    return cost, normal, gradient


def _start(problem: _Problem, shape: Floats, attempt: int) -> _Hands:
    """Lay the palm on its joints and bend the digits as theirs, where enough is known; else a relaxed hand on all.

    Args:
        problem: The joints.
        shape: (n, S).
        attempt: 0 as told; 1 the relaxed hand for all; 2 that with half a turn about its length.
    """
    count, model = len(shape), problem.model
    angles, rest = np.tile(_RELAXED, (count, 1)), np.empty((count, 21, 3))
    pose_angles_batch(angles, shape, model.rest_joints, model.joint_directions, model.flat_frame, rest)
    mirror = np.where(problem.side == 1, -1.0, 1.0)[:, None]
    rest[:, :, 0] *= mirror
    weight = problem.known.astype(np.float64)
    by_palm = (weight[:, _PALM].sum(axis=1) >= 4) & (attempt == 0)
    weight[by_palm] *= np.isin(np.arange(21), _PALM)
    rotation, wrist_mm = lay_points(rest, problem.joints_mm, weight)
    if attempt == 2:
        rotation[:, :, ::2] *= -1.0
    joints = np.where(problem.known[:, :, None], problem.joints_mm, np.nan)
    bent = read_bends(joints, rotation, mirror, model.flat_frame)
    angles[by_palm] = np.where(np.isfinite(bent), np.clip(bent, problem.low, problem.high), angles)[by_palm]
    return _Hands(rotation, wrist_mm, angles, shape.copy(), np.empty((count, 21, 3)), np.empty(count))
