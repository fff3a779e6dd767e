"""A session as a person works on it: one frame after another, each change kept at once."""

import threading
from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from refiner.annotate.desk.depth_order import with_proposals
from refiner.annotate.desk.live import LiveLift
from refiner.annotate.desk.maps import FrameMaps
from refiner.annotate.desk.merging import empty_labels, merge_labels
from refiner.annotate.desk.overview import Pace, Standing, pace_of, states_of
from refiner.annotate.desk.solved import Solved, SolvedCache
from refiner.annotate.plausible.doubts import LabelDoubt, label_doubts
from refiner.annotate.quality import Doubt
from refiner.annotate.references.distances import CosineDistances
from refiner.annotate.references.likeness import known_distances
from refiner.annotate.sessions.checks import Check
from refiner.annotate.sessions.history import Shown
from refiner.annotate.sessions.labels import FrameLabels, check_labels, without_absent
from refiner.annotate.sessions.order import sources_of
from refiner.annotate.sessions.session import Session
from refiner.annotate.sessions.truth import labels_of_joints
from refiner.annotate.stages.conflicts import conflicts_left, words_of
from refiner.errors import LabelConflictError, LabelError
from refiner.render.visibility import visible_joints

Pose = Literal["solved", "labels"]


@dataclass(frozen=True)
class Neighbours:
    """The frames that a person looks at beside one.

    Attributes:
        before: The frame before it in its sequence; nothing at the beginning.
        after: The frame after it; nothing at the end.
        reference: The labelled frame most like it; nothing where none is labelled.
    """

    before: int | None
    after: int | None
    reference: int | None


