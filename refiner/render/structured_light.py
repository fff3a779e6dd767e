"""Structured light as the first Kinect does it: depth from the disparity of a projected pattern.

What is modelled, in the order of the computation:

1. Shadow. A point that the projector does not see has no reading. An edge at depth z_f before a surface at z_b casts a
   shadow b f (1/z_f - 1/z_b) pixels wide, on the side away from the projector.
2. Ragged edges. The place of a reading strays by 0.8 px, more than its depth does (Nguyen, Izadi, Lovell, "Modeling
   Kinect sensor noise for improved 3D reconstruction and tracking", 3DIMPVT 2012: sigma_L = 0.8 px on surfaces tilted
   by up to 60 degrees). Barron and Malik ("Intrinsic scene properties from a single RGB-D image", CVPR 2013) and
   Handa et al. (ICL-NUIM, ICRA 2014) shuffle each pixel for itself; here neighbours stray together, since they are
   matched in overlapping windows: edges get ragged in steps of some pixels, as camera maps show them, not dusty.
3. Correlation window of 9 x 9 px (Konolige and Mihelich, "Technical description of Kinect calibration", ROS 2011).
   A reading is the mean disparity of those in its window that lie within a pixel of disparity; where they are too few
   there is none, and where a nearer surface fills more than half of the window it wins: corners and thin parts shrink,
   gaps close, narrow shadows fill, relief flattens.
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
from numpy.typing import ArrayLike, NDArray

from refiner.render.noise import node_rows, noise_key, reach, slope, smooth_noise, uniform
from refiner.render.scratch import scratch

_ACROSS, _DOWN, _DISPARITY, _GRAZING = 1, 2, 3, 4


@dataclass(frozen=True)
class StructuredLight:
    """A projector beside a camera.

    Attributes:
        projector_mm: Place of the projector on the camera's x axis. The first Kinect's is at +75, which puts shadows
            to the left of things; maps stored mirrored, as many are, show them on the right: -75.
        subpixels: Steps of disparity in a pixel.
        disparity_px: Standard deviation of the disparity.
        lateral_px: Standard deviation of a reading's place, along each axis.
        cell_px: Over so many pixels a reading's place is correlated; its disparity over half as many.
        window_px: Side of the correlation window, px; odd.
        support: Share of the window that must lie on one surface.
        grazing_deg: Tilt at which readings begin to fail, and at which none is left.
    """

    projector_mm: float = 75.0
    subpixels: int = 8
    disparity_px: float = 1 / 6 / 8
    lateral_px: float = 0.8
    cell_px: int = 8
    window_px: int = 9
    support: float = 0.25
    grazing_deg: tuple[float, float] = (82.0, 89.0)

    def __post_init__(self) -> None:
        """Refuse settings that make no sensor."""
        low, high = self.grazing_deg
        if (
            self.projector_mm == 0
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
def _shade(depth, low, high, rim, constant, right, disparity):
    """Write the disparity of each pixel: 0 without a surface, negative where the projector does not see it.

    A pixel's column in the projector is u - d, or u + d where the projector stands on the left. Columns keep the order
    of pixels unless something is in the way.

    Args:
        depth: (rows, columns) mm.
        low: (rows,) first column with a reading; `high` the last.
        high: See `low`.
        rim: Width of the frame around the output: windows then need no bounds.
        constant: Disparity times depth, px mm.
        right: Whether the projector stands at +x.
        disparity: Written, (rows + 2 rim, columns + 2 rim) px.
    """
    disparity[:] = 0.0
    for v in range(depth.shape[0]):
        seen = np.float32(np.inf)
        for n in range(high[v] - low[v] + 1):
            # Both sides are one case when pixels are counted from the projector's.
            u = high[v] - n if right else low[v] + n
            if depth[v, u] > 0.0:
                d = np.float32(constant) / depth[v, u]
                place = -np.float32(n) - d
                disparity[v + rim, u + rim] = d if place < seen else -d
                seen = min(seen, place)


@numba.njit(nogil=True, cache=True)
def _match(disparity, v, u, radius, reference):
    """Give the share of a window whose disparity lies within a pixel of the reference, and its mean.

    Thirteen places stand for all, as on a chequered board: rows of 3, 2, 3, 2, 3. Finer detail is lost in the window
    anyway.
    """
    same, total = np.float32(0.0), np.float32(0.0)
    half = (radius + 1) // 2
    for y in (v - radius, v, v + radius):
        for x in (u - radius, u, u + radius):
            tap = disparity[y, x]
            near = np.float32(abs(tap - reference) <= np.float32(1.0))
            same += near
            total += near * tap
    for y in (v - half, v + half):
        for x in (u - half, u + half):
            tap = disparity[y, x]
            near = np.float32(abs(tap - reference) <= np.float32(1.0))
            same += near
            total += near * tap
    return same * np.float32(1.0 / 13.0), total / max(same, np.float32(1.0))


@numba.njit(nogil=True, cache=True)
def _foremost(disparity, v, u, radius):
    """Give the greatest disparity in a window, or 0 where less than half of it holds any."""
    most, filled = np.float32(0.0), 0
    half = (radius + 1) // 2
    for y in (v - radius, v, v + radius):
        for x in (u - radius, u, u + radius):
            most = max(most, disparity[y, x])
            filled += disparity[y, x] > 0.0
    for y in (v - half, v + half):
        for x in (u - half, u + half):
            most = max(most, disparity[y, x])
            filled += disparity[y, x] > 0.0
    return most if filled > 6 else np.float32(0.0)


@numba.njit(nogil=True, cache=True)
def _structured_light(
    depth, fx, fy, u0, v0, seed, item,
    projector_mm, subpixels, disparity_px, lateral_px, cell, rim, radius, support, steep_from, steep_to, margin,
    disparity, out,
):  # fmt: skip
    rows, columns = depth.shape
    constant = abs(projector_mm) * fx
    low, high = np.empty(rows, dtype=np.int64), np.empty(rows, dtype=np.int64)
    reach(depth, margin, low, high)
    _shade(depth, low, high, rim, constant, projector_mm > 0, disparity)
    key_across, key_down = noise_key(seed, item, _ACROSS), noise_key(seed, item, _DOWN)
    key_stray, key_fading = noise_key(seed, item, _DISPARITY), noise_key(seed, item, _GRAZING)
    nodes_across, nodes_down = node_rows(columns, cell), node_rows(columns, cell)
    stray_cell = max(cell // 2, 1)
    nodes_stray = node_rows(columns, stray_cell)
    across, down, stray = np.empty(columns, np.float32), np.empty(columns, np.float32), np.empty(columns, np.float32)
    tan_from = math.tan(steep_from)
    out[:] = 0.0
    for v in range(rows):
        if low[v] > high[v]:
            continue
        smooth_noise(key_across, u0, v0 + v, cell, nodes_across, across)
        smooth_noise(key_down, u0, v0 + v, cell, nodes_down, down)
        smooth_noise(key_stray, u0, v0 + v, stray_cell, nodes_stray, stray)
        for u in range(low[v], high[v] + 1):
            y = min(max(math.floor(v + lateral_px * down[u] + 0.5), 0), rows - 1) + rim
            x = min(max(math.floor(u + lateral_px * across[u] + 0.5), 0), columns - 1) + rim
            # A pixel in shadow may still be matched by what its window sees beside the shadow, on the same surface.
            d = abs(disparity[y, x])
            share, mean = np.float32(0.0), np.float32(0.0)
            if d > 0.0:
                # z = c / d: the slope of z in mm per pixel over z / f, its size in mm, is f / d times that of d.
                along_u, along_v = slope(disparity, y, x)
                steep = math.sqrt((fx * along_u) ** 2 + (fy * along_v) ** 2) / d
                if steep > tan_from:
                    lost = (math.atan(steep) - steep_from) / (steep_to - steep_from)
                    # The same for a small patch: failing matches come in clusters.
                    if uniform(key_fading, (u0 + u) // 2, (v0 + v) // 2) < lost:
                        continue
                share, mean = _match(disparity, y, x, radius, d)
            if share < support or share == 0.0:
                front = _foremost(disparity, y, x, radius)
                if front <= 0.0:
                    continue
                share, mean = _match(disparity, y, x, radius, front)
                if share <= 0.5:
                    continue
            steps = math.floor((mean + disparity_px * stray[u]) * subpixels + 0.5)
            out[v, u] = constant * subpixels / max(steps, 1.0)


def structured_light(
    depth_mm: NDArray[np.float32],
    camera: ArrayLike,
    sensor: StructuredLight,
    *,
    seed: int,
    item: int,
    origin: tuple[int, int] = (0, 0),
    out: NDArray[np.float32] | None = None,
) -> NDArray[np.float32]:
    """See a clean depth map as a structured-light camera would.

    Args:
        depth_mm: (rows, columns) window of the camera's image, 0 where there is no surface.
        camera: fx fy cx cy of the whole image, px.
        sensor: The settings.
        seed: Of the noise; with `item` it fixes every byte.
        item: Number of the map.
        origin: Column and row of the window's first pixel.
        out: Written and returned where given, of the map's shape; not the map itself.

    Returns:
        (rows, columns) readings in mm, 0 where there is none.
    """
    fx, fy = (float(value) for value in np.asarray(camera)[:2])
    out = np.empty_like(depth_mm) if out is None else out
    radius = sensor.window_px // 2
    rim = max(radius, 1)
    disparity = scratch("disparity", depth_mm.shape[0] + 2 * rim, depth_mm.shape[1] + 2 * rim)
    _structured_light(
        depth_mm, fx, fy, origin[0], origin[1], seed, item,
        sensor.projector_mm, float(sensor.subpixels), sensor.disparity_px, sensor.lateral_px, sensor.cell_px,
        rim, radius, sensor.support, math.radians(sensor.grazing_deg[0]), math.radians(sensor.grazing_deg[1]),
        sensor.margin_px, disparity, out,
    )  # fmt: skip
    return out
