"""What the solver reads of depth maps: the surface with its gaps filled, and how far outside the silhouette one is."""

from collections.abc import Sequence

import cv2
import numba
import numpy as np
from numpy.typing import NDArray

from refiner.annotate.sessions.labels import FrameLabels
from refiner.annotate.solver.costs import depth_at, reading_distance
from refiner.annotate.solver.terms import OUTSIDE_STEPS, Terms
from refiner.geometry.camera import unproject
from refiner.threads import map_frames

POINTS = 320
"""Places on the surface that are compared with the bones, of a frame."""

LEAST_SIZE_MM = 5.0
"""Half the thickness of a fingertip: no joint is thinner."""

_SPECK_PX = 12
"""Islands of fewer readings are noise and not hand."""


def fill_gaps(depth: NDArray[np.uint16]) -> tuple[NDArray[np.uint16], NDArray[np.uint8]]:
    """Continue each map's nearest reading over pixels without one, and take the median of 3 x 3.

    Args:
        depth: (N, H, W), 0 = no reading.

    Returns:
        The surface (N, H, W), all 0 in a map without readings, and the distance to the nearest reading in quarters of
        a pixel (see `refiner.annotate.solver.terms.Terms`).
    """
    surface, outside = np.zeros_like(depth), np.full(depth.shape, 255, dtype=np.uint8)
    map_frames(_fill_gaps, depth, surface, outside)
    return surface, outside


def _fill_gaps(depth: NDArray[np.uint16], surface: NDArray[np.uint16], outside: NDArray[np.uint8]) -> None:
    mask = (depth > 0).astype(np.uint8)
    count, islands, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
    small = np.flatnonzero(stats[:, cv2.CC_STAT_AREA] < _SPECK_PX)
    if len(small) < count - 1:  # never remove all there is
        mask[np.isin(islands, small)] = 0
    if not mask.any():
        return
    distance, labels = cv2.distanceTransformWithLabels(
        1 - mask, cv2.DIST_L2, cv2.DIST_MASK_5, labelType=cv2.DIST_LABEL_PIXEL
    )
    rows, columns = np.nonzero(mask)
    nearest = np.asarray(labels, dtype=np.int64)
    value_of = np.zeros(nearest.max() + 1, dtype=np.uint16)
    value_of[nearest[rows, columns]] = depth[rows, columns]
    surface[:] = cv2.medianBlur(value_of[nearest], 3)
    outside[:] = np.minimum(np.round(distance * OUTSIDE_STEPS), 255)


def terms_of(
    depth: NDArray[np.uint16],
    depth_unit_mm: float,
    camera: NDArray[np.float64],
    offset_mm: NDArray[np.float64],
    clicks: Sequence[FrameLabels | None] | None = None,
    visible: NDArray[np.bool_] | None = None,
) -> Terms:
    """Gather the data of some frames; nothing of appearance yet (see `Terms._replace`).

    Args:
        depth: (N, H, W), 0 = no reading.
        depth_unit_mm: Of `depth`.
        camera: (N, 4).
        offset_mm: (J,) or (N, J) depth of each joint below the surface.
        clicks: Labels of each frame, none where nobody clicked.
        visible: (N, J) which joints are seen; without it those clicked as visible.
    """
    frames, joints = len(depth), offset_mm.shape[-1]
    surface, outside = fill_gaps(depth)
    offset_mm = np.broadcast_to(offset_mm, (frames, joints)).astype(np.float64, order="C")
    uv_px, click = np.zeros((frames, joints, 2)), np.zeros((frames, joints), dtype=np.int8)
    pairs: list[tuple[int, int]] = []
    start = np.zeros(frames + 1, dtype=np.int64)
    for n, labels in enumerate(clicks or [None] * frames):
        if labels is not None:
            click[n] = labels.flag
            uv_px[n] = np.where(labels.flag[:, None] > 0, labels.uv_px, 0.0)
            pairs += labels.nearer
        start[n + 1] = len(pairs)
    terms = Terms(
        camera=np.ascontiguousarray(camera, dtype=np.float64),
        surface=surface,
        surface_unit_mm=float(depth_unit_mm),
        outside=outside,
        click_uv_px=uv_px,
        click=click,
        lost=np.zeros((frames, joints), dtype=bool),
        visible=click == 2 if visible is None else np.ascontiguousarray(visible),
        offset_mm=offset_mm,
        size_mm=np.maximum(offset_mm, LEAST_SIZE_MM),
        range_mm=np.tile([-np.inf, np.inf], (frames, joints, 1)),
        pair_start=start,
        pairs=np.array(pairs, dtype=np.int64).reshape(-1, 2),
        unlike=np.zeros((frames, joints, 0, 0), dtype=np.uint16),
        unlike_uv_px=np.full((frames, joints, 2), -1, dtype=np.int64),
        anchor_mm=np.zeros((frames, joints, 3)),
        point_bone=np.full((frames, 0), -1, dtype=np.int64),
        point_share=np.zeros((frames, 0)),
        point_mm=np.zeros((frames, 0, 3)),
        point_normal=np.zeros((frames, 0, 3)),
    )
    for n, k in zip(*np.nonzero(click), strict=True):
        terms.lost[n, k] = _is_lost(terms, n, k, *uv_px[n, k])
    return terms


@numba.njit(nogil=True, cache=True)
def _is_lost(terms, n, k, u, v):
    """Return whether a click has no reading within the joint's own size, taken at the depth of the nearest reading."""
    z = depth_at(terms.surface[n], terms.surface_unit_mm, u, v)[0] + terms.offset_mm[n, k]
    size_mm = terms.size_mm[n, k] if terms.click[n, k] == 2 else LEAST_SIZE_MM
    reach = max(size_mm * terms.camera[n, 0] / max(z, 1.0), 1.0)
    return reading_distance(terms, n, u, v)[0] > reach


def seen_points(
    depth: NDArray[np.uint16], depth_unit_mm: float, camera: NDArray[np.float64], most: int = POINTS
) -> NDArray[np.float64]:
    """Take readings of a map evenly, (M, 3) mm, M <= most."""
    rows, columns = np.nonzero(depth)
    step = max(1, int(np.ceil(np.sqrt(len(rows) / most))))
    kept = (rows % step == step // 2) & (columns % step == step // 2)
    rows, columns = rows[kept][:most], columns[kept][:most]
    return unproject(np.stack([columns, rows], axis=1), depth[rows, columns] * depth_unit_mm, camera)
