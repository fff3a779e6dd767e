"""Compiled kernels of `refiner.hand.fit`: Levenberg-Marquardt on one hand at a time."""

import numba
import numpy as np

from refiner.cholesky import solve_damped
from refiner.hand.derivatives import MOVES, columns_of, joint_jacobian, place_joints, pose_angles
from refiner.hand.kinematics import rotation_matrix, shape_points


@numba.njit(nogil=True, cache=True)
def _cost(placed, target, known, angles, low, high, shape, active, precision, free, sigma, wall, pull):
    total = 0.0
    for k in range(21):
        if known[k]:
            for i in range(3):
                total += ((placed[k, i] - target[k, i]) / sigma) ** 2
    for k in range(21):
        beyond = max(angles[k] - high[k], low[k] - angles[k], 0.0)
        total += (beyond / wall) ** 2 + ((angles[k] - 0.5 * (low[k] + high[k])) / pull) ** 2
    if free:
        for p in range(len(active)):
            for q in range(len(active)):
                total += shape[active[p]] * precision[p, q] * shape[active[q]]
    return total


@numba.njit(nogil=True, cache=True)
def _normal_equations(rotation, wrist, mirror, angles, shape, rest, directions, active, joints, axes, along, placed,
                      target, known, low, high, precision, width, sigma, wall, pull, normal, gradient):  # fmt: skip
    """Write J'J and J'r (half the cost's gradient) of the first `width` columns; the shape's prior where it is 0."""
    rows, columns = np.empty((3, 64)), np.empty(64, dtype=np.int64)
    normal[:] = 0.0
    gradient[:] = 0.0
    count = width - MOVES
    weight = 1.0 / sigma**2
    for joint in range(21):
        if not known[joint]:
            continue
        used = columns_of(joint, count, columns)
        joint_jacobian(joint, rotation, wrist, mirror, shape, rest, directions, active, joints, axes, along, placed,
                  columns, used, rows)  # fmt: skip
        for i in range(3):
            error = placed[joint, i] - target[joint, i]
            for p in range(used):
                value = weight * rows[i, p]
                gradient[columns[p]] += value * error
                for q in range(p + 1):
                    normal[columns[p], columns[q]] += value * rows[i, q]
    for k in range(21):
        column, middle = 6 + k, 0.5 * (low[k] + high[k])
        normal[column, column] += 1.0 / pull**2
        gradient[column] += (angles[k] - middle) / pull**2
        beyond = max(angles[k] - high[k], 0.0) + min(angles[k] - low[k], 0.0)
        if beyond != 0.0:
            normal[column, column] += 1.0 / wall**2
            gradient[column] += beyond / wall**2
    for p in range(count):
        for q in range(count):
            normal[MOVES + p, MOVES + q] += precision[p, q] if q <= p else 0.0
            gradient[MOVES + p] += precision[p, q] * shape[active[q]]
    for p in range(width):
        for q in range(p):
            normal[q, p] = normal[p, q]


