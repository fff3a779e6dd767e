"""What the stages of a solve have in common: the session's data, the options, and what earlier stages left."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Literal, Self

import numpy as np
from numpy.typing import NDArray

from refiner.annotate.plausible.doubts import LabelDoubt, usable_labels
from refiner.annotate.references.distances import CosineDistances
from refiner.annotate.references.likeness import Descriptor, distances_of
from refiner.annotate.references.nearest import nearest_references
from refiner.annotate.sessions.labels import FrameLabels
from refiner.annotate.sessions.origin import Origin
from refiner.annotate.sessions.results import StageResult
from refiner.annotate.sessions.session import Session
from refiner.annotate.sessions.truth import surface_offset_mm
from refiner.annotate.solver.anatomy import Anatomy
from refiner.annotate.solver.chain import Tree, tree_of
from refiner.annotate.solver.sequence import DepthSequence
from refiner.annotate.stages.changes import unchanged
from refiner.errors import SolveError
from refiner.hand.skeleton import HAND21

LEAST_HANDS = 3
"""From fewer labelled frames the shape of a hand is not fitted."""
MORE_HANDS = 1.5
"""When so many times the labelled frames are there, it is fitted again, and all follows."""

METHOD = 2
"""Counted up when the same labels give other joints than before, so that what was solved earlier is solved again."""

OnProgress = Callable[[str, int, int], object]


@dataclass(frozen=True)
class Options:
    """How to solve.

    Attributes:
        solver: "fast", or "slsqp": the paper's, for the lift of labelled frames.
        exact_paper: The published objectives alone (see `refiner.annotate.stages.published`).
        hand_model: Whether a hand of known shape is laid upon what is seen, where the skeleton is `hand21`.
        descriptor: What says which frames are alike: "codes" of an auto-encoder, or "hog".
        seed: Of the auto-encoder.
    """

    solver: Literal["fast", "slsqp"] = "fast"
    exact_paper: bool = False
    hand_model: bool = True
    descriptor: Descriptor = "codes"
    seed: int = 0


@dataclass(frozen=True, eq=False)
class Case:
    """A session that is being solved.

    Attributes:
        session: The session. Its labels and bone lengths may change meanwhile; those below do not.
        origin: The labels and bone lengths of the session when they were read, to be compared with others.
        sequence: Its frames.
        tree: Its skeleton with bone lengths.
        labels: Of each labelled frame, without what is not believed.
        doubts: What is in doubt of the labels, see `refiner.annotate.plausible.doubts`.
        offset_mm: (J,) depth of each joint below the surface.
        options: How to solve.
        on_progress: See `refiner.annotate.stages.solve.solve`.
    """

    session: Session
    origin: Origin
    sequence: DepthSequence
    tree: Tree
    labels: dict[int, FrameLabels]
    doubts: list[LabelDoubt]
    offset_mm: NDArray[np.float64]
    options: Options
    on_progress: OnProgress

    @classmethod
    def of_session(cls, session: Session, options: Options, on_progress: OnProgress) -> Self:
        """Read a session: its labels and bone lengths of one revision.

        Raises:
            SolveError: It has no labels that are believed, or no bone lengths.
        """
        with session.reading():
            origin, bones_mm, found = session.origin, session.bones_mm, session.all_labels()
        usable, doubts = usable_labels(session, found)
        labels = {one.frame: one for one in usable if (one.flag > 0).any()}
        if not labels:
            raise SolveError(
                f"{session.path} has no labelled frame, wanted at least one. See `refiner annotate select` for which, "
                "and `refiner annotate import`."
            )
        if bones_mm is None:
            raise SolveError(
                f"{session.path} has no bone lengths, wanted one for each joint but the root. Estimate them from the "
                f"labels with `refiner annotate bones {session.path}`, or give them to `new` (--bones)."
            )
        sequence = DepthSequence.of_store(session.store, session.starts)
        tree, offset_mm = tree_of(session.skeleton, bones_mm), surface_offset_mm(session.skeleton)
        return cls(session, origin, sequence, tree, labels, doubts, offset_mm, options, on_progress)

    @property
    def labelled(self) -> NDArray[np.int64]:
        """Give the labelled frames, in order."""
        return np.array(sorted(self.labels), dtype=np.int64)

    @property
    def common(self) -> object:
        """Give what all frames are made from, for keys (see `refiner.annotate.stages.changes`)."""
        return METHOD, asdict(self.options), self.tree.length_mm.tolist()

    @property
    def knows_hand(self) -> bool:
        """Say whether a hand of known shape may be laid upon what is seen."""
        is_hand = self.session.skeleton.joints == HAND21.joints
        return is_hand and self.options.hand_model and not self.options.exact_paper

    @cached_property
    def likeness(self) -> tuple[CosineDistances, NDArray[np.int64]]:
        """Give how unlike frames are, and the labelled frame most like each (N,)."""

        def on_update(done: int, of: int) -> None:
            if done % max(1, of // 100) == 0 or done == of:
                self.on_progress("likeness", done, of)

        distances = distances_of(self.session, self.options.descriptor, self.options.seed, on_update)
        return distances, nearest_references(distances, self.labelled.tolist())

    def before(self, stage: str, before: str) -> StageResult:
        """Give what a stage starts from.

        Raises:
            SolveError: It is not solved, or not of the labels and bone lengths that are being solved.
        """
        result, stale = self.session.result(before), self.session.stale(before, self.origin)
        if result is None or stale:
            found = f"is out of date: {stale}" if stale else "is not solved"
            raise SolveError(
                f"The stage {stage} starts from {before}, which {found}. Solve that one first: `refiner annotate solve "
                f"{self.session.path} --stages {before},{stage}`."
            )
        return result

    def earlier(
        self, stage: str, keys: NDArray[np.uint64], name: str = "key"
    ) -> tuple[NDArray[np.bool_], StageResult | None]:
        """Give which frames (N,) an earlier result of a stage holds already, by its keys of a name, and the result."""
        result = self.session.result(stage)
        return unchanged(keys, None if result is None else result.numbers.get(name)), result

    def known_hand(self, lifted: StageResult | None) -> Anatomy | None:
        """Give the hand that a lift found, as long as it stands for the labels there are."""
        hand = None if lifted is None else lifted.info.get("hand")
        if hand is None or not self.knows_hand or hand["bones_mm"] != self.tree.length_mm.tolist():
            return None
        if len(self.labels) >= MORE_HANDS * hand["frames"]:
            return None
        return Anatomy.of_shape(hand["side"], hand["shape"], hand["residual_mm"])
