"""What the costs of joints are made of: their weights, and the data that they compare with."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

NCC_STEPS = 20_000.0
"""The map of 1 - NCC is stored in steps of 1 / NCC_STEPS."""

OUTSIDE_STEPS = 4.0
"""Distances to the silhouette are stored in quarters of a pixel."""


class Weights(NamedTuple):
    """Deviations and bounds of the terms.

    Attributes:
        visible_click_px: Deviation of a click on a visible joint.
        occluded_click_px: Of one on a joint that is guessed behind something.
        depth_mm: Deviation of the bounds of the depth of all joints and of visible ones.
        occluded_mm: Of the bound of joints that a person calls hidden.
        hidden_mm: How far behind D + offset these lie at least; 0 is the paper's z > D. More costs much where the flag
            is wrong, and gains nothing where it is right (`experiments/annotation_flags.py`).
        eps_mm: The paper's eps, depth of the range behind the surface in which visible joints lie.
        pull_mm: Deviation of the pull of visible joints to D + offset.
        nearer_mm: Least difference of depth that "nearer" means; the paper's code has 10.
        nearer_sigma_mm: Deviation of that bound.
        outside_px: Deviation of the distance to the silhouette; 0 leaves the term out.
        range_mm: Deviation of `Terms.range_mm`; 0 leaves the term out.
        appearance: Cost of a likeness of 0 beside one of 1, growing in proportion to the unlikeness.
        appearance_square: Likewise, growing with its square as in the paper.
        anchor_mm: Deviation from where a joint is expected; 0 leaves the term out.
        points_mm: Deviation of seen points from the hand's skin along its normal, rho(r) = r^2 / (1 + r^2 / 9) (Geman
            and McClure); 0 leaves the term out.
        smooth_mm: Deviation of a joint's way between neighbouring frames; 0 leaves the term out.
        smooth_knee: From how many deviations on that cost goes on straight.
    """

    visible_click_px: float = 1.0
    occluded_click_px: float = 1.5
    depth_mm: float = 2.0
    occluded_mm: float = 2.0
    hidden_mm: float = 0.0
    eps_mm: float = 15.0
    pull_mm: float = 4.0
    nearer_mm: float = 10.0
    nearer_sigma_mm: float = 0.3
    outside_px: float = 1.0
    range_mm: float = 0.0
    appearance: float = 0.0
    appearance_square: float = 0.0
    anchor_mm: float = 0.0
    points_mm: float = 0.0
    smooth_mm: float = 0.0
    smooth_knee: float = np.inf


class Terms(NamedTuple):
    """The data that the terms compare with, of N frames of J joints.

    Attributes:
        camera: (N, 4) fx fy cx cy of each map, px.
        surface: (N, H, W) uint16 depth with filled gaps, in `surface_unit_mm`; 0 in a frame without any reading.
        surface_unit_mm: See above.
        outside: (N, H, W) uint8 distance to the nearest reading, in quarters of a pixel.
        click_uv_px: (N, J, 2); read where `click` is not 0.
        click: (N, J) int8: 0 nobody clicked, 1 occluded, 2 visible.
        lost: (N, J) joints that are known to be where readings are lost: the map tells nothing of them.
        visible: (N, J) whether the upper bound of the depth holds.
        offset_mm: (N, J) depth of each joint below the surface.
        size_mm: (N, J) half the thickness of each joint; farther from a reading than this, D is unknown.
        range_mm: (N, J, 2) least and greatest depth, -inf and inf where there is none; read where `Weights.range_mm` is
            not 0.
        pair_start: (N + 1,) where each frame's pairs begin.
        pairs: (M, 2) joints, the first nearer than the second.
        unlike: (N, J, S, S) uint16, 1 - NCC around `unlike_uv_px` in steps of 1 / `NCC_STEPS`; S odd, 0 if unused.
        unlike_uv_px: (N, J, 2) int64 pixel of the middle of each window, -1 where there is none.
        anchor_mm: (N, J, 3) where joints are expected; read where `Weights.anchor_mm` is not 0.
        point_bone: (N, M) bone, by its outer joint, that each of M points belongs to; -1 where there are fewer.
        point_share: (N, M) where along the bone, 0 at the parent.
        point_mm: (N, M, 3) where that place of the bone should be (see `refiner.annotate.solver.anatomy`).
        point_normal: (N, M, 3) unit direction in which it matters.
    """

    camera: NDArray[np.float64]
    surface: NDArray[np.uint16]
    surface_unit_mm: float
    outside: NDArray[np.uint8]
    click_uv_px: NDArray[np.float64]
    click: NDArray[np.int8]
    lost: NDArray[np.bool_]
    visible: NDArray[np.bool_]
    offset_mm: NDArray[np.float64]
    size_mm: NDArray[np.float64]
    range_mm: NDArray[np.float64]
    pair_start: NDArray[np.int64]
    pairs: NDArray[np.int64]
    unlike: NDArray[np.uint16]
    unlike_uv_px: NDArray[np.int64]
    anchor_mm: NDArray[np.float64]
    point_bone: NDArray[np.int64]
    point_share: NDArray[np.float64]
    point_mm: NDArray[np.float64]
    point_normal: NDArray[np.float64]
