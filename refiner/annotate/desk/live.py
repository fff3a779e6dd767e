"""One frame in 3D while it is being labelled: its joints, its bones beside the known ones, and what pulls.

It is the lift of `refiner.annotate.stages.lift` without the hand's shape, which takes a tenth of the time that a person
notices, and the judgement of `refiner.annotate.plausible`.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from refiner.annotate.desk.maps import FrameMaps
from refiner.annotate.plausible.bones import hand_scale, impossible_bones, length_ranges_mm
from refiner.annotate.plausible.facts import hand_facts
from refiner.annotate.plausible.view import View
from refiner.annotate.sessions.labels import ABSENT, FrameLabels, check_labels, without_absent
from refiner.annotate.sessions.session import Session
from refiner.annotate.sessions.truth import surface_offset_mm
from refiner.annotate.solver.chain import tree_of
from refiner.annotate.solver.surface import terms_of
from refiner.annotate.stages.conflicts import conflicts_of
from refiner.annotate.stages.lift import LIFT_WEIGHTS, lift
from refiner.geometry.camera import project

LEAST_CLICKS = 3
"""Fewer do not say where a hand is."""


@dataclass(frozen=True, eq=False)
class Bone:
    """One bone of a frame beside its known length.

    Attributes:
        joint: Its outer joint.
        found_mm: By the clicks: between its ends where both are seen, else the shortest that it can be.
        exact: Whether both are seen.
        known_mm: Of this hand; NaN as long as nobody has given or measured its bones.
        impossible: Whether no hand has it.
    """

    joint: int
    found_mm: float
    exact: bool
    known_mm: float
    impossible: bool


@dataclass(frozen=True, eq=False)
class Lifted:
    """A frame in 3D.

    Attributes:
        joints_mm: (J, 3); nothing where too little is clicked or no bone length is known.
        uv_px: (J, 2) where these joints are seen.
        bones: Of the bones whose ends are both clicked.
        conflicts: Clicks and orders that the joints miss, see `refiner.annotate.stages.conflicts`; none before the
            session's bone lengths are known.
        astray: Visible joints that have no reading near.
    """

    joints_mm: NDArray[np.float64] | None
    uv_px: NDArray[np.float64] | None
    bones: list[Bone]
    conflicts: list[dict[str, Any]]
    astray: list[int]


class LiveLift:
    """Lifts frames of a session as they are labelled."""

    def __init__(self, session: Session, maps: FrameMaps) -> None:
        self._session, self._maps, self._facts = session, maps, hand_facts(session.skeleton)
        self._offset_mm = surface_offset_mm(session.skeleton)

    @property
    def offset_mm(self) -> NDArray[np.float64]:
        """Depth (J,) of each joint below the surface."""
        return self._offset_mm

    def look_at(self, labels: FrameLabels) -> View:
        """Return what the depth says of clicks."""
        frame = labels.frame
        return View.of(labels, self._maps.depth_mm(frame), self._session.cameras[frame], self._facts)

    def lengths_mm(self, view: View) -> NDArray[np.float64]:
        """Return the bone lengths (J,): the session's, else the mean hand's, scaled to what is seen; NaN if unknown."""
        known_mm = self._session.bones_mm
        if known_mm is not None:
            return known_mm
        return hand_scale([view], self._session.skeleton, self._facts) * self._facts.usual_mm

    def lift(self, labels: FrameLabels) -> Lifted:
        """Lift one frame. It changes nothing in the session.

        Raises:
            LabelError: The labels make no sense; see `check_labels`.
        """
        session, skeleton = self._session, self._session.skeleton
        labels = without_absent(labels)
        check_labels(labels, skeleton, session.store.size, session.frames)  # compiled code looks up joints unchecked
        view = self.look_at(labels)
        known_mm = self.lengths_mm(view)
        bones = self._bones(view, known_mm)
        astray = np.flatnonzero(view.astray(self._facts)).tolist()
        children = [child for _, child in skeleton.bones]
        if (labels.flag != ABSENT).sum() < LEAST_CLICKS or not np.isfinite(known_mm[children]).all():
            return Lifted(None, None, bones, [], astray)
        depth, camera = self._maps.raw(labels.frame), session.cameras[[labels.frame]]
        terms = terms_of(depth[None], session.store.depth_unit_mm, camera, self._offset_mm, [labels])
        joints_mm = lift(tree_of(skeleton, known_mm), terms, LIFT_WEIGHTS).joints_mm[0]
        conflicts = []
        if session.bones_mm is not None:  # the mean hand's lengths would blame good clicks
            conflicts = conflicts_of(labels, joints_mm, camera[0], skeleton.joints, LIFT_WEIGHTS)
        return Lifted(joints_mm, project(joints_mm, camera[0]), bones, conflicts, astray)

    def _bones(self, view: View, lengths_mm: NDArray[np.float64]) -> list[Bone]:
        skeleton = self._session.skeleton
        nothing = np.zeros(len(skeleton), dtype=np.bool_)
        shortest_mm, _ = length_ranges_mm(view, skeleton, nothing)
        impossible = impossible_bones(view, skeleton, lengths_mm, nothing)
        known_mm = self._session.bones_mm
        bones = []
        for parent, child in skeleton.bones:
            seen_mm = float(np.linalg.norm(view.lifted_mm[child] - view.lifted_mm[parent]))
            found_mm = seen_mm if np.isfinite(seen_mm) else float(shortest_mm[child])
            if np.isfinite(found_mm):
                known = np.nan if known_mm is None else float(known_mm[child])
                bones.append(Bone(child, found_mm, bool(np.isfinite(seen_mm)), known, child in impossible))
        return bones
