"""From reference frames to every frame: nearest first, from the neighbour's pose moved by optical flow.

Oberweger et al. 2016, eq. 5 and 6: the frame most like one that is solved already starts from that one's joints, moved
by the flow between the two, and is then solved for likeness to it under the bone lengths. Here the bounds of the depth
hold in every frame, too, and where the hand's shape is known it is laid upon what is seen (see `settle`).
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from refiner.annotate.solver.appearance import unlike_windows, window_values
from refiner.annotate.solver.chain import Tree, to_directions
from refiner.annotate.solver.flow import follow
from refiner.annotate.solver.frames import depth_behind, solve_frames
from refiner.annotate.solver.sequence import DepthSequence
from refiner.annotate.solver.surface import terms_of
from refiner.annotate.solver.terms import Terms, Weights
from refiner.annotate.stages.settle import Settler
from refiner.geometry.camera import project, unproject
from refiner.threads import map_frames

PROPAGATE_WEIGHTS = Weights(appearance=30.0, anchor_mm=6.0)
REACH_PX = 8
WAVE = 128
"""So many frames are solved together, at most."""


@dataclass(frozen=True, eq=False)
class Propagated:
    """Every frame after propagation; references as they were given.

    Attributes:
        joints_mm: (N, J, 3).
        copied_mm: (N, J, 3), the nearest reference's joints relative to its cube: the paper's "closest reference".
        flowed_mm: (N, J, 3), the start that flow gave, bone lengths not kept.
        neighbour: (N,) the frame that each was solved from; itself at references.
        cost: (N,), 0 at references.
        unlike: (N, J) 1 - NCC before the sweeps, 0 at references.
        unswept_mm: (N, J, 3) before the sweeps, what other frames were solved from.
        unswept_cost: (N,) likewise.
    """

    joints_mm: NDArray[np.float64]
    copied_mm: NDArray[np.float64]
    flowed_mm: NDArray[np.float64]
    neighbour: NDArray[np.int64]
    cost: NDArray[np.float64]
    unlike: NDArray[np.float64]
    unswept_mm: NDArray[np.float64]
    unswept_cost: NDArray[np.float64]


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
    earlier: tuple[NDArray[np.bool_], NDArray[np.bool_], "Propagated"] | None = None,
    reach_px: int = REACH_PX,
    seen_px: Mapping[int, NDArray[np.float64]] | None = None,
    on_frames: Callable[[int], object] | None = None,
) -> Propagated:
    """Solve all frames that are not references.

    Args:
        tree: The skeleton.
        sequence: The frames.
        references: (R,) frames whose joints are known.
        reference_mm: (R, J, 3) these joints.
        order: The other frames in the order of solving, and the solved frame that each starts from (see
            `refiner.annotate.references.select.propagation_order`).
        nearest: (N,) the reference most like each frame.
        offset_mm: (J,) depth of each joint below the surface.
        settler: Lays the hand upon each frame, where its shape is known (skeleton `hand21`).
        weights: Of the terms.
        earlier: Frames (N,) that stay as they were before the sweeps, those that stay after them, and what was found.
        reach_px: Half the window in which likeness is looked for, around where the flow leads.
        seen_px: (J, 2) where joints of a frame are seen, by frame, where it is not where they project.
        on_frames: Is given how many more are solved or swept, now and then.
    """
    frames, joints = len(sequence), len(offset_mm)
    solved, flowed = np.full((frames, joints, 3), np.nan), np.full((frames, joints, 3), np.nan)
    cost, unlike, neighbour = np.full(frames, np.nan), np.zeros((frames, joints)), np.arange(frames)
    stays, rests = np.zeros(frames, dtype=bool), np.zeros(frames, dtype=bool)
    if earlier is not None:
        stays, rests, before = earlier
        for array, old in ((solved, before.unswept_mm), (flowed, before.flowed_mm), (cost, before.unswept_cost)):
            array[stays] = old[stays]
        unlike[stays], neighbour[stays] = before.unlike[stays], before.neighbour[stays]
    stays[references] = rests[references] = True
    solved[references] = flowed[references] = reference_mm
    cost[references] = unlike[references] = 0.0
    relative = solved[nearest] - sequence.centre_mm[nearest, None]
    copied = relative + sequence.centre_mm[:, None]
    from_frame = np.arange(frames)
    from_frame[order[0]] = order[1]
    for some in waves(*order, stays):
        sources = from_frame[some]
        terms, starts, moved, windows, middles = _begin(
            sequence, some, sources, solved, offset_mm, weights, reach_px, seen_px or {}
        )
        solution = solve_frames(tree, terms, weights, *to_directions(tree, starts))
        # Each frame stands there twice, for its two starts.
        best = np.arange(len(some)) + len(some) * (solution.cost[len(some) :] < solution.cost[: len(some)])
        solved[some], cost[some], flowed[some] = solution.joints_mm[best], solution.cost[best], moved
        neighbour[some] = sources
        if settler is not None:
            moved = settler.moved(solved, nearest[some], some)
            for start, origins in ((solved[some], sources), (moved, nearest[some])):
                settler.settle(some, solved, start, origins)
            cost[some] = settler.cost[some]
        solved[some] = solved[some].astype(np.float32)  # as it is kept: solved from again, it gives the same
        for i, frame in enumerate(some):
            uv_px = project(solved[frame], sequence.camera[frame])
            unlike[frame] = window_values(windows[i], middles[i], uv_px)
        if on_frames is not None:
            on_frames(len(some))
    unswept, unswept_cost = solved.copy(), cost.copy()
    if settler is not None:
        settler.cost[:] = cost
        if earlier is not None:
            solved[rests], settler.cost[rests] = before.joints_mm[rests], before.cost[rests]
        solved[references] = reference_mm
        settler.sweep(solved, rests, on_frames)
        cost = settler.cost.copy()
        cost[references] = 0.0
    return Propagated(solved, copied, flowed, neighbour, cost, unlike, unswept, unswept_cost)


def waves(
    frames: NDArray[np.int64], sources: NDArray[np.int64], stays: NDArray[np.bool_]
) -> Iterator[NDArray[np.int64]]:
    """Part frames into waves of at most `WAVE`, each of which starts from frames of those before it.

    Args:
        frames: In the order of solving.
        sources: The frame that each starts from.
        stays: (N,) frames that are not solved.
    """
    depth = np.zeros(len(stays), dtype=np.int64)
    for frame, source in zip(frames, sources, strict=True):
        depth[frame] = depth[source] + 1
    for level in np.unique(depth[frames]):
        wave = frames[(depth[frames] == level) & ~stays[frames]]
        for start in range(0, len(wave), WAVE):
            yield wave[start : start + WAVE]


def _begin(
    sequence: DepthSequence,
    some: NDArray[np.int64],
    sources: NDArray[np.int64],
    solved: NDArray[np.float64],
    offset_mm: NDArray[np.float64],
    weights: Weights,
    reach_px: int,
    seen_px: Mapping[int, NDArray[np.float64]],
) -> tuple[Terms, NDArray[np.float64], NDArray[np.float64], NDArray[np.uint16], NDArray[np.int64]]:
    """Give the data of B frames, each twice, and starts (2 B, J, 3): where the flow leads, and the neighbour's joints.

    Also the first of these (B, J, 3), and the windows of likeness with their middles.
    """
    terms, there = _terms(sequence, some, offset_mm), _terms(sequence, sources, offset_mm)
    behind = np.stack([depth_behind(there, i, solved[n]) for i, n in enumerate(sources)])
    visible = behind < offset_mm + weights.eps_mm
    image, example = ([sequence.image(int(n)) for n in part] for part in (some, sources))
    example_uv_px = project(solved[sources], sequence.camera[sources][:, None])
    example_uv_px = np.stack([seen_px.get(int(n), uv_px) for n, uv_px in zip(sources, example_uv_px, strict=True)])
    uv_px = np.stack(map_frames(follow, example, image, example_uv_px))
    moved = solved[sources] + (sequence.centre_mm[some] - sequence.centre_mm[sources])[:, None]
    carried = np.stack([unproject(uv_px[i], moved[i, :, 2], terms.camera[i]) for i in range(len(some))])
    over = moved[..., 2] - np.stack([depth_behind(terms, i, joints) for i, joints in enumerate(carried)])
    lost = np.isnan(behind) & np.isnan(over)  # a finger without readings has none in the next frame either
    z = np.where(visible & np.isfinite(over), over + behind, moved[..., 2])
    flowed = np.stack([unproject(uv_px[i], z[i], terms.camera[i]) for i in range(len(some))])
    found = map_frames(unlike_windows, image, uv_px, example, example_uv_px, [reach_px] * len(some))
    windows, middles = (np.stack(part) for part in zip(*found, strict=True))
    # A finger seen from one side is as deep there in the next frame.
    own = np.where(visible, np.clip(behind, 0.3 * offset_mm, None), offset_mm)
    terms = terms._replace(
        lost=lost, visible=visible, offset_mm=own, unlike=windows, unlike_uv_px=middles, anchor_mm=flowed
    )
    return twice(terms), np.concatenate([flowed, moved]), flowed, windows, middles


def twice(terms: Terms) -> Terms:
    """Give the data of frames without clicks, and the same once more."""
    double = {
        name: np.concatenate([values, values])
        for name, values in terms._asdict().items()
        if name not in ("surface_unit_mm", "pair_start", "pairs")
    }
    return terms._replace(**double, pair_start=np.zeros(2 * len(terms.camera) + 1, dtype=np.int64))


def _terms(sequence: DepthSequence, frames: NDArray[np.int64], offset_mm: NDArray[np.float64]) -> Terms:
    return terms_of(sequence.depth[frames], sequence.depth_unit_mm, sequence.camera[frames], offset_mm)