class Desk:
    """A session that is being labelled. Several people may sit at one, from several threads.

    Attributes:
        session: The session.
        maps: Its maps.
        live: Lifts single frames.
        sources: Where each frame came from.
    """

    def __init__(self, session: Session) -> None:
        self.session, self.maps = session, FrameMaps(session.store)
        self.live, self._solved = LiveLift(session, self.maps), SolvedCache(session)
        self.sources = sources_of(session.store)
        self._distances: CosineDistances | None = None
        self._label_doubts: tuple[int, list[LabelDoubt]] = (-1, [])
        self._standing: Standing | None = None
        self._judging, self._lock = threading.Lock(), threading.Lock()  # to judge all labels takes long

    @property
    def solved(self) -> Solved:
        """What the solver has found so far."""
        return self._solved.get()

    def state(self) -> object:
        """Return a value that differs whenever labels, results, checks or chosen frames have changed."""
        session = self.session
        return session.revision, session.solved_steps(), session.checks.revision, session.chosen()

    def warm_up(self) -> None:
        """Do once what is slow the first time: compile and read, before somebody waits for it."""
        count = len(self.session.skeleton)
        middle = np.full((count, 2), (self.session.store.size - 1) / 2)
        self.live.lift(FrameLabels(0, middle, np.full(count, 2, dtype=np.int8)))
        self.neighbours(0)
        self.states()

    def edit(
        self, labels: FrameLabels, base: int | None, moved: Collection[int], who: str, note: str, *, force: bool = False
    ) -> Shown:
        """Change a frame.

        Args:
            labels: What the person made of it.
            base: The edit that they saw; nothing where the frame had none.
            moved: Joints that they moved: the depth proposes the order of their bones.
            who: The person.
            note: What they did.
            force: Take the person's joints where somebody else has changed the same meanwhile.

        Returns:
            What the frame shows now.

        Raises:
            LabelConflictError: Somebody else has changed one of these joints since, and `force` is not set.
            LabelError: The labels make no sense; see `check_labels`. Nothing changes.
        """
        session, skeleton = self.session, self.session.skeleton
        labels = without_absent(labels)
        check_labels(labels, skeleton, session.store.size, session.frames)
        before = None if base is None else session.edits.version(labels.frame, base)
        self.maps.raw(labels.frame)  # read before others have to wait for this change

        def decide(shown: Shown) -> FrameLabels | None:
            try:
                result = merge_labels(before, labels, shown.labels, skeleton, force=force)
            except LabelConflictError as error:
                raise LabelConflictError(f"{error} It was {session.edits.last_author(labels.frame)}.") from None
            if moved:  # proposed of what comes out: somebody else may have moved the other end of a bone
                now = shown.labels or empty_labels(labels.frame, len(skeleton))
                seen = self.live.look_at(result).lifted_mm, self.live.look_at(now).lifted_mm
                result = with_proposals(result, now, moved, *seen, skeleton)
            return result if result.flag.any() else None

        session.edits.change(labels.frame, decide, who, note)
        return session.edits.shown(labels.frame)

    def pose_of(self, frame: int, source: int, kind: Pose) -> FrameLabels:
        """Return labels of a frame to start from: those of another frame, or what the solver found.

        Args:
            frame: To be labelled.
            source: Whose pose; crops are laid upon each other.
            kind: "labels": those of `source`, else what is solved there; "solved": what is solved.

        Raises:
            LabelError: `source` has neither.
        """
        labels = self.session.labels(source) if kind == "labels" else None
        if labels is not None:
            return FrameLabels(frame, labels.uv_px, labels.flag, labels.nearer)
        joints_mm = self.solved.joints_mm[source].astype(np.float64)
        if not np.isfinite(joints_mm).all():
            found = "neither labelled nor solved" if kind == "labels" else "not solved"
            raise LabelError(f"Frame {source} is {found}, so that there is no pose to start from. Label it, or solve.")
        session, store = self.session, self.session.store
        visible = visible_joints(self.maps.depth_mm(source), session.cameras[source], joints_mm, self.live.offset_mm)
        made = labels_of_joints(source, joints_mm, visible, session.cameras[source], session.skeleton, store.size)
        return FrameLabels(frame, made.uv_px, made.flag, made.nearer)

    def check(self, frame: int, who: str, *, right: bool, seen: str | None = None) -> None:
        """Keep that a person found the solved joints of a frame right, or forget it.

        Args:
            frame: Which.
            who: The person.
            right: Whether it is.
            seen: Which solve they saw, see `Solved.name`; any where nothing is given.

        Raises:
            LabelError: The frame is not solved, or was solved again since they saw it.
        """
        if not right:
            self.session.checks.remove(frame, who)
            return
        solved = self.solved
        if seen is not None and seen != solved.name:
            raise LabelError(f"Frame {frame} was solved again since it was shown. Look once more.")
        joints_mm = solved.joints_mm[frame]
        if not np.isfinite(joints_mm).all():
            raise LabelError(f"Frame {frame} is not solved, so that there is nothing to find right. Solve first.")
        self.session.checks.put(frame, who, joints_mm)

    def checks(self) -> dict[int, Check]:
        """Return the checks that hold, by frame."""
        return self.standing().checks

    def doubts(self) -> list[Doubt]:
        """Return the joints of the last solve that are in doubt, the worst first, at most one of a frame.

        Frames that were labelled or found right since are in doubt no more.
        """
        return self.standing().doubts

    def judge(self) -> list[LabelDoubt]:
        """Judge all labels, and return those in doubt, in order of frames: it takes some 10 ms a labelled frame."""
        with self._judging:
            now = self.session.revision  # before the labels, so that what is newer than they are is judged again
            if self._label_doubts[0] != now:
                self._label_doubts = now, label_doubts(self.session)
            return self._label_doubts[1]

    def conflicts(self, frame: int | None = None) -> list[tuple[int, str, str]]:
        """Return (frame, joint, in words) of the labels that the last solve could not keep, in order of frames.

        Those whose label was changed since are left out.

        Args:
            frame: Of this one alone; of all where nothing is given.
        """
        session, lift = self.session, self.solved.lift
        told = {} if lift is None else {one["frame"]: None for one in lift.info.get("conflicts", [])}
        found = []
        for one in told if frame is None else told.keys() & {frame}:
            if (labels := session.labels(one)) is not None and lift is not None:
                left = conflicts_left(lift, labels, session.cameras[one], session.skeleton.joints)
                found += [(one, conflict["joint"], words_of(conflict)) for conflict in left]
        return found

    def label_doubts(self) -> list[LabelDoubt]:
        """Return the labels in doubt, as of the last time that they were judged; nothing before that."""
        return self._label_doubts[1]

    def wrongly_labelled(self) -> list[int]:
        """Return the frames with labels that the solver does not believe, as of that time, in order."""
        return list(dict.fromkeys(one.frame for one in self.label_doubts() if not one.believed))

    def states(self) -> NDArray[np.uint8]:
        """Return the state (N,) of every frame, see `refiner.annotate.desk.overview`."""
        now, edits = self.standing(), self.session.edits
        doubt = (now.solved.doubt > now.solved.limit) & ~now.sure
        doubt[self.wrongly_labelled()] = True
        solved = now.solved.stage >= 0
        return states_of(now.labelled, edits.partly_labelled_frames(), self.session.chosen(), now.checks, solved, doubt)

    def neighbours(self, frame: int) -> Neighbours:
        """Return the frames beside one."""
        starts, frames = self.session.starts, self.session.frames
        others = self.standing().labelled.copy()
        others[frame] = False
        labelled = np.flatnonzero(others)
        before = frame - 1 if frame > 0 and not starts[frame] else None
        after = frame + 1 if frame + 1 < frames and not starts[frame + 1] else None
        reference = int(labelled[np.argmin(self._unlike(frame, labelled))]) if len(labelled) else None
        return Neighbours(before, after, reference)

    def pace(self, who: str) -> Pace:
        """Return how fast a person labels."""
        return pace_of(self.session.edits.latest(2000), who)

    def standing(self) -> Standing:
        """Return how the frames stand now, told anew where something has changed."""
        with self._lock:
            # The numbers are read before what they stand for: what changes in between is told at the next question.
            session, solved = self.session, self.solved
            revision = session.revision, session.checks.revision
            if self._standing is None or self._standing.solved is not solved or self._standing.revision != revision:
                checks = session.checks.holding(solved.joints_mm)
                self._standing = Standing.of(revision, session.labelled_frames(), checks, solved)
            return self._standing

    def _unlike(self, frame: int, others: NDArray[np.int64]) -> NDArray[np.floating]:
        """Return how unlike other frames are: by their codes where there are some, else by how far off they are."""
        if self._distances is None:
            self._distances = known_distances(self.session, "codes")
        if self._distances is None:
            return np.abs(others - frame).astype(np.float64)
        return self._distances[frame][others]