@numba.njit(nogil=True, cache=True)
def fit_batch(rotation, wrist, angles, shape, target, known, side, rest_joints, directions, flat_frame, low, high,
              active, precision, free, soft, iterations, placed_out, cost_out):  # fmt: skip
    """Bring hands to rest in place, each by itself.

    Args:
        rotation: (n, 3, 3) camera_from_hand without the mirror of left hands; written, as the three that follow.
        wrist: (n, 3).
        angles: (n, 21).
        shape: (n, S).
        target: (n, 21, 3) joints, finite.
        known: (n, 21).
        side: (n,).
        rest_joints: (63,).
        directions: (S - 1, 63).
        flat_frame: (5, 3, 3).
        low: (21,) least angles.
        high: (21,) greatest.
        active: (A,) indices of the shape parameters that move joints.
        precision: (A, A) inverse covariance of their prior.
        free: Whether the shape is sought.
        soft: Deviations: joints mm, wall rad, pull rad.
        iterations: Most steps tried for a hand.
        placed_out: Written: (n, 21, 3) joints.
        cost_out: Written: (n,).
    """
    width = MOVES + (len(active) if free else 0)
    sigma, wall, pull = soft
    rest, rest_new = np.empty(63), np.empty(63)
    joints, axes, along = np.empty((21, 3)), np.empty((21, 3)), np.empty((15, 3))
    joints_new, axes_new, along_new = np.empty((21, 3)), np.empty((21, 3)), np.empty((15, 3))
    placed, turn, rotation_new = np.empty((21, 3)), np.empty((3, 3)), np.empty((3, 3))
    normal, factor = np.empty((width, width)), np.empty((width, width))
    gradient, step = np.empty(width), np.empty(width)
    for n in range(len(target)):
        mirror = -1.0 if side[n] == 1 else 1.0
        shape_points(rest_joints, directions, shape[n], rest)
        pose_angles(angles[n], rest.reshape(-1, 3), flat_frame, joints, axes, along)
        place_joints(rotation[n], wrist[n], mirror, joints, placed_out[n])
        cost = _cost(placed_out[n], target[n], known[n], angles[n], low, high, shape[n], active, precision, free,
                     sigma, wall, pull)  # fmt: skip
        damping, stale = 1e-3, True
        for _ in range(iterations):
            if stale:
                _normal_equations(
                    rotation[n], wrist[n], mirror, angles[n], shape[n], rest, directions, active, joints, axes, along,
                    placed_out[n], target[n], known[n], low, high, precision, width, sigma, wall, pull, normal,
                    gradient,
                )  # fmt: skip
                stale = False
            if not solve_damped(normal, gradient, width, 1e-3 * damping, damping, factor, step):
                damping = max(10.0 * damping, 1e-6)
                continue
            # No more than half a radian at once: beyond it the linear picture of an angle says nothing.
            largest = np.abs(step[3:MOVES]).max()
            if largest > 0.5:
                step *= 0.5 / largest
            rotation_matrix(step[3:6], turn)
            for i in range(3):
                for j in range(3):
                    rotation_new[i, j] = (
                        turn[i, 0] * rotation[n, 0, j] + turn[i, 1] * rotation[n, 1, j] + turn[i, 2] * rotation[n, 2, j]
                    )
            wrist_new, angles_new, shape_new = wrist[n] + step[:3], angles[n] + step[6:MOVES], shape[n].copy()
            for k in range(width - MOVES):
                shape_new[active[k]] += step[MOVES + k]
            shape_points(rest_joints, directions, shape_new, rest_new)
            pose_angles(angles_new, rest_new.reshape(-1, 3), flat_frame, joints_new, axes_new, along_new)
            place_joints(rotation_new, wrist_new, mirror, joints_new, placed)
            cost_new = _cost(placed, target[n], known[n], angles_new, low, high, shape_new, active, precision, free,
                             sigma, wall, pull)  # fmt: skip
            if not cost_new < cost:
                damping *= 8.0
                if damping > 1e10:
                    break
                continue
            settled = cost - cost_new < 1e-7 * cost + 1e-12
            rotation[n], wrist[n], angles[n], shape[n] = rotation_new, wrist_new, angles_new, shape_new
            joints[:], axes[:], along[:], rest[:], placed_out[n] = joints_new, axes_new, along_new, rest_new, placed
            cost, stale, damping = cost_new, True, max(damping / 5.0, 1e-9)
            if settled:
                break
        cost_out[n] = cost


@numba.njit(nogil=True, cache=True)
def reduce_shapes(rotation, wrist, angles, shape, target, known, side, rest_joints, directions, flat_frame, low, high,
                  active, no_precision, soft, normal_out, gradient_out):  # fmt: skip
    """Add to J'J and J'r of a shape common to all hands, everything else having been eliminated; all are at rest."""
    width, count = MOVES + len(active), len(active)
    sigma, wall, pull = soft
    rest, placed = np.empty(63), np.empty((21, 3))
    joints, axes, along = np.empty((21, 3)), np.empty((21, 3)), np.empty((15, 3))
    normal, factor = np.empty((width, width)), np.empty((MOVES, MOVES))
    gradient, column = np.empty(width), np.empty(MOVES)
    for n in range(len(target)):
        mirror = -1.0 if side[n] == 1 else 1.0
        shape_points(rest_joints, directions, shape[n], rest)
        pose_angles(angles[n], rest.reshape(-1, 3), flat_frame, joints, axes, along)
        place_joints(rotation[n], wrist[n], mirror, joints, placed)
        _normal_equations(
            rotation[n], wrist[n], mirror, angles[n], shape[n], rest, directions, active, joints, axes, along, placed,
            target[n], known[n], low, high, no_precision, width, sigma, wall, pull, normal, gradient,
        )  # fmt: skip
        normal_out += normal[MOVES:, MOVES:]
        gradient_out += gradient[MOVES:]
        for p in range(count):
            # Gives minus the inverse times the column.
            if not solve_damped(normal, normal[:MOVES, MOVES + p].copy(), MOVES, 1e-12, 1e-9, factor, column):
                continue
            for q in range(count):
                for k in range(MOVES):
                    normal_out[q, p] += normal[MOVES + q, k] * column[k]
            for k in range(MOVES):
                gradient_out[p] += gradient[k] * column[k]
