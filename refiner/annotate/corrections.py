"""What a person who knows the truth would correct, and what becomes of it when they do.

Oberweger et al. 2016 count the joints that their annotator moved: 133 in 79 of 3,040 frames, 0.18 % of all. Their code
moves a joint that lies more than 10 px of its crop (17 mm) off in the image, and labels the whole frame anew; the frame
is a reference from then on, and mends those that are solved from it. So what is counted is not how many joints are off
in the end: it is how many had to be moved until none was. Here a person looks when the sequence is solved, mends the
middle frame of every bad spell, and has it solved again.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from refiner.annotate.sessions.session import Session
from refiner.annotate.simulate import labels_of_truth
from refiner.annotate.stages.case import OnProgress, Options
from refiner.annotate.stages.solve import solve
from refiner.datasets.store import DepthStore

NEAR_MM, FAR_MM = 10.0, 17.0
"""Joints farther off than these are counted; frames with one beyond the second are corrected."""

APART = 10
"""Bad frames that lie nearer to one another are one spell, whose middle may mend them all."""

Measure = Literal["image", "space"]

_DEFAULT = Options()


@dataclass(frozen=True)
class Corrections:
    """Joints that are off in frames without labels.

    Attributes:
        near: How many are more than 10 mm off in space.
        far: More than 17 mm.
        far_in_image: More than 17 mm as the camera sees it.
        joints: How many there are in all frames.
        frames: Frames to correct next, one of each bad spell.
        moved: How many joints of these frames are more than 17 mm off by the measure that was asked for.
    """

    near: int
    far: int
    far_in_image: int
    joints: int
    frames: list[int]
    moved: int


@dataclass(frozen=True)
class Corrected:
    """Where a person is after a solve.

    Attributes:
        joints: How many they moved before it.
        frames: In how many frames.
        left: What is off now.
    """

    joints: int
    frames: int
    left: Corrections


def corrections(
    joints_mm: NDArray[np.floating],
    truth_mm: NDArray[np.floating],
    labelled: Iterable[int],
    measure: Measure = "image",
    apart: int = APART,
) -> Corrections:
    """Count the joints that are too far from the truth, in frames that nobody labelled.

    Args:
        joints_mm: (N, J, 3) what was solved; NaN where nothing is known.
        truth_mm: (N, J, 3).
        labelled: Frames that are right as they are.
        measure: Whether a frame is corrected for what is off in the image, as the authors' code does, or in space.
        apart: Bad frames that lie nearer to one another are one spell.
    """
    joints_mm, truth_mm = joints_mm.astype(np.float64), truth_mm.astype(np.float64)
    across_mm = (joints_mm[..., :2] / joints_mm[..., 2:] - truth_mm[..., :2] / truth_mm[..., 2:]) * truth_mm[..., 2:]
    by = {"space": np.linalg.norm(joints_mm - truth_mm, axis=-1), "image": np.linalg.norm(across_mm, axis=-1)}
    for off_mm in by.values():
        off_mm[list(labelled)] = 0.0
        np.nan_to_num(off_mm, copy=False)
    bad = by[measure] > FAR_MM
    off_frames = np.flatnonzero(bad.any(axis=1))
    spells = np.split(off_frames, np.flatnonzero(np.diff(off_frames) >= apart) + 1)
    frames = [int(spell[len(spell) // 2]) for spell in spells if len(spell)]
    return Corrections(
        int((by["space"] > NEAR_MM).sum()), int((by["space"] > FAR_MM).sum()), int((by["image"] > FAR_MM).sum()),
        bad.size, frames, int(bad[frames].sum()),
    )  # fmt: skip


def correct(
    session: Session,
    truth: DepthStore,
    rounds: int,
    noise_px: float = 0.0,
    seed: int = 0,
    options: Options = _DEFAULT,
    measure: Measure = "image",
    on_progress: OnProgress = lambda stage, done, of: None,  # noqa: ARG005
) -> Iterator[Corrected]:
    """Solve and correct in turn, until nothing is left to correct, and give after each solve where that is.

    Args:
        session: With labels and bone lengths.
        truth: The same frames with true joints.
        rounds: Of corrections at most. It begins and ends with a solve, which is one more.
        noise_px: Deviation of each click.
        seed: Of the noise.
        options: Of the solver.
        measure: As for `corrections`.
        on_progress: As for `refiner.annotate.stages.solve.solve`.
    """
    truth_mm = truth.read("joints_mm")
    joints = frames = 0
    for count in range(rounds + 1):
        solve(session, options=options, on_progress=on_progress)
        result = session.result("optimize")
        assert result is not None  # it was solved above
        left = corrections(result.joints_mm, truth_mm, session.labelled_frames(), measure)
        yield Corrected(joints, frames, left)
        if not left.frames or count == rounds:
            break
        session.put_labels(labels_of_truth(truth, left.frames, noise_px, seed), "simulated", "corrections")
        joints, frames = joints + left.moved, frames + len(left.frames)
