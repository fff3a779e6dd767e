"""Windows of disparities: what cameras that match patches of two images see of a surface.

Two views a baseline apart see a point at depth z with a disparity d = b f / z. One of them may not see it at all: an
edge at z_f before a surface at z_b hides a band b f (1/z_f - 1/z_b) pixels wide. Windows are looked at in thirteen
places that stand for all, as on a chequered board: rows of 3, 2, 3, 2, 3. Finer detail is lost in a window anyway.
"""

import math
from collections.abc import Callable
from typing import Protocol

import numba
import numpy as np
from numpy.typing import NDArray

from refiner.scratch import scratch
from refiner.sensors.random_field import reach, slope

Map = NDArray[np.float32]


class Matching(Protocol):
    """What all cameras have that match windows; see `StructuredLight` and `ActiveStereo`."""

    @property
    def baseline_mm(self) -> float:
        """Place of the second view on the camera's x axis."""
        ...

    @property
    def window_px(self) -> int:
        """Side of the windows, odd."""
        ...

    @property
    def grazing_deg(self) -> tuple[float, float]:
        """Tilt at which readings begin to fail, and at which none is left."""
        ...


@numba.njit(nogil=True, cache=True)
def disparities(depth, low, high, rim, constant, right, disparity):
    """Write the disparity of each pixel: 0 without a surface, negative where the second view does not see it.

    A pixel's column in the second view is u - d, or u + d where that stands on the left. Columns keep the order of
    pixels unless something is in the way.

    Args:
        depth: (rows, columns) mm.
        low: (rows,) first column with a reading; `high` the last.
        high: See `low`.
        rim: Width of the frame around the output: windows then need no bounds.
        constant: Disparity times depth, px mm.
        right: Whether the second view stands at +x.
        disparity: Written, (rows + 2 rim, columns + 2 rim) px.
    """
    disparity[:] = 0.0
    for v in range(depth.shape[0]):
        seen = np.float32(np.inf)
        for n in range(high[v] - low[v] + 1):
            # Both sides are one case when pixels are counted from the second view's.
            u = high[v] - n if right else low[v] + n
            if depth[v, u] > 0.0:
                d = np.float32(constant) / depth[v, u]
                place = -np.float32(n) - d
                disparity[v + rim, u + rim] = d if place < seen else -d
                seen = min(seen, place)


@numba.njit(nogil=True, cache=True)
def match(disparity, v, u, radius, reference):
    """Return the share of a window whose disparity lies within a pixel of the reference, and its mean."""
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
def foremost(disparity, v, u, radius, least):
    """Return the greatest disparity in a window, or 0 where fewer than `least` of its places hold any."""
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
    return most if filled >= least else np.float32(0.0)


@numba.njit(nogil=True, cache=True)
def lost_to_tilt(disparity, v, u, fx, fy, tan_from, steep_from, steep_to):
    """Return the share of readings that the tilt at a pixel loses: 0 up to the angle of tangent `tan_from`."""
    # z = c / d: the slope of z in mm per pixel over z / f, its size in mm, is f / d times that of d.
    along_u, along_v = slope(disparity, v, u)
    steep = math.sqrt((fx * along_u) ** 2 + (fy * along_v) ** 2) / abs(disparity[v, u])
    if steep <= tan_from:
        return 0.0
    return (math.atan(steep) - steep_from) / (steep_to - steep_from)


def look(
    kernel: Callable[..., None], depth_mm: Map, focal_px: tuple[float, float], sensor: Matching, reach_px: int,
    *settings: float,
) -> tuple[Map, Map]:  # fmt: skip
    """Match the windows of a map.

    Args:
        kernel: Compiled: (disparity, low, high, rim, radius, fx, fy, steep_from, steep_to, *settings, matched, lost)
            writes the last two between the columns `low` and `high` of each row.
        depth_mm: (rows, columns), 0 where there is no surface.
        focal_px: Focal lengths along both axes.
        sensor: The camera.
        reach_px: Pixels around readings that are looked at.
        settings: Handed to the kernel.

    Returns:
        The matched disparities, 0 where there is none, and the share of readings that tilt loses; both hold until this
        thread looks again.
    """
    rows, columns = depth_mm.shape
    radius = sensor.window_px // 2
    rim = max(radius, 1)
    low, high = np.empty(rows, dtype=np.int64), np.empty(rows, dtype=np.int64)
    reach(depth_mm, reach_px, low, high)
    disparity = scratch("disparity", rows + 2 * rim, columns + 2 * rim)
    disparities(depth_mm, low, high, rim, constant_of(focal_px, sensor), sensor.baseline_mm > 0, disparity)
    matched, lost = scratch("matched", rows, columns), scratch("lost", rows, columns)
    matched[:] = lost[:] = 0.0
    steep_from, steep_to = (math.radians(angle) for angle in sensor.grazing_deg)
    kernel(disparity, low, high, rim, radius, *focal_px, steep_from, steep_to, *settings, matched, lost)
    return matched, lost


def constant_of(focal_px: tuple[float, float], sensor: Matching) -> float:
    """Return disparity times depth, px mm."""
    return abs(sensor.baseline_mm) * focal_px[0]


def depth_without_noise(matched: Map, lost: Map, constant: float) -> Map:
    """Return the depth of matched disparities in mm, 0 where there is none or tilt loses all."""
    seen = (matched > 0) & (lost < 1)
    return np.where(seen, np.float32(constant) / np.where(seen, matched, 1), 0).astype(np.float32)
