"""Laying a hand of known shape upon what is seen, from several starts: what keeps propagation from drifting.

A solution that is like its neighbour keeps the neighbour's fault. How well the hand's skin lies upon a frame's own
readings does not depend on any other frame, and is lower at the true pose in nearly every frame that went astray. So
the cheapest of several starts is taken: the neighbour's pose moved by the flow, the frames before and after, the
reference most like it.
"""

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from refiner.annotate.anatomy import Anatomy, with_room
from refiner.annotate.chain import Tree, to_directions
from refiner.annotate.costs import Weights
from refiner.annotate.labels import FrameLabels
from refiner.annotate.sequence import DepthSequence
from refiner.annotate.solve import depth_behind, solve_frames
from refiner.annotate.surface import POINTS, seen_points, terms_of
from refiner.threads import map_frames

SETTLE_WEIGHTS = Weights(anchor_mm=3.0, points_mm=3.0)
_ROUNDS = 4
_DOUBT = 1.5
"""Frames that cost so many times the median of those before are tried from more starts."""


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

    def is_doubtful(self, frames: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Say which frames cost much more than most."""
        known = self.cost[np.isfinite(self.cost)]
        limit = _DOUBT * float(np.median(known)) if len(known) else np.inf
        return self.cost[frames] > limit

    def settle(
        self,
        frames: NDArray[np.int64],
        start_mm: NDArray[np.float64],
        others_mm: Callable[[int], Sequence[NDArray[np.float64]]] | None = None,
    ) -> NDArray[np.float64]:
        """Lay the hand upon some frames.

        Args:
            frames: (B,) which.
            start_mm: (B, J, 3) where to start.
            others_mm: Gives more starts (J, 3) of a frame, for one that is doubtful after the first.

        Returns:
            (B, J, 3), of each the cheapest; `cost` is set.
        """
        best, self.cost[frames] = self._lay(frames, start_mm)
        doubtful = np.flatnonzero(self.is_doubtful(frames)) if others_mm is not None else np.zeros(0, dtype=np.int64)
        more = {int(i): others_mm(int(frames[i])) for i in doubtful} if others_mm is not None else {}
        for turn in range(max(map(len, more.values()), default=0)):
            again = np.flatnonzero(self.is_doubtful(frames))
            again = np.array([i for i in again if turn < len(more.get(int(i), ()))], dtype=np.int64)
            if len(again):
                found, cost = self._lay(frames[again], np.stack([more[int(i)][turn] for i in again]))
                cheaper = cost < self.cost[frames[again]]
                best[again[cheaper]], self.cost[frames[again[cheaper]]] = found[cheaper], cost[cheaper]
        return best

    def settle_labelled(
        self, frames: NDArray[np.int64], clicks: Sequence[FrameLabels], start_mm: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Lay the hand upon frames that a person labelled; joints (B, J, 3) and costs (B,), clicks among them."""
        return self._lay(frames, start_mm, clicks)

    def sweep(self, joints_mm: NDArray[np.float64], fixed: NDArray[np.bool_]) -> None:
        """Try doubtful frames from the frames before and after them, forwards and backwards; in place.

        Args:
            joints_mm: (N, J, 3) of all frames.
            fixed: (N,) frames that stay.
        """
        linked, frames = self._sequence.linked, len(joints_mm)
        for step, order in ((-1, range(frames)), (1, range(frames - 1, -1, -1))):
            for frame in order:
                other = frame + step
                if fixed[frame] or not 0 <= other < frames or not linked[max(frame, other)]:
                    continue
                one = np.array([frame])
                if self.is_doubtful(one)[0]:
                    start = self.moved(joints_mm[other], other, frame)
                    found, cost = self._lay(one, start[None])
                    if cost[0] < self.cost[frame]:
                        joints_mm[frame], self.cost[frame] = found[0], cost[0]

    def moved(self, joints_mm: NDArray[np.float64], source: int, frame: int) -> NDArray[np.float64]:
        """Give a frame's joints (J, 3) as they would lie in the cube of another."""
        return joints_mm + self._sequence.centre_mm[frame] - self._sequence.centre_mm[source]

    def _lay(
        self,
        frames: NDArray[np.int64],
        joints_mm: NDArray[np.float64],
        clicks: Sequence[FrameLabels] | None = None,
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        of, cost = self._sequence, np.full(len(frames), np.inf)
        terms = terms_of(of.depth[frames], of.depth_unit_mm, of.camera[frames], self._offset_mm, clicks)
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
