"""Laying a hand of known shape upon what is seen, from several starts: what keeps propagation from drifting.

A solution that is like its neighbour keeps the neighbour's fault. How well the hand's skin lies upon a frame's own
readings does not depend on any other frame, and is lower at the true pose in nearly every frame that went astray. So
the cheapest of several starts is taken: the neighbour's pose moved by the flow, the reference most like the frame, and,
in a sweep forwards and one backwards, the frames before and after.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from refiner.annotate.sessions.labels import FrameLabels
from refiner.annotate.solver.anatomy import Anatomy, with_room
from refiner.annotate.solver.chain import Tree, to_directions
from refiner.annotate.solver.frames import depth_behind, solve_frames
from refiner.annotate.solver.sequence import DepthSequence
from refiner.annotate.solver.surface import POINTS, seen_points, terms_of
from refiner.annotate.solver.terms import Terms, Weights
from refiner.threads import map_frames

SETTLE_WEIGHTS = Weights(anchor_mm=3.0, points_mm=3.0)
_ROUNDS = 4


class Settler:
    """Lays the hand upon frames of one sequence.

    Attributes:
        cost: (N,) of each frame that was settled, infinite elsewhere.
    """

    def __init__(
        self, tree: Tree, sequence: DepthSequence, anatomy: Anatomy, offset_mm: NDArray[np.float64],
        weights: Weights = SETTLE_WEIGHTS,
    ) -> None:  # fmt: skip
        self._tree, self._sequence, self._anatomy = tree, sequence, anatomy
        self._offset_mm, self._weights = offset_mm, weights
        self.cost = np.full(len(sequence), np.inf)

    def settle(
        self,
        frames: NDArray[np.int64],
        joints_mm: NDArray[np.float64],
        start_mm: NDArray[np.float64],
        sources: NDArray[np.int64],
    ) -> None:
        """Lay the hand upon some frames, and keep what is cheaper than before: their rows and costs are overwritten.

        Args:
            frames: (B,) which.
            joints_mm: (N, J, 3) of all frames.
            start_mm: (B, J, 3) where to start.
            sources: (B,) the frames whose joints these starts are: what has no readings in both is not drawn to any.
        """
        terms = self._terms(frames)
        found, cost = self._lay(frames, start_mm, self._lost(terms, start_mm, joints_mm, sources))
        cheaper = cost < self.cost[frames]
        joints_mm[frames[cheaper]], self.cost[frames[cheaper]] = found[cheaper], cost[cheaper]

    def settle_labelled(
        self, frames: NDArray[np.int64], clicks: Sequence[FrameLabels], start_mm: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Lay the hand upon frames that a person labelled; joints (B, J, 3) and costs (B,), clicks among them."""
        return self._lay(frames, start_mm, self._terms(frames, clicks))

    def sweep(
        self,
        joints_mm: NDArray[np.float64],
        fixed: NDArray[np.bool_],
        on_frames: Callable[[int], object] | None = None,
    ) -> None:
        """Try frames from the frames before and after them, forwards and backwards; rows are overwritten.

        Args:
            joints_mm: (N, J, 3) of all frames.
            fixed: (N,) frames that stay, whose neighbours are tried first.
            on_frames: Is given how many more were tried, now and then.
        """
        for step in (-1, 1):
            for frames in steps_from(fixed, self._sequence.linked, step):
                self.settle(frames, joints_mm, self.moved(joints_mm, frames + step, frames), frames + step)
                if on_frames is not None:
                    on_frames(len(frames))

    def moved(
        self, joints_mm: NDArray[np.float64], sources: NDArray[np.int64], frames: NDArray[np.int64]
    ) -> NDArray[np.float64]:
        """Give the joints (B, J, 3) of some of all frames (N, J, 3) as they would lie in the cubes of others."""
        centre_mm = self._sequence.centre_mm
        return joints_mm[sources] + (centre_mm[frames] - centre_mm[sources])[:, None]

    def _terms(self, frames: NDArray[np.int64], clicks: Sequence[FrameLabels] | None = None) -> Terms:
        of = self._sequence
        return terms_of(of.depth[frames], of.depth_unit_mm, of.camera[frames], self._offset_mm, clicks)

    def _lost(
        self, terms: Terms, start_mm: NDArray[np.float64], joints_mm: NDArray[np.float64], sources: NDArray[np.int64]
    ) -> Terms:
        """Call joints lost that have no reading near at the start, nor had any in the frame that it comes from."""
        lost = np.stack([np.isnan(depth_behind(terms, i, joints)) for i, joints in enumerate(start_mm)])
        some = np.flatnonzero(lost.any(axis=1))
        if len(some):
            there = self._terms(sources[some])
            lost[some] &= np.stack(
                [np.isnan(depth_behind(there, i, joints_mm[n])) for i, n in enumerate(sources[some])]
            )
        return terms._replace(lost=lost)

    def _lay(
        self, frames: NDArray[np.int64], joints_mm: NDArray[np.float64], terms: Terms
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        of, cost = self._sequence, np.full(len(frames), np.inf)
        terms = with_room(terms, POINTS)
        points_mm = [seen_points(of.depth[n], of.depth_unit_mm, of.camera[n]) for n in frames]
        for _ in range(_ROUNDS):
            hands, skins = self._anatomy.nearest_hands(joints_mm)
            behind = np.stack([depth_behind(terms, i, hand) for i, hand in enumerate(hands)])
            # What a person says of a joint holds; of others the depth tells.
            visible = np.where(terms.click > 0, terms.click == 2, behind < self._offset_mm + self._weights.eps_mm)
            map_frames(partial(self._anatomy.match, terms), range(len(frames)), points_mm, hands, skins)
            terms = terms._replace(anchor_mm=hands, visible=visible)
            starts = to_directions(self._tree, hands)
            solution = solve_frames(self._tree, terms, self._weights, *starts, iterations=15, tolerance=1e-3)
            joints_mm, cost = solution.joints_mm, solution.cost
        return joints_mm, cost


def steps_from(fixed: NDArray[np.bool_], linked: NDArray[np.bool_], step: int) -> Iterator[NDArray[np.int64]]:
    """Give the frames one step after a fixed one or the first of a run, then those two steps after it, and so on.

    Args:
        fixed: (N,).
        linked: (N,) whether a frame follows the one before it.
        step: -1 where a frame follows the one before it, 1 where the one after it.
    """
    frames = len(fixed)
    steps = np.zeros(frames, dtype=np.int64)
    for frame in range(frames) if step < 0 else range(frames - 1, -1, -1):
        other = frame + step
        if not fixed[frame] and 0 <= other < frames and linked[max(frame, other)]:
            steps[frame] = steps[other] + 1
    for count in range(1, int(steps.max(initial=0)) + 1):
        yield np.flatnonzero(steps == count)
