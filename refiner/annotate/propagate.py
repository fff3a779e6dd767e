"""From reference frames to every frame: nearest first, from the neighbour's pose moved by optical flow.

Oberweger et al. 2016, eq. 5 and 6: the frame most like one that is solved already starts from that one's joints, moved
by the flow between the two, and is then solved for likeness to it under the bone lengths. Here the bounds of the depth
hold in every frame, too, and where the hand's shape is known it is laid upon what is seen (`refiner.annotate.settle`).
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from refiner.annotate.appearance import unlike_windows
from refiner.annotate.chain import Tree, to_directions
from refiner.annotate.costs import NCC_STEPS, Terms, Weights, depth_at
from refiner.annotate.flow import OpticalFlow
from refiner.annotate.sequence import DepthSequence
from refiner.annotate.settle import Settler
from refiner.annotate.solve import depth_behind, solve_frames
from refiner.annotate.surface import terms_of
from refiner.geometry.camera import project, unproject

PROPAGATE_WEIGHTS = Weights(appearance=30.0, anchor_mm=6.0)
REACH_PX = 8


@dataclass(frozen=True, eq=False)
class Propagated:
    """Every frame after propagation; references as they were given.

    Attributes:
        joints_mm: (N, J, 3).
        copied_mm: (N, J, 3), the nearest reference's joints relative to its cube: the paper's "closest reference".
        flowed_mm: (N, J, 3), the start that flow gave, bone lengths not kept.
        neighbour: (N,) the frame that each was solved from; itself at references.
        cost: (N,), 0 at references.
        unlike: (N, J) 1 - NCC at the solution, 0 at references.
    """

    joints_mm: NDArray[np.float64]
    copied_mm: NDArray[np.float64]
    flowed_mm: NDArray[np.float64]
    neighbour: NDArray[np.int64]
    cost: NDArray[np.float64]
    unlike: NDArray[np.float64]


def propagate(
    tree: Tree,
    sequence: DepthSequence,
    references: NDArray[np.int64],
    reference_mm: NDArray[np.float64],
    order: tuple[NDArray[np.int64], NDArray[np.int64]],
    nearest: NDArray[np.int64],
    offset_mm: NDArray[np.float64],
    settler: Settler | None = None,
    weights: Weights = PROPAGATE_WEIGHTS,
    reach_px: int = REACH_PX,
    on_frames: Callable[[int], object] | None = None,
) -> Propagated:
    """Solve all frames that are not references.

    Args:
        tree: The skeleton.
        sequence: The frames.
        references: (R,) frames whose joints are known.
        reference_mm: (R, J, 3) these joints.
        order: The other frames in the order of solving, and the solved frame that each starts from (see
            `refiner.annotate.select.propagation_order`).
        nearest: (N,) the reference most like each frame.
        offset_mm: (J,) depth of each joint below the surface.
        settler: Lays the hand upon each frame, where its shape is known (skeleton `hand21`).
        weights: Of the terms.
        reach_px: Half the window in which likeness is looked for, around where the flow leads.
        on_frames: Is given 1 after each frame.
    """
    frames, joints = len(sequence), len(offset_mm)
    solved, flowed = np.full((frames, joints, 3), np.nan), np.full((frames, joints, 3), np.nan)
    cost, unlike, neighbour = np.zeros(frames), np.zeros((frames, joints)), np.arange(frames)
    solved[references] = flowed[references] = reference_mm
    relative = solved[nearest] - sequence.centre_mm[nearest, None]
    copied = relative + sequence.centre_mm[:, None]
    flow, seen = OpticalFlow(), {}
    for frame, source in zip(*order, strict=True):
        frame, source = int(frame), int(source)
        if source not in seen:
            there = _terms(sequence, [source], offset_mm)
            behind = depth_behind(there, 0, solved[source])
            seen[source] = behind, behind < offset_mm + weights.eps_mm
        behind, visible = seen[source]
        # One frame, from two starts: where the flow leads, and where the neighbour's hand would be.
        terms = _terms(sequence, [frame, frame], offset_mm)
        image, example = sequence.image(frame), sequence.image(source)
        example_uv_px = project(solved[source], sequence.camera[source])
        uv_px = flow.follow(example, image, example_uv_px)
        shift_mm = sequence.centre_mm[frame] - sequence.centre_mm[source]
        over = np.array([depth_at(terms.surface[0], terms.surface_unit_mm, u, v)[0] for u, v in uv_px])
        z = np.where(visible & (over > 0), over + behind, solved[source, :, 2] + shift_mm[2])
        flowed[frame] = unproject(uv_px, z, terms.camera[0])
        windows, middle = unlike_windows(image, uv_px, example, example_uv_px, reach_px)
        # A finger seen from one side is as deep there in the next frame.
        own = np.where(visible, np.clip(behind, 0.3 * offset_mm, None), offset_mm)
        terms = terms._replace(
            visible=np.stack([visible, visible]),
            offset_mm=np.stack([own, own]),
            unlike=np.stack([windows, windows]),
            unlike_uv_px=np.stack([middle, middle]),
            anchor_mm=np.stack([flowed[frame], flowed[frame]]),
        )
        starts = to_directions(tree, np.stack([flowed[frame], solved[source] + shift_mm]))
        solution = solve_frames(tree, terms, weights, *starts)
        best = int(np.argmin(solution.cost))
        solved[frame], cost[frame], neighbour[frame] = solution.joints_mm[best], solution.cost[best], source
        if settler is not None:
            others = [n for n in (frame - 1, frame + 1) if 0 <= n < frames and sequence.linked[max(n, frame)]]
            others = [int(n) for n in (nearest[frame], *others) if np.isfinite(solved[n, 0, 0]) and n != source]
            moved = [settler.moved(solved[n], n, frame) for n in others]
            solved[frame] = settler.settle(frame, solved[frame], moved)
            cost[frame] = settler.cost[frame]
        unlike[frame] = window_values(windows, middle, project(solved[frame], terms.camera[0]))
        if on_frames is not None:
            on_frames(1)
    if settler is not None:
        settler.sweep(solved, np.isin(np.arange(frames), references))
        cost = np.where(np.isfinite(settler.cost), settler.cost, 0.0)
    return Propagated(solved, copied, flowed, neighbour, cost, unlike)


def _terms(sequence: DepthSequence, frames: list[int], offset_mm: NDArray[np.float64]) -> Terms:
    return terms_of(sequence.depth[frames], sequence.depth_unit_mm, sequence.camera[frames], offset_mm)


def window_values(
    windows: NDArray[np.uint16], middle: NDArray[np.int64], uv_px: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Read 1 - NCC at the pixel nearest to each joint (J, 2), or at the window's border."""
    half = windows.shape[1] // 2
    at = np.clip(np.floor(uv_px + 0.5).astype(np.int64) - middle, -half, half) + half
    return windows[np.arange(len(at)), at[:, 1], at[:, 0]] / NCC_STEPS
