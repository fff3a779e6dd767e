"""Active stereo as RealSense D400 cameras do it: depth from the disparity of two images of a projected texture.

What is modelled, in the order of the computation. Optics:

1. Blind side. What the second imager does not see fails the left-right check and has no reading: a band beside nearer
   things, on the side away from the second imager (`refiner.sensors.models.matching`).
2. Fattening. A block is matched at one disparity, and a nearer surface, whose texture is stronger, wins before it
   fills half of the block: outlines grow by a part of the block's radius ("Fattening free block matching", Journal of
   Mathematical Imaging and Vision, 2011, doi 10.1007/s10851-011-0268-0). The share that it needs is assumed, and so is
   the block: the D400's is not published, the R200 before it matched 7 x 7 px (Keselman et al., CVPR workshops 2017).
   Elsewhere a reading is the mean disparity of what lies in its block within a pixel of disparity, and there is none
   where that is too little.

Noise:

3. Disparity noise, alike over about a block, of 0.08 px RMS, so that depth strays by 0.08 px z^2 / (f b)
   (A. Grunnet-Jepsen, Intel, librealsense #3904).
4. Pixel locking: sub-pixel estimates lean towards whole pixels, as the sine of the disparity (Shimizu and Okutomi,
   "Sub-pixel estimation error cancellation on area-based matching", IJCV 2005), then rounding to whole steps.
5. Steep surfaces break blocks, and readings fade out between two angles; blocks without texture fail as a whole, in
   blots of about a block's size. Angles and share are assumed.
"""

import math
from dataclasses import dataclass

import numba
import numpy as np
from scipy.special import ndtri

from refiner.sensors.models.matching import (
    Map,
    constant_of,
    depth_without_noise,
    foremost,
    look,
    lost_to_tilt,
    match,
)  # fmt: skip
from refiner.sensors.random_field import node_rows, noise_key, reach, smooth_noise, uniform

_DISPARITY, _GRAZING, _BLOTS = 21, 22, 23


@dataclass(frozen=True)
class ActiveStereo:
    """Two imagers beside each other, and a projector of texture.

    Attributes:
        baseline_mm: Place of the second imager on the camera's x axis. At +50 what is hidden from it lies to the left
            of nearer things.
        subpixels: Steps of disparity in a pixel.
        window_px: Side of the blocks that are matched, px; odd.
        front_share: Share of a block that a nearer surface needs to win it; below a half outlines grow.
        support: Share of a block that must lie on one surface.
        disparity_px: Standard deviation of the disparity.
        locking_px: Greatest pull of the disparity towards whole pixels.
        grazing_deg: Tilt at which readings begin to fail, and at which none is left.
        blot_share: Share of the surface that fails in blots.
    """

    baseline_mm: float = 50.0
    subpixels: int = 32
    window_px: int = 7
    front_share: float = 0.3
    support: float = 0.3
    disparity_px: float = 0.08
    locking_px: float = 0.04
    grazing_deg: tuple[float, float] = (65.0, 80.0)
    blot_share: float = 0.01

    def __post_init__(self) -> None:
        """Refuse settings that make no sensor."""
        low, high = self.grazing_deg
        if (
            self.baseline_mm == 0
            or min(self.subpixels, self.window_px) < 1
            or self.window_px % 2 == 0
            or min(self.disparity_px, self.locking_px) < 0
            or not 0 < self.front_share <= 1
            or not 0 <= self.support <= 1
            or not 0 <= low < high <= 90
            or not 0 <= self.blot_share < 1
        ):
            raise ValueError(
                f"No active-stereo sensor: {self}; wanted two imagers apart, whole numbers >= 1, an odd window, "
                "deviations >= 0, shares in [0, 1] and angles 0 <= from < to <= 90."
            )

    @property
    def margin_px(self) -> int:
        """Pixels around a silhouette that readings may spread to."""
        return self.window_px // 2


