"""Laying a hand of known shape upon what is seen, from several starts: what keeps propagation from drifting.

A solution that is like its neighbour keeps the neighbour's fault. How well the hand's skin lies upon a frame's own
readings does not depend on any other frame, and is lower at the true pose in nearly every frame that went astray. So
the cheapest of several starts is taken: the neighbour's pose moved by the flow, the frames before and after, the
reference most like it.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from refiner.annotate.anatomy import Anatomy, with_room
from refiner.annotate.chain import Tree, to_directions
from refiner.annotate.costs import Terms, Weights
from refiner.annotate.sequence import DepthSequence
from refiner.annotate.solve import depth_behind, solve_frames
from refiner.annotate.surface import POINTS, seen_points, terms_of

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

    def terms(self, frame: int) -> tuple[Terms, NDArray[np.float64]]:
        """Give a frame's data, with room for its points, and the points (M, 3), mm."""
        at, of = slice(frame, frame + 1), self._sequence
        terms = with_room(terms_of(of.depth[at], of.depth_unit_mm, of.camera[at], self._offset_mm), POINTS)
        return terms, seen_points(of.depth[frame], of.depth_unit_mm, of.camera[frame])

    def is_doubtful(self, frame: int) -> bool:
        """Say whether a frame costs much more than most."""
        known = self.cost[np.isfinite(self.cost)]
        return len(known) > 0 and self.cost[frame] > _DOUBT * float(np.median(known))

    def settle(
        self, frame: int, start_mm: NDArray[np.float64], others_mm: Sequence[NDArray[np.float64]] = ()
    ) -> NDArray[np.float64]:
        """Lay the hand upon a frame.

        Args:
            frame: Which.
            start_mm: (J, 3) where to start.
            others_mm: More starts (J, 3), for a frame that is doubtful after the first.

        Returns:
            (J, 3), the cheapest; `cost` is set.
        """
        terms, points_mm = self.terms(frame)
        best, self.cost[frame] = self._lay(terms, points_mm, start_mm)
        for other_mm in others_mm:
            if not self.is_doubtful(frame):
                break
            joints_mm, cost = self._lay(terms, points_mm, other_mm)
            if cost < self.cost[frame]:
                best, self.cost[frame] = joints_mm, cost
        return best

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
                if self.is_doubtful(frame):
                    terms, points_mm = self.terms(frame)
                    found, cost = self._lay(terms, points_mm, self.moved(joints_mm[other], other, frame))
                    if cost < self.cost[frame]:
                        joints_mm[frame], self.cost[frame] = found, cost

    def moved(self, joints_mm: NDArray[np.float64], source: int, frame: int) -> NDArray[np.float64]:
        """Give a frame's joints (J, 3) as they would lie in the cube of another."""
        return joints_mm + self._sequence.centre_mm[frame] - self._sequence.centre_mm[source]

    def _lay(
        self, terms: Terms, points_mm: NDArray[np.float64], joints_mm: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], float]:
        cost = np.inf
        for _ in range(_ROUNDS):
            hands, skins = self._anatomy.nearest_hands(joints_mm[None])
            visible = depth_behind(terms, 0, hands[0]) < self._offset_mm + self._weights.eps_mm
            self._anatomy.match(terms, 0, points_mm, hands[0], skins[0])
            terms = terms._replace(anchor_mm=hands, visible=visible[None])
            starts = to_directions(self._tree, hands)
            solution = solve_frames(self._tree, terms, self._weights, *starts, iterations=15, tolerance=1e-3)
            joints_mm, cost = solution.joints_mm[0], float(solution.cost[0])
        return joints_mm, cost
