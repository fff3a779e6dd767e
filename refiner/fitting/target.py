"""What a depth map asks of a hand: the readings it must explain, and where no hand may be."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from refiner.datasets.inspection import spread_items
from refiner.geometry.camera import unproject
from refiner.geometry.crop import seen_pixels

POINTS = 450
"""Readings of a map that the hand is laid on at most: more tell nothing new at 64 px."""
SMOOTH_MM = 8.0
"""Deviation over which surfaces are compared: half a finger's width."""


@dataclass(frozen=True, eq=False)
class Target:
    """One map, with what is looked up in it again and again; arrays are C-contiguous.

    Attributes:
        depth_mm: (H, W), 0 = no reading.
        camera: fx fy cx cy of the map, px.
        seen: (H, W), whether the recorded image covers the pixel; beyond it nothing is known.
        nearest_px: (H, W, 2), column and row of the nearest pixel of the silhouette, whose gaps of a pixel are closed.
        near_mm: Depth of the cube's front.
        far_mm: Depth of its back.
        points_mm: (n, 3), readings in the camera frame.
        points_px: (n, 2), their columns and rows.
        window_px: See `refiner.sensors.window.close_slits`.
    """

    depth_mm: NDArray[np.float32]
    camera: NDArray[np.float64]
    seen: NDArray[np.bool_]
    nearest_px: NDArray[np.float64]
    near_mm: float
    far_mm: float
    points_mm: NDArray[np.float64]
    points_px: NDArray[np.float64]
    window_px: int = 1

    @property
    def smooth_px(self) -> float:
        """Give the deviation, in pixels, over which surfaces are compared (`refiner.fitting.equations.surface_mm`)."""
        return SMOOTH_MM * float(self.camera[0]) * 2 / (self.near_mm + self.far_mm)


def target_of(
    depth_mm: NDArray[np.float32],
    camera: ArrayLike,
    centre_mm: ArrayLike,
    cube_mm: float,
    image_px: ArrayLike | None = None,
    points: int = POINTS,
    window_px: int = 1,
) -> Target | None:
    """Prepare a map; none where it has no reading.

    Args:
        depth_mm: (H, H), 0 = no reading.
        camera: fx fy cx cy of the map, px.
        centre_mm: (3,), centre of its cube.
        cube_mm: Side of the cube.
        image_px: See `refiner.geometry.crop.seen_pixels`.
        points: Readings that are looked at, at most, evenly spread.
        window_px: Of the camera: slits that are narrower are closed in the hands that are laid on the map, too.
    """
    mask = depth_mm > 0
    rows, columns = np.nonzero(mask)
    if len(rows) == 0:
        return None
    silhouette = cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_CLOSE, np.ones((3, 3), np.uint8))
    labels = np.asarray(
        cv2.distanceTransformWithLabels(1 - silhouette, cv2.DIST_L2, cv2.DIST_MASK_5, labelType=cv2.DIST_LABEL_PIXEL)[
            1
        ],
        dtype=np.int64,
    )
    inside = np.nonzero(silhouette)
    place = np.zeros((int(labels.max()) + 1, 2))
    place[labels[inside]] = np.stack(inside[::-1], axis=1)
    chosen = spread_items(len(rows), points)
    points_px = np.stack([columns[chosen], rows[chosen]], axis=1).astype(np.float64)
    z = float(np.asarray(centre_mm)[2])
    return Target(
        np.ascontiguousarray(depth_mm, dtype=np.float32),
        np.array(camera, dtype=np.float64),
        seen_pixels(image_px, len(depth_mm)),
        np.ascontiguousarray(place[labels]),
        z - cube_mm / 2,
        z + cube_mm / 2,
        unproject(points_px, depth_mm[rows[chosen], columns[chosen]], np.asarray(camera)),
        points_px,
        window_px,
    )
