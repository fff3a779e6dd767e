"""How long the bones of a hand are, told from labels and depth alone, and how sure that is.

Where both ends of a bone are seen, a click and the depth at it give each end in 3D, and with them its length. A bone
that lies flat in the image hardly depends on the depth; so flat ones count most: the flat hand that Oberweger et al.
2016 measure is the best case of it. A length is the weighted median over all labelled frames, since bones are the same
in all of them. A bone that was never seen whole has the length that the hand model's proportions give it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from refiner.annotate.plausible.bones import lengths_and_weights, weighted_median
from refiner.annotate.plausible.doubts import usable_labels
from refiner.annotate.plausible.facts import usual_lengths_mm
from refiner.annotate.sessions.labels import VISIBLE, FrameLabels
from refiner.annotate.sessions.session import Session
from refiner.annotate.sessions.truth import surface_offset_mm
from refiner.annotate.solver.costs import depth_at
from refiner.annotate.solver.surface import fill_gaps
from refiner.errors import SolveError
from refiner.geometry.camera import unproject
from refiner.hand.skeleton import HAND21, Skeleton

Floats = NDArray[np.float64]

GUESS_SPREAD = 0.15
"""Spread of a length that is guessed from proportions, as a share of it: fingers of hands vary so."""
FLOOR_MM = 1.0
"""No length is surer than this: joints lie at other depths below the skin than the model's."""


@dataclass(frozen=True, eq=False)
class BoneEstimate:
    """Bone lengths, from each joint to its parent; NaN at the root.

    Attributes:
        lengths_mm: (J,).
        spread_mm: (J,) give or take: standard error of the median.
        samples: (J,) in how many frames both ends were seen.
    """

    lengths_mm: Floats
    spread_mm: Floats
    samples: NDArray[np.int64]

    @property
    def guessed(self) -> NDArray[np.bool_]:
        """Say which lengths come from proportions alone."""
        return (self.samples == 0) & np.isfinite(self.lengths_mm)


def estimate_bones(session: Session) -> BoneEstimate:
    """Estimate the lengths from all labelled frames of a session.

    Raises:
        SolveError: There are no labels, none is believed, or they never show a bone whole and the skeleton has no known
            proportions.
    """
    labels, _ = usable_labels(session, session.all_labels(), with_depth=True)
    if not labels:
        raise SolveError(
            f"{session.path} has no labelled frame, wanted some in which bones lie flat in the image. See `refiner "
            "annotate select` for which, and `refiner annotate import`."
        )
    depth = np.stack([session.store.read("depth", one.frame, one.frame + 1)[0] for one in labels])
    cameras = session.cameras[[one.frame for one in labels]]
    return bones_from_labels(labels, depth, session.store.depth_unit_mm, cameras, session.skeleton)


def bones_from_labels(
    labels: Sequence[FrameLabels],
    depth: NDArray[np.uint16],
    depth_unit_mm: float,
    cameras: Floats,
    skeleton: Skeleton,
) -> BoneEstimate:
    """Estimate the lengths of bones.

    Args:
        labels: Of N frames.
        depth: (N, H, W) of these frames, 0 = no reading.
        depth_unit_mm: Of `depth`.
        cameras: (N, 4) fx fy cx cy.
        skeleton: Names and tree of the joints.

    Raises:
        SolveError: A bone is never seen whole, and the skeleton has no known proportions.
    """
    surfaces, _ = fill_gaps(depth)
    offset_mm = surface_offset_mm(skeleton)
    points = np.stack([
        _points(one, surface, depth_unit_mm, camera, offset_mm)
        for one, surface, camera in zip(labels, surfaces, cameras, strict=True)
    ])  # fmt: skip
    lengths, spread = np.full(len(skeleton), np.nan), np.full(len(skeleton), np.nan)
    samples = np.zeros(len(skeleton), dtype=np.int64)
    for parent, child in skeleton.bones:
        length, weight = lengths_and_weights(points[:, child] - points[:, parent])
        counts = weight > 0
        samples[child] = counts.sum()
        if counts.any():
            lengths[child], spread[child] = median_with_error(length[counts], weight[counts])
    return _with_guesses(BoneEstimate(lengths, spread, samples), skeleton)


def median_with_error(values: Floats, weights: Floats) -> tuple[float, float]:
    """Return the weighted median of values (M,), and how far off it may be: its standard error, were they normal."""
    middle = weighted_median(values, weights)
    deviation = 1.4826 * weighted_median(np.abs(values - middle), weights)
    independent = weights.sum() ** 2 / (weights**2).sum()
    if len(values) == 1:
        deviation = GUESS_SPREAD * middle
    return middle, float(np.hypot(1.2533 * deviation / np.sqrt(independent), FLOOR_MM))


def _points(
    labels: FrameLabels, surface: NDArray[np.uint16], unit_mm: float, camera: Floats, offset_mm: Floats
) -> Floats:
    """Give the visible joints of a frame in 3D (J, 3), NaN where there is no telling."""
    points = np.full((len(offset_mm), 3), np.nan)
    for joint in np.flatnonzero(np.asarray(labels.flag) == VISIBLE):
        u, v = labels.uv_px[joint]
        over, _, _ = depth_at(surface, unit_mm, u, v)
        if over > 0:
            points[joint] = unproject(np.array([[u, v]]), np.array([over + offset_mm[joint]]), camera)[0]
    return points


def _with_guesses(known: BoneEstimate, skeleton: Skeleton) -> BoneEstimate:
    children = [child for _, child in skeleton.bones]
    unseen = [child for child in children if known.samples[child] == 0]
    if not unseen:
        return known
    names = ", ".join(skeleton.joints[child] for child in unseen)
    if skeleton.joints != HAND21.joints or len(unseen) == len(children):
        raise SolveError(
            f"Found no labelled frame that shows these joints together with their parents: {names}; wanted one of "
            "each bone at least. Label a frame of the flat hand, or give the lengths (`refiner annotate new --bones`)."
        )
    usual = usual_lengths_mm()
    seen = [child for child in children if known.samples[child] > 0]
    scale = float(np.median(known.lengths_mm[seen] / usual[seen]))
    lengths, spread = known.lengths_mm.copy(), known.spread_mm.copy()
    lengths[unseen], spread[unseen] = scale * usual[unseen], GUESS_SPREAD * scale * usual[unseen]
    return BoneEstimate(lengths, spread, known.samples)
