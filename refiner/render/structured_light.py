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
5. Disparity noise, then rounding to 1/8 px (Konolige and Mihelich): z = b f / d, so noise and step grow with z^2
   (Khoshelham and Elberink, "Accuracy and resolution of Kinect depth data", Sensors 2012: sigma_d of half a step).
"""

import math
from dataclasses import dataclass

import numba
import numpy as np
from numpy.typing import ArrayLike, NDArray

from refiner.render.noise import noise_key, reach, smooth_noise, tilt_tangent, uniform

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
        cell_px: Over so many pixels noise is correlated.
        window_px: Side of the correlation window, px; odd.
        support: Share of the window that must lie on one surface.
        grazing_deg: Tilt at which readings begin to fail, and at which none is left.
    """

    projector_mm: float = 75.0
    subpixels: int = 8
    disparity_px: float = 0.5 / 8
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
        return self.window_px // 2 + math.ceil(3.5 * self.lateral_px)


@numba.njit(nogil=True, cache=True)
def _shade(depth, focal, projector_mm, rim, disparity):
    """Write the disparity of each pixel: 0 without a surface, negative where the projector does not see it.

    A pixel's column in the projector is u - d. Columns keep the order of pixels unless something is in the way.

    Args:
        depth: (rows, columns) mm.
        focal: px.
        projector_mm: Place of the projector.
        rim: Width of a frame of zeros around the output.
        disparity: Written, (rows + 2 rim, columns + 2 rim) px.
    """
    rows, columns = depth.shape
    disparity[:] = 0.0
    for v in range(rows):
        if projector_mm > 0:
            seen = np.inf
            for u in range(columns - 1, -1, -1):
                if depth[v, u] > 0.0:
                    d = focal * projector_mm / depth[v, u]
                    disparity[v + rim, u + rim] = d if u - d < seen else -d
                    seen = min(seen, u - d)
        else:
            seen = -np.inf
            for u in range(columns):
                if depth[v, u] > 0.0:
                    d = -focal * projector_mm / depth[v, u]
                    disparity[v + rim, u + rim] = d if u + d > seen else -d
                    seen = max(seen, u + d)


@numba.njit(nogil=True, cache=True)
def _match(disparity, v, u, radius, reference):
    """Give the share of a window whose disparity lies within a pixel of the reference, and its mean.

    Every other pixel counts: a quarter of the work, and finer detail is lost in the window anyway.
    """
    taps, same, total = 0, 0, np.float32(0.0)
    for y in range(v - radius, v + radius + 1, 2):
        for x in range(u - radius, u + radius + 1, 2):
            d = disparity[y, x]
            near = abs(d - reference) <= np.float32(1.0)
            taps += 1
            same += near
            total += d if near else np.float32(0.0)
    return same / taps, total / max(same, 1)


@numba.njit(nogil=True, cache=True)
def _foremost(disparity, v, u, radius):
    """Give the greatest disparity in a window, or 0 where too little is there to fill half of it."""
    around = 0
    for y in range(v - 2, v + 3, 2):
        for x in range(u - 2, u + 3, 2):
            around += disparity[y, x] > 0.0
    most = np.float32(0.0)
    if around >= 3:
        for y in range(v - radius, v + radius + 1, 2):
            for x in range(u - radius, u + radius + 1, 2):
                most = max(most, disparity[y, x])
    return most


@numba.njit(nogil=True, cache=True)
def _structured_light(
    depth, fx, fy, u0, v0, seed, item,
    projector_mm, subpixels, disparity_px, lateral_px, cell, radius, support, steep_from, steep_to, margin, out,
):  # fmt: skip
    rows, columns = depth.shape
    rim = max(radius, 2)
    disparity = np.empty((rows + 2 * rim, columns + 2 * rim), dtype=np.float32)
    _shade(depth, fx, projector_mm, rim, disparity)
    across, down, stray = np.empty_like(depth), np.empty_like(depth), np.empty_like(depth)
    smooth_noise(noise_key(seed, item, _ACROSS), u0, v0, rows, columns, cell, across)
    smooth_noise(noise_key(seed, item, _DOWN), u0, v0, rows, columns, cell, down)
    smooth_noise(noise_key(seed, item, _DISPARITY), u0, v0, rows, columns, cell, stray)
    fading = noise_key(seed, item, _GRAZING)
    low, high = np.empty(rows, dtype=np.int64), np.empty(rows, dtype=np.int64)
    reach(depth, margin, low, high)
    tan_from = math.tan(steep_from)
    constant = abs(projector_mm) * fx
    out[:] = 0.0
    for v in range(rows):
        for u in range(low[v], high[v] + 1):
            y = min(max(int(np.rint(v + lateral_px * down[v, u])), 0), rows - 1)
            x = min(max(int(np.rint(u + lateral_px * across[v, u])), 0), columns - 1)
            # A pixel in shadow may still be matched by what its window sees beside the shadow, on the same surface.
            d = abs(disparity[y + rim, x + rim])
            share, mean = 0.0, np.float32(0.0)
            if d > 0.0:
                steep = tilt_tangent(depth, y, x, fx, fy)
                if steep > tan_from:
                    lost = (math.atan(steep) - steep_from) / (steep_to - steep_from)
                    # The same for a small patch: failing matches come in clusters.
                    if uniform(fading, (u0 + u) // 2, (v0 + v) // 2) < lost:
                        continue
                share, mean = _match(disparity, y + rim, x + rim, radius, d)
            if share < support or share == 0.0:
                front = _foremost(disparity, y + rim, x + rim, radius)
                if front <= 0.0:
                    continue
                share, mean = _match(disparity, y + rim, x + rim, radius, front)
                if share <= 0.5:
                    continue
            steps = np.rint((mean + disparity_px * stray[v, u]) * subpixels)
            out[v, u] = constant * subpixels / max(steps, 1.0)


def structured_light(
    depth_mm: NDArray[np.float32],
    camera: ArrayLike,
    sensor: StructuredLight,
    *,
    seed: int,
    item: int,
    origin: tuple[int, int] = (0, 0),
) -> NDArray[np.float32]:
    """See a clean depth map as a structured-light camera would.

    Args:
        depth_mm: (rows, columns) window of the camera's image, 0 where there is no surface.
        camera: fx fy cx cy of the whole image, px.
        sensor: The settings.
        seed: Of the noise; with `item` it fixes every byte.
        item: Number of the map.
        origin: Column and row of the window's first pixel.

    Returns:
        (rows, columns) readings in mm, 0 where there is none.
    """
    fx, fy = (float(value) for value in np.asarray(camera)[:2])
    out = np.empty_like(depth_mm)
    _structured_light(
        depth_mm, fx, fy, origin[0], origin[1], seed, item,
        sensor.projector_mm, float(sensor.subpixels), sensor.disparity_px, sensor.lateral_px, sensor.cell_px,
        sensor.window_px // 2, sensor.support, math.radians(sensor.grazing_deg[0]), math.radians(sensor.grazing_deg[1]),
        sensor.margin_px, out,
    )  # fmt: skip
    return out
