"""3D joints of frames that a person labelled: clicks, visibility and depth order, under exact bone lengths.

The problem is that of Oberweger et al. 2016, eq. 4, with its constraints as steep penalties
(`refiner.annotate.solver.costs`) and the bone lengths exact. Its one trap are folds: a bone that points away from the
camera looks like one that points towards it. So each bone is tried both ways.
"""

import numba
import numpy as np
from numpy.typing import NDArray

from refiner.annotate.solver.chain import Tree, to_directions, to_joints
from refiner.annotate.solver.costs import depth_at
from refiner.annotate.solver.frames import Solution, descend
from refiner.annotate.solver.terms import Terms, Weights
from refiner.geometry.camera import unproject

LIFT_WEIGHTS = Weights()


def start_joints(tree: Tree, terms: Terms, nearer_mm: float) -> NDArray[np.float64]:
    """Guess joints of clicks, ordered by pairs.

    Visible ones lie on the surface, hidden ones at their parent's depth at least. Where readings are lost, a joint lies
    where its ray of sight is as far from its parent as the bone is long: behind it, unless a pair says otherwise.

    Args:
        tree: The skeleton.
        terms: With `click`, `lost` and `surface`.
        nearer_mm: How much farther the farther joint of a pair is put at least.

    Returns:
        (N, J, 3), finite; bone lengths are not kept yet.
    """
    frames, count = terms.click.shape
    joints = np.empty((frames, count, 3))
    for n in range(frames):
        known = terms.click[n] > 0
        uv = terms.click_uv_px[n].copy()
        uv[~known] = uv[known].mean(axis=0) if known.any() else np.array(terms.surface.shape[:0:-1]) / 2
        over = np.array([depth_at(terms.surface[n], terms.surface_unit_mm, *place)[0] for place in uv])
        z = over + terms.offset_mm[n]
        seen = (terms.click[n] == 2) & ~terms.lost[n]
        anchor = np.median(z[seen]) if seen.any() else np.median(z)
        pairs = terms.pairs[terms.pair_start[n] : terms.pair_start[n + 1]]
        placed = ~terms.lost[n]
        for k in tree.order:
            parent = tree.parents[k]
            before = parent >= 0 and bool((pairs == (k, parent)).all(axis=1).any())
            if parent < 0 and not seen[k]:
                z[k] = anchor if terms.lost[n, k] else max(z[k], anchor)
            elif terms.lost[n, k]:
                length_mm, side = float(tree.length_mm[k]), -1.0 if before else 1.0
                z[k] = _depth_beside(joints[n, parent], uv[k], length_mm, terms.camera[n], side)
            elif not seen[k]:
                z[k] = max(z[k], z[parent])
                if not known[k]:
                    uv[k] = uv[parent]
            if not seen[k]:
                for near, far in pairs:
                    if far == k and placed[near]:
                        z[k] = max(z[k], z[near] + nearer_mm)
            placed[k] = True
            joints[n, k] = unproject(uv[k], z[k], terms.camera[n])
    return joints


def _depth_beside(
    parent_mm: NDArray[np.float64],
    uv_px: NDArray[np.float64],
    length_mm: float,
    camera: NDArray[np.float64],
    side: float,
) -> float:
    """Return the depth at which a ray of sight is a bone's length from a joint, behind it (1) or before it (-1).

    Where the ray passes farther away, the depth at which it is nearest.
    """
    ray = unproject(uv_px, 1.0, camera)
    along, square = float(ray @ parent_mm), float(ray @ ray)
    inside = along**2 - square * (float(parent_mm @ parent_mm) - length_mm**2)
    return max((along + side * float(np.sqrt(max(inside, 0.0)))) / square, 1.0)


@numba.njit(nogil=True, cache=True)
def _unfold(tree, terms, weights, n, root_mm, directions, iterations, tolerance, worth):
    """Descend, then turn each bone's depth round in turn and keep what lowers the cost by `worth`."""
    count = len(directions)
    cost, tried = descend(tree, terms, weights, n, root_mm, directions, iterations, tolerance)
    best_root, best = root_mm.copy(), directions.copy()
    again = True
    rounds = 0
    while again and rounds < 3:
        again = False
        rounds += 1
        for at in range(1, count):
            joint = tree.order[at]
            if abs(best[joint, 2]) < 0.15:  # nearly in the image plane: both ways are one
                continue
            root_mm[:], directions[:] = best_root, best
            directions[joint, 2] = -directions[joint, 2]
            new, steps = descend(tree, terms, weights, n, root_mm, directions, 12, 1e-3)
            tried += steps
            if new < cost - worth:
                new, steps = descend(tree, terms, weights, n, root_mm, directions, iterations, tolerance)
                tried += steps
                cost, again = new, True
                best_root[:], best[:] = root_mm, directions
    root_mm[:], directions[:] = best_root, best
    return cost, tried


@numba.njit(nogil=True, cache=True)
def _unfold_all(tree, terms, weights, root_mm, directions, iterations, tolerance, worth, cost):
    tried = 0
    for n in range(len(root_mm)):
        cost[n], steps = _unfold(tree, terms, weights, n, root_mm[n], directions[n], iterations, tolerance, worth)
        tried += steps
    return tried


def lift(
    tree: Tree,
    terms: Terms,
    weights: Weights = LIFT_WEIGHTS,
    start_mm: NDArray[np.float64] | None = None,
    iterations: int = 60,
    tolerance: float = 1e-5,
    worth: float = 0.5,
) -> Solution:
    """Find the joints of labelled frames, each by itself.

    Args:
        tree: The skeleton.
        terms: The frames' data.
        weights: Of the terms.
        start_mm: (N, J, 3) to start from instead of `start_joints`.
        iterations: Steps of one descent at most.
        tolerance: See `refiner.annotate.solver.frames.descend`.
        worth: By how much the cost must fall for a bone to be turned round.
    """
    if start_mm is None:
        start_mm = start_joints(tree, terms, weights.nearer_mm)
    root_mm, directions = to_directions(tree, start_mm)
    cost = np.empty(len(root_mm))
    tried = _unfold_all(tree, terms, weights, root_mm, directions, iterations, tolerance, worth, cost)
    return Solution(root_mm, directions, to_joints(tree, root_mm, directions), cost, tried)
