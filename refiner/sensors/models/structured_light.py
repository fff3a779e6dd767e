"""Structured light as the first Kinect does it: depth from the disparity of a projected pattern.

What is modelled, in the order of the computation. Optics:

1. Shadow. A point that the projector does not see has no reading (`refiner.sensors.models.matching`).
2. Correlation window of 9 x 9 px (Konolige and Mihelich, "Technical description of Kinect calibration", ROS 2011).
   A reading is the mean disparity of those in its window that lie within a pixel of disparity; where they are too few
   there is none, and where a nearer surface fills more than half of the window it wins: corners and thin parts shrink,
   gaps close, narrow shadows fill, relief flattens.

Noise:

3. Ragged edges. The place of a reading strays by 0.8 px, more than its depth does (Nguyen, Izadi, Lovell, "Modeling
   Kinect sensor noise for improved 3D reconstruction and tracking", 3DIMPVT 2012: sigma_L = 0.8 px on surfaces tilted
   by up to 60 degrees). Barron and Malik ("Intrinsic scene properties from a single RGB-D image", CVPR 2013) and
   Handa et al. (ICL-NUIM, ICRA 2014) shuffle each pixel for itself; here neighbours stray together, since they are
   matched in overlapping windows: edges get ragged in steps of some pixels, as camera maps show them, not dusty.
4. Grazing surfaces reflect too little: readings fade out between two angles (Nguyen et al. measured up to 82 degrees;
   Landau, Choo, Beling, "Simulating Kinect infrared and depth images", IEEE Trans. Cybernetics 2016, model the
   reflected light).
5. Disparity noise of a sixth of a step (Barron and Malik; Handa et al.), then rounding to steps of 1/8 px (Konolige and
   Mihelich): z = b f / d, so noise and step grow with z^2 (Khoshelham and Elberink, "Accuracy and resolution of Kinect
   depth data", Sensors 2012; they measure half a step where here the window smooths).
"""

import math
from dataclasses import dataclass

import numba
import numpy as np

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

_ACROSS, _DOWN, _DISPARITY, _GRAZING = 1, 2, 3, 4
_LARGEST = 7.0
"""No number of `smooth_noise` is larger."""


@dataclass(frozen=True)
class StructuredLight:
    """A projector beside a camera.

    Attributes:
        baseline_mm: Place of the projector on the camera's x axis. The first Kinect's is at +75, which puts shadows
            to the left of things; maps stored mirrored, as many are, show them on the right: -75.
        subpixels: Steps of disparity in a pixel.
        window_px: Side of the correlation window, px; odd.
        support: Share of the window that must lie on one surface.
        disparity_px: Standard deviation of the disparity.
        lateral_px: Standard deviation of a reading's place, along each axis.
        cell_px: Over so many pixels a reading's place is correlated; its disparity over half as many.
        grazing_deg: Tilt at which readings begin to fail, and at which none is left.
    """

    baseline_mm: float = 75.0
    subpixels: int = 8
    window_px: int = 9
    support: float = 0.25
    disparity_px: float = 1 / 6 / 8
    lateral_px: float = 0.8
    cell_px: int = 8
    grazing_deg: tuple[float, float] = (82.0, 89.0)

    def __post_init__(self) -> None:
        """Refuse settings that make no sensor."""
        low, high = self.grazing_deg
        if (
            self.baseline_mm == 0
            or min(self.subpixels, self.cell_px, self.window_px) < 1
            or self.window_px % 2 == 0
            or min(self.disparity_px, self.lateral_px) < 0
            or not 0 <= self.support <= 1
            or not 0 <= low < high <= 90
        ):
            raise ValueError(
                f"No structured-light sensor: {self}; wanted a projector beside the camera, whole numbers >= 1, an odd "
                "window, deviations >= 0, a support in [0, 1] and angles 0 <= from < to <= 90."
            )

    @property
    def margin_px(self) -> int:
        """Pixels around a silhouette that readings may spread to."""
        return math.ceil(3 * self.lateral_px)


