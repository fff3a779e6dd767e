"""All frames of a sequence at once: likeness to references, smooth motion, clicks, depth, under exact bone lengths.

Oberweger et al. 2016, section 3.4. The published objective has no depth in it, and run to convergence it drifts by 60
to 340 mm; here the bounds of the depth stay in every frame (not so in `refiner.annotate.stages.published`).
"""

from collections.abc import Callable, Mapping
from functools import partial

import numpy as np
from numpy.typing import NDArray

from refiner.annotate.sessions.labels import FrameLabels
from refiner.annotate.solver.anatomy import Anatomy, with_room
from refiner.annotate.solver.appearance import unlike_windows
from refiner.annotate.solver.band import solve_sequence
from refiner.annotate.solver.chain import Tree, to_directions
from refiner.annotate.solver.frames import Solution, depth_behind
from refiner.annotate.solver.sequence import DepthSequence
from refiner.annotate.solver.surface import POINTS, seen_points, terms_of
from refiner.annotate.solver.terms import Terms, Weights
from refiner.geometry.camera import project
from refiner.threads import map_frames

OPTIMIZE_WEIGHTS = Weights(appearance=10.0, smooth_mm=4.0, smooth_knee=4.0, anchor_mm=2.0, points_mm=3.0)
PLAIN_WEIGHTS = Weights(appearance=30.0, smooth_mm=8.0, smooth_knee=4.0)
"""Without a hand model."""
ROUNDS, ITERATIONS = 2, 40
REACH_PX = 6


def optimize(
    tree: Tree,
    sequence: DepthSequence,
    start_mm: NDArray[np.float64],
    clicks: Mapping[int, FrameLabels],
    nearest: NDArray[np.int64],
    offset_mm: NDArray[np.float64],
    anatomy: Anatomy | None = None,
    weights: Weights | None = None,
    at: NDArray[np.int64] | None = None,
    reach_px: int = REACH_PX,
    seen_px: Mapping[int, NDArray[np.float64]] | None = None,
    iterations: int = ITERATIONS,
    on_iteration: Callable[[int, float], bool] | None = None,
) -> tuple[Solution, Terms]:
    """Settle a whole sequence.

    Args:
        tree: The skeleton.
        sequence: The frames.
        start_mm: (N, J, 3) joints to start from.
        clicks: Labels of the reference frames, by frame.
        nearest: (N,) the reference most like each frame.
        offset_mm: (J,) depth of each joint below the surface.
        anatomy: The hand, where its shape is known (skeleton `hand21`): it is laid upon what is seen, `ROUNDS` times.
        weights: Of the terms; without them `OPTIMIZE_WEIGHTS` or, without a hand, `PLAIN_WEIGHTS`.
        at: Frames to settle, in order, whole sequences from break to break; else all.
        reach_px: Half the window in which likeness is looked for, around the start.
        seen_px: (J, 2) where joints of a reference are seen, by frame, where it is not where they project.
        iterations: Steps tried at most.
        on_iteration: See `solve_sequence`.

    Returns:
        The solution of these frames, and the data that it answers to.
    """
    if weights is None:
        weights = PLAIN_WEIGHTS if anatomy is None else OPTIMIZE_WEIGHTS
    at = np.arange(len(sequence)) if at is None else at
    labels, linked = [clicks.get(int(n)) for n in at], sequence.linked[at]
    terms = terms_of(sequence.depth[at], sequence.depth_unit_mm, sequence.camera[at], offset_mm, labels)
    size = 2 * reach_px + 1
    windows = np.zeros((len(at), len(offset_mm), size, size), dtype=np.uint16)
    middle = np.full((len(at), len(offset_mm), 2), -1, dtype=np.int64)
    visible, lost = terms.visible.copy(), terms.lost.copy()
    uv_px = project(start_mm, sequence.camera[:, None])
    example_px = {int(n): uv_px[n] for n in np.unique(nearest)} | dict(seen_px or {})

    def compare(i: int) -> None:
        n, like = int(at[i]), int(nearest[at[i]])
        images = sequence.image(n), uv_px[n], sequence.image(like), example_px[like]
        windows[i], middle[i] = unlike_windows(*images, reach_px)
        behind = depth_behind(terms, i, start_mm[n])
        visible[i], lost[i] = behind < offset_mm + weights.eps_mm, np.isnan(behind)

    map_frames(compare, [i for i, clicked in enumerate(labels) if clicked is None])
    terms = terms._replace(visible=visible, lost=lost, unlike=windows, unlike_uv_px=middle)
    joints_mm = start_mm[at]
    if anatomy is None:
        starts = to_directions(tree, joints_mm)
        solution = solve_sequence(tree, terms, weights, linked, *starts, iterations, on_iteration=on_iteration)
        return solution, terms
    points_mm = [seen_points(sequence.depth[n], sequence.depth_unit_mm, sequence.camera[n]) for n in at]
    terms = with_room(terms, POINTS)
    solution = None
    for _ in range(ROUNDS):
        hands, skins = anatomy.nearest_hands(joints_mm)
        map_frames(partial(anatomy.match, terms), range(len(at)), points_mm, hands, skins)
        terms = terms._replace(anchor_mm=hands)
        starts = to_directions(tree, joints_mm)
        solution = solve_sequence(tree, terms, weights, linked, *starts, iterations, on_iteration=on_iteration)
        joints_mm = solution.joints_mm
    assert solution is not None  # there is a round
    return solution, terms
