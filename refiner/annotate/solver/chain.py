"""A hand as a tree of unit directions: bone lengths hold exactly, whatever a solver does.

The state of a frame is the root's position r (mm) and one unit vector u_k for each other joint:

    L_root = r,    L_k = L_parent(k) + d_k u_k.

A step has P = 3 + 2 (J - 1) numbers, all in mm: the root's, then for each bone the way of its end along two tangents
e_1, e_2 of its direction, which turns the bone by way / d_k. Bone k moves joint k and all joints below it by the same
amount: d L_j / d step_k = (e_1, e_2) for the joints j of that subtree and 0 for the others. Normal equations are sums
over subtrees, and no Jacobian is ever stored.
"""

from typing import NamedTuple

import numba
import numpy as np
from numpy.typing import ArrayLike, NDArray

from refiner.hand.skeleton import Skeleton


class Tree(NamedTuple):
    """A skeleton laid out for the kernels.

    Attributes:
        order: (J,) joints, parents before children.
        parents: (J,) index of each joint's parent, -1 for the root.
        length_mm: (J,) length of the bone to the parent, 0 for the root.
        column: (J,) first of a joint's numbers in a step.
    """

    order: NDArray[np.int64]
    parents: NDArray[np.int64]
    length_mm: NDArray[np.float64]
    column: NDArray[np.int64]

    @property
    def step_size(self) -> int:
        """Give P, how many numbers a step of one frame has."""
        return 3 + 2 * (len(self.order) - 1)


def tree_of(skeleton: Skeleton, bones_mm: ArrayLike) -> Tree:
    """Lay out a skeleton.

    Args:
        skeleton: Names and parents.
        bones_mm: (J,) length of each joint's bone to its parent, > 0; the root's is not used.

    Raises:
        ValueError: A length is not finite or not above 0.
    """
    parents, lengths = np.array(skeleton.parents, dtype=np.int64), np.array(bones_mm, dtype=np.float64)
    root = int(np.flatnonzero(parents < 0)[0])
    lengths[root] = 0.0
    bad = [name for k, name in enumerate(skeleton.joints) if k != root and not 0 < lengths[k] < np.inf]
    if bad:
        raise ValueError(f"Found bone lengths of {bad} that are not above 0 and finite (mm). Give all lengths.")
    order = [root]
    for joint in order:  # grows while it is read
        order.extend(np.flatnonzero(parents == joint).tolist())
    column = np.zeros(len(parents), dtype=np.int64)
    for slot, joint in enumerate(order[1:]):
        column[joint] = 3 + 2 * slot
    return Tree(np.array(order, dtype=np.int64), parents, lengths, column)


def to_directions(tree: Tree, joints_mm: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Take roots and directions of joints, whose own bone lengths are forgotten.

    Args:
        tree: The skeleton.
        joints_mm: (..., J, 3), finite. A joint upon its parent is taken to lie behind it (z).

    Returns:
        Roots (..., 3) and unit directions (..., J, 3); the root's own direction is (0, 0, 1).
    """
    joints = np.asarray(joints_mm, dtype=np.float64)
    bones = joints - joints[..., np.where(tree.parents < 0, np.arange(len(tree.parents)), tree.parents), :]
    length = np.linalg.norm(bones, axis=-1, keepdims=True)
    unit = np.where(length > 1e-6, bones / np.maximum(length, 1e-6), np.array([0.0, 0.0, 1.0]))
    return joints[..., tree.order[0], :].copy(), unit


@numba.njit(nogil=True, cache=True)
def place_joints(tree, root_mm, directions, out):
    """Write the joints (J, 3) of one frame to `out`."""
    for joint in tree.order:
        parent = tree.parents[joint]
        for i in range(3):
            if parent < 0:
                out[joint, i] = root_mm[i]
            else:
                out[joint, i] = out[parent, i] + tree.length_mm[joint] * directions[joint, i]


def to_joints(tree: Tree, root_mm: NDArray[np.float64], directions: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give the joints (N, J, 3) of roots (N, 3) and directions (N, J, 3)."""
    joints = np.empty(directions.shape)
    _place_all(tree, root_mm, directions, joints)
    return joints


@numba.njit(nogil=True, cache=True)
def _place_all(tree, root_mm, directions, out):
    for n in range(len(out)):
        place_joints(tree, root_mm[n], directions[n], out[n])


@numba.njit(nogil=True, cache=True)
def tangents(directions, out):
    """Write two unit vectors (J, 2, 3) square to each direction and to each other (Duff et al., JCGT 2017)."""
    for k in range(len(directions)):
        x, y, z = directions[k]
        sign = 1.0 if z >= 0.0 else -1.0
        a = -1.0 / (sign + z)
        b = x * y * a
        out[k, 0, 0], out[k, 0, 1], out[k, 0, 2] = 1.0 + sign * x * x * a, sign * b, -sign * x
        out[k, 1, 0], out[k, 1, 1], out[k, 1, 2] = b, sign + y * y * a, -y


@numba.njit(nogil=True, cache=True)
def take_step(tree, root_mm, directions, basis, step, root_out, directions_out):
    """Write root and directions after a step (P,) along the tangents `basis` (J, 2, 3): great circles, exactly unit."""
    for i in range(3):
        root_out[i] = root_mm[i] + step[i]
    for joint in tree.order:
        if tree.parents[joint] < 0:
            directions_out[joint] = directions[joint]
            continue
        along, across = step[tree.column[joint]], step[tree.column[joint] + 1]
        way = np.sqrt(along * along + across * across)
        angle = way / tree.length_mm[joint]
        cosine = np.cos(angle)
        sine = np.sin(angle) / way if way > 1e-12 else 1.0 / tree.length_mm[joint]
        square = 0.0
        for i in range(3):
            value = cosine * directions[joint, i] + sine * (along * basis[joint, 0, i] + across * basis[joint, 1, i])
            directions_out[joint, i] = value
            square += value * value
        for i in range(3):
            directions_out[joint, i] /= np.sqrt(square)
