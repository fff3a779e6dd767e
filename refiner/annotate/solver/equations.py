"""A frame's cost, gradient and curvature over the steps of its tree.

Every cost is a function of single joints, of points on bones, or of pairs of joints. Their slopes and curvatures are
summed over subtrees (see `refiner.annotate.solver.chain`), which gives the normal equations of P steps without a
Jacobian.
"""

import numba
import numpy as np

from refiner.annotate.solver.costs import BoneSums, joint_cost, points_cost


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
def pair_cost(terms, weights, n, joints):
    """Give what the pairs of frame n cost, of which one joint is nearer to the camera."""
    cost = 0.0
    for m in range(terms.pair_start[n], terms.pair_start[n + 1]):
        near, far = terms.pairs[m]
        lacking = weights.nearer_mm - (joints[far, 2] - joints[near, 2])
        if lacking > 0.0:
            cost += (lacking / weights.nearer_sigma_mm) ** 2
    return cost


@numba.njit(nogil=True, cache=True)
def normal_equations(tree, basis, gradient, hessian, bones, matrix, vector):
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
def add_pairs(tree, terms, weights, n, joints, basis, matrix, vector):
    """Add the pairs of frame n to its normal equations."""
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