@numba.njit(nogil=True, cache=True)
def _match(disparity, low, high, rim, radius, fx, fy, steep_from, steep_to, front_share, support, matched, lost):
    """Write what the blocks show; see `refiner.sensors.models.matching.look`."""
    tan_from = math.tan(steep_from)
    for v in range(len(low)):
        y = v + rim
        for x in range(low[v] + rim, high[v] + 1 + rim):
            d = disparity[y, x]
            if d < 0.0:
                continue
            front = foremost(disparity, y, x, radius, 1)
            if front > d + np.float32(1.0):
                share, mean = match(disparity, y, x, radius, front)
                if share >= front_share:
                    matched[v, x - rim] = mean
                    continue
            if d == 0.0:
                continue
            share, mean = match(disparity, y, x, radius, d)
            if share < support:
                continue
            lost[v, x - rim] = lost_to_tilt(disparity, y, x, fx, fy, tan_from, steep_from, steep_to)
            matched[v, x - rim] = mean


@numba.njit(nogil=True, cache=True)
def _noise(
    depth, matched, lost, constant, u0, v0, seed, item, subpixels, disparity_px, locking_px, cell, blots_from, margin,
    out,
):  # fmt: skip
    rows, columns = depth.shape
    low, high = np.empty(rows, dtype=np.int64), np.empty(rows, dtype=np.int64)
    reach(depth, margin, low, high)
    key_stray, key_fading = noise_key(seed, item, _DISPARITY), noise_key(seed, item, _GRAZING)
    key_blots = noise_key(seed, item, _BLOTS)
    nodes_stray, nodes_blots = node_rows(columns, cell), node_rows(columns, cell)
    stray, blots = np.empty(columns, np.float32), np.empty(columns, np.float32)
    out[:] = 0.0
    for v in range(rows):
        if low[v] > high[v]:
            continue
        smooth_noise(key_stray, u0, v0 + v, cell, nodes_stray, stray)
        smooth_noise(key_blots, u0, v0 + v, cell, nodes_blots, blots)
        for u in range(low[v], high[v] + 1):
            d = matched[v, u]
            if d <= 0.0 or blots[u] > blots_from:
                continue
            if lost[v, u] > 0.0 and uniform(key_fading, (u0 + u) // 3, (v0 + v) // 3) < lost[v, u]:
                continue
            measured = d + disparity_px * stray[u] - locking_px * math.sin(2.0 * math.pi * d)
            steps = math.floor(measured * subpixels + 0.5)
            out[v, u] = constant * subpixels / max(steps, 1.0)


def _look(depth_mm: Map, focal_px: tuple[float, float], sensor: ActiveStereo) -> tuple[Map, Map]:
    return look(_match, depth_mm, focal_px, sensor, sensor.margin_px, sensor.front_share, sensor.support)


def optics(depth_mm: Map, focal_px: tuple[float, float], sensor: ActiveStereo) -> Map:
    """Return a blind side and outlines that grow, without steps; see `refiner.sensors.sense.optics`."""
    return depth_without_noise(*_look(depth_mm, focal_px, sensor), constant_of(focal_px, sensor))


def sense(
    depth_mm: Map, focal_px: tuple[float, float], sensor: ActiveStereo, seed: int, item: int,
    origin: tuple[int, int], out: Map,
) -> None:  # fmt: skip
    """Write readings; see `refiner.sensors.sense.sense`."""
    matched, lost = _look(depth_mm, focal_px, sensor)
    blots_from = float(ndtri(1 - sensor.blot_share)) if sensor.blot_share > 0 else math.inf
    _noise(
        depth_mm, matched, lost, constant_of(focal_px, sensor), origin[0], origin[1], seed, item,
        float(sensor.subpixels), sensor.disparity_px, sensor.locking_px, sensor.window_px, blots_from,
        sensor.margin_px, out,
    )  # fmt: skip
