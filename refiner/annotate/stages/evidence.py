"""What speaks against a solution, joint by joint: where to look first for what is wrong.

slack       how much the cost would fall if a bone's length were free (Oberweger et al. 2016, section 3.5)
behind_mm   by how much a joint leaves the range of depth in which it must lie
unlike      1 - NCC where it was looked for, else 0
jump_mm     how far the joint is from the middle of the frames before and after
moved_mm    how far the last stage moved it: stages that disagree were not sure
"""

import numba
import numpy as np
from numpy.typing import NDArray

from refiner.annotate.solver.appearance import window_values
from refiner.annotate.solver.chain import Tree
from refiner.annotate.solver.equations import empty_sums, frame_sums
from refiner.annotate.solver.frames import Solution, depth_behind
from refiner.annotate.solver.terms import Terms, Weights
from refiner.geometry.camera import project

Floats = NDArray[np.float64]


def evidence(
    tree: Tree, terms: Terms, weights: Weights, linked: NDArray[np.bool_], solution: Solution, before_mm: Floats
) -> dict[str, Floats]:
    """Gather what speaks against each joint of each frame.

    Args:
        tree: The skeleton.
        terms: The data that was solved for.
        weights: Likewise.
        linked: (N,) which frames follow the one before them.
        solution: What was found.
        before_mm: (N, J, 3) joints of the stage before.

    Returns:
        Name -> (N, J); see the head of this module, and `slack_mm`, how much longer the bone to the parent would be.
    """
    joints_mm = solution.joints_mm
    slack, slack_mm = np.zeros(joints_mm.shape[:2]), np.zeros(joints_mm.shape[:2])
    _free_lengths(tree, terms, weights, joints_mm, solution.directions, slack, slack_mm)
    return {
        "slack": slack,
        "slack_mm": slack_mm,
        "behind_mm": np.stack([depth_violation(terms, weights, n, joints) for n, joints in enumerate(joints_mm)]),
        "unlike": np.stack([_unlike(terms, n, joints) for n, joints in enumerate(joints_mm)]),
        "jump_mm": jumps_mm(joints_mm, linked),
        "moved_mm": np.linalg.norm(joints_mm - before_mm, axis=-1),
    }


def depth_violation(terms: Terms, weights: Weights, n: int, joints_mm: Floats) -> Floats:
    """Return by how much joints (J, 3) of frame n lie before the surface, or too far behind it where they are seen.

    0 where D is unknown.
    """
    behind, offset = depth_behind(terms, n, joints_mm), terms.offset_mm[n]
    too_far = np.where(terms.visible[n], behind - offset - weights.eps_mm, 0.0)
    return np.nan_to_num(np.maximum(np.maximum(0.5 * offset - behind, too_far), 0.0), nan=0.0)


def jumps_mm(joints_mm: Floats, linked: NDArray[np.bool_]) -> Floats:
    """Give each joint's distance (N, J) from the middle of the frames before and after; 0 beside a break."""
    jumps = np.zeros(joints_mm.shape[:2])
    inner = np.flatnonzero(linked[1:-1] & linked[2:]) + 1
    middle = 0.5 * (joints_mm[inner - 1] + joints_mm[inner + 1])
    jumps[inner] = np.linalg.norm(joints_mm[inner] - middle, axis=-1)
    return jumps


def _unlike(terms: Terms, n: int, joints_mm: Floats) -> Floats:
    windows, middle = terms.unlike[n], terms.unlike_uv_px[n]
    if windows.shape[-1] == 0:
        return np.zeros(len(joints_mm))
    values = window_values(windows, middle, project(joints_mm, terms.camera[n]))
    return np.where(middle[:, 0] >= 0, values, 0.0)


@numba.njit(nogil=True, cache=True)
def _free_lengths(tree, terms, weights, joints, directions, slack, slack_mm):
    """Write how much the cost of each frame would fall, by Newton's step along each bone with all else at rest."""
    count = joints.shape[1]
    gradient, hessian, bones = np.empty((count, 3)), np.empty((count, 3, 3)), empty_sums(count)
    for n in range(len(joints)):
        frame_sums(tree, terms, weights, n, joints[n], gradient, hessian, bones)
        for at in range(count - 1, 0, -1):
            joint = tree.order[at]
            parent = tree.parents[joint]
            slope = curve = 0.0
            for i in range(3):
                slope += directions[n, joint, i] * (gradient[joint, i] + bones.gradient[joint, i])
                for j in range(3):
                    both = hessian[joint, i, j] + bones.hessian[joint, i, j]
                    curve += directions[n, joint, i] * both * directions[n, joint, j]
            if curve > 1e-9:
                slack[n, joint] = 0.5 * slope * slope / curve
                slack_mm[n, joint] = -slope / curve
            gradient[parent] += gradient[joint]
            hessian[parent] += hessian[joint]
