"""All frames of a sequence at once: likeness to references, smooth motion, clicks, depth, under exact bone lengths.

Oberweger et al. 2016, section 3.4. The published objective has no depth in it, and run to convergence it drifts by 60
to 340 mm; here the bounds of the depth stay in every frame. `exact_paper` leaves them out.
"""

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from refiner.annotate.anatomy import Anatomy, with_room
from refiner.annotate.appearance import unlike_windows
from refiner.annotate.chain import Tree, to_directions
from refiner.annotate.costs import Weights
from refiner.annotate.sequence import DepthSequence
from refiner.annotate.solve import Solution, depth_behind, solve_sequence
from refiner.annotate.surface import POINTS, Clicks, seen_points, terms_of
from refiner.geometry.camera import project

OPTIMIZE_WEIGHTS = Weights(appearance=10.0, smooth_mm=4.0, anchor_mm=2.0, points_mm=3.0)
ROUNDS = 2
REACH_PX = 6


def optimize(
    tree: Tree,
    sequence: DepthSequence,
    start_mm: NDArray[np.float64],
    clicks: Mapping[int, Clicks],
    nearest: NDArray[np.int64],
    offset_mm: NDArray[np.float64],
    anatomy: Anatomy | None = None,
    weights: Weights = OPTIMIZE_WEIGHTS,
    reach_px: int = REACH_PX,
    iterations: int = 40,
    on_iteration: Callable[[int, float], bool] | None = None,
) -> Solution:
    """Settle a whole sequence.

    Args:
        tree: The skeleton.
        sequence: The frames.
        start_mm: (N, J, 3) joints to start from.
        clicks: Labels of the reference frames, by frame.
        nearest: (N,) the reference most like each frame.
        offset_mm: (J,) depth of each joint below the surface.
        anatomy: The hand, where its shape is known (skeleton `hand21`): it is laid upon what is seen, `ROUNDS` times.
        weights: Of the terms.
        reach_px: Half the window in which likeness is looked for, around the start.
        iterations: Steps tried at most.
        on_iteration: See `solve_sequence`.
    """
    frames = len(sequence)
    labels = [clicks.get(n) for n in range(frames)]
    terms = terms_of(sequence.depth, sequence.depth_unit_mm, sequence.camera, offset_mm, labels)
    size = 2 * reach_px + 1
    windows = np.zeros((frames, len(offset_mm), size, size), dtype=np.uint16)
    middle = np.full((frames, len(offset_mm), 2), -1, dtype=np.int64)
    visible = terms.visible.copy()
    uv_px = project(start_mm, sequence.camera[:, None])
    examples: dict[int, NDArray[np.float32]] = {}
    for n in range(frames):
        if labels[n] is not None:
            continue
        like = int(nearest[n])
        if like not in examples:
            examples[like] = sequence.image(like)
        windows[n], middle[n] = unlike_windows(sequence.image(n), uv_px[n], examples[like], uv_px[like], reach_px)
        visible[n] = depth_behind(terms, n, start_mm[n]) < offset_mm + weights.eps_mm
    terms = terms._replace(visible=visible, unlike=windows, unlike_uv_px=middle)
    if anatomy is None:
        starts = to_directions(tree, start_mm)
        weights = weights._replace(points_mm=0.0, anchor_mm=0.0)
        return solve_sequence(tree, terms, weights, sequence.linked, *starts, iterations, on_iteration=on_iteration)
    points_mm = [seen_points(*view, most=POINTS) for view in sequence.views()]
    terms = with_room(terms, POINTS)
    for _ in range(ROUNDS):
        hands, skins = anatomy.nearest_hands(start_mm)
        for n in range(frames):
            anatomy.match(terms, n, points_mm[n], hands[n], skins[n])
        terms = terms._replace(anchor_mm=hands)
        starts = to_directions(tree, start_mm)
        solution = solve_sequence(tree, terms, weights, sequence.linked, *starts, iterations, on_iteration=on_iteration)
        start_mm = solution.joints_mm
    return solution