@numba.njit(nogil=True, cache=True)
def _match(disparity, low, high, rim, radius, fx, fy, steep_from, steep_to, support, matched, lost):
    """Write what the windows show; see `refiner.sensors.models.matching.look`."""
    tan_from = math.tan(steep_from)
    for v in range(len(low)):
        y = v + rim
        for x in range(low[v] + rim, high[v] + 1 + rim):
            # A pixel in shadow may still be matched by what its window sees beside the shadow, on the same surface.
            d = abs(disparity[y, x])
            share, mean = np.float32(0.0), np.float32(0.0)
            if d > 0.0:
                lost[v, x - rim] = lost_to_tilt(disparity, y, x, fx, fy, tan_from, steep_from, steep_to)
                share, mean = match(disparity, y, x, radius, d)
            if share < support or share == 0.0:
                front = foremost(disparity, y, x, radius, 7)
                if front <= 0.0:
                    continue
                share, mean = match(disparity, y, x, radius, front)
                if share <= 0.5:
                    continue
            matched[v, x - rim] = mean


@numba.njit(nogil=True, cache=True)
def _noise(depth, matched, lost, constant, u0, v0, seed, item, subpixels, disparity_px, lateral_px, cell, margin, out):
    rows, columns = depth.shape
    low, high = np.empty(rows, dtype=np.int64), np.empty(rows, dtype=np.int64)
    reach(depth, margin, low, high)
    key_across, key_down = noise_key(seed, item, _ACROSS), noise_key(seed, item, _DOWN)
    key_stray, key_fading = noise_key(seed, item, _DISPARITY), noise_key(seed, item, _GRAZING)
    nodes_across, nodes_down = node_rows(columns, cell), node_rows(columns, cell)
    stray_cell = max(cell // 2, 1)
    nodes_stray = node_rows(columns, stray_cell)
    across, down, stray = np.empty(columns, np.float32), np.empty(columns, np.float32), np.empty(columns, np.float32)
    out[:] = 0.0
    for v in range(rows):
        if low[v] > high[v]:
            continue
        smooth_noise(key_across, u0, v0 + v, cell, nodes_across, across)
        smooth_noise(key_down, u0, v0 + v, cell, nodes_down, down)
        smooth_noise(key_stray, u0, v0 + v, stray_cell, nodes_stray, stray)
        for u in range(low[v], high[v] + 1):
            y = min(max(math.floor(v + lateral_px * down[u] + 0.5), 0), rows - 1)
            x = min(max(math.floor(u + lateral_px * across[u] + 0.5), 0), columns - 1)
            # The same for a small patch: failing matches come in clusters.
            if matched[y, x] <= 0.0 or (
                lost[y, x] > 0.0 and uniform(key_fading, (u0 + u) // 2, (v0 + v) // 2) < lost[y, x]
            ):
                continue
            steps = math.floor((matched[y, x] + disparity_px * stray[u]) * subpixels + 0.5)
            out[v, u] = constant * subpixels / max(steps, 1.0)


def optics(depth_mm: Map, focal_px: tuple[float, float], sensor: StructuredLight) -> Map:
    """Return shadows and the mean depth of windows, without steps; see `refiner.sensors.sense.optics`."""
    seen = look(_match, depth_mm, focal_px, sensor, sensor.window_px, sensor.support)
    return depth_without_noise(*seen, constant_of(focal_px, sensor))


def sense(
    depth_mm: Map, focal_px: tuple[float, float], sensor: StructuredLight, seed: int, item: int,
    origin: tuple[int, int], out: Map,
) -> None:  # fmt: skip
    """Write readings; see `refiner.sensors.sense.sense`."""
    margin_px = sensor.margin_px
    reach_px = margin_px + math.ceil(_LARGEST * sensor.lateral_px)
    matched, lost = look(_match, depth_mm, focal_px, sensor, reach_px, sensor.support)
    _noise(
        depth_mm, matched, lost, constant_of(focal_px, sensor), origin[0], origin[1], seed, item,
        float(sensor.subpixels), sensor.disparity_px, sensor.lateral_px, sensor.cell_px, margin_px, out,
    )  # fmt: skip
