"""What a depth map says of the clicks upon it: how far readings are, and between which depths each joint must lie."""

from dataclasses import dataclass
from typing import Self

import cv2
import numpy as np
from numpy.typing import NDArray

from refiner.annotate.plausible.facts import HandFacts
from refiner.annotate.sessions.labels import ABSENT, VISIBLE, FrameLabels

Floats = NDArray[np.float64]

CLICK_PX = 3.0
"""Deviation of a hurried click; the noisiest that Oberweger et al. 2016 tried."""
REACH_PX = (6, 2)
"""Readings around a click are looked at so far: two deviations of a hurried click, and as many of a careful one."""
ASTRAY_PX = 2.5 * CLICK_PX
"""Of twenty thousand hurried clicks on rendered hands none lies farther from the hand than a joint's size and this."""
BEHIND_MM = 15.0
"""A visible joint lies at most so much farther behind the surface than its offset: the paper's eps."""
_NEAREST_PERCENT = 1.0
"""Percentile of a map's readings that counts as its nearest."""


@dataclass(frozen=True, eq=False)
class View:
    """The clicks of one frame and what its map says of them; NaN where a joint is absent.

    Attributes:
        labels: The clicks.
        ray: (J, 3) of each click, depth 1.
        mm_per_px: Millimetres of a pixel at the hand's depth.
        away_mm: (J,) from each click to the nearest reading, in the image plane; infinite in an empty map.
        near_mm: (2, J) the nearest depth at which a joint can lie, if its click is a hurried one and if it is careful:
            that of the nearest reading around it, of the whole map where there is none around.
        far_mm: (2, J) the farthest depth of a visible joint with readings around; NaN otherwise.
        lifted_mm: (J, 3) place of each visible joint with a reading at its click; NaN otherwise.
    """

    labels: FrameLabels
    ray: Floats
    mm_per_px: float
    away_mm: Floats
    near_mm: Floats
    far_mm: Floats
    lifted_mm: Floats

    @classmethod
    def of(cls, labels: FrameLabels, depth_mm: NDArray[np.floating], camera: Floats, facts: HandFacts) -> Self:
        """Look at the clicks of a frame.

        Args:
            labels: The clicks, with their pixel centres at integers.
            depth_mm: (H, W), 0 = no reading.
            camera: (4,) fx fy cx cy.
            facts: Of the joints.
        """
        clicked, visible = labels.flag != ABSENT, labels.flag == VISIBLE
        ray = np.column_stack([(labels.uv_px - camera[2:]) / camera[:2], np.ones(len(labels.flag))])
        ray[~clicked] = np.nan
        readings = depth_mm[depth_mm > 0]
        if not len(readings):
            away_mm = np.where(clicked, np.inf, np.nan)
            unknown = np.full((2, len(clicked)), np.nan)
            return cls(labels, ray, np.nan, away_mm, unknown, unknown, np.full((len(clicked), 3), np.nan))
        mm_per_px = float(np.median(readings) / camera[0])
        near_mm, far_mm = np.full((2, 2, len(clicked)), np.nan)
        lifted_mm, nearest_mm = np.full((len(clicked), 3), np.nan), float(np.percentile(readings, _NEAREST_PERCENT))
        columns, rows, inside = pixels_of(labels.uv_px, depth_mm.shape)
        away_mm = np.where(inside, distance_px(depth_mm)[rows, columns] * mm_per_px, np.nan)
        for joint in np.flatnonzero(clicked):
            u, v = columns[joint], rows[joint]
            for care, reach in enumerate(REACH_PX):
                around = depth_mm[max(v - reach, 0) : v + reach + 1, max(u - reach, 0) : u + reach + 1]
                around = around[around > 0]
                near_mm[care, joint] = around.min() if len(around) else nearest_mm
                if visible[joint] and len(around):
                    far_mm[care, joint] = around.max() + facts.offset_mm[joint] + BEHIND_MM
            if visible[joint] and depth_mm[v, u] > 0:
                lifted_mm[joint] = ray[joint] * (depth_mm[v, u] + facts.offset_mm[joint])
        return cls(labels, ray, mm_per_px, np.where(clicked, away_mm, np.nan), near_mm, far_mm, lifted_mm)

    def astray(self, facts: HandFacts) -> NDArray[np.bool_]:
        """Return which visible clicks (J,) have no reading near: none within its size and a hurried click's error."""
        margin_mm = ASTRAY_PX * np.nan_to_num(self.mm_per_px)
        return (self.labels.flag == VISIBLE) & (self.away_mm > facts.size_mm + margin_mm)


def pixels_of(uv_px: Floats, shape: tuple[int, ...]) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]:
    """Return column and row (J,) of the pixel under each place (J, 2), and which are in the map; the others are 0."""
    pixel = np.round(np.nan_to_num(uv_px, nan=-9.0)).clip(-9, 1 << 30).astype(np.int64)
    inside = np.asarray(((pixel >= 0) & (pixel < shape[::-1])).all(axis=1))
    pixel[~inside] = 0
    return pixel[:, 0], pixel[:, 1], inside


def distance_px(depth_mm: NDArray[np.floating]) -> Floats:
    """Return the distance (H, W) from each pixel to the nearest reading."""
    missing = (depth_mm <= 0).astype(np.uint8)
    return cv2.distanceTransform(missing, cv2.DIST_L2, cv2.DIST_MASK_5).astype(np.float64)
