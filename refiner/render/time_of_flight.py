"""Time of flight as the second Kinect does it: depth from the phase of modulated light.

A pixel gathers light over a footprint, so what it measures is the phase of a sum of phasors A_i exp(i phi_i) with
phi_i = 4 pi f z_i / c. From this one sum come

1. flying pixels: at an edge the phase lies between those of the two surfaces (Lindner, Schiller, Kolb, Koch,
   "Time-of-Flight sensor calibration for accurate range sensing", CVIU 2010; Sarbolandi, Lefloch, Kolb, "Kinect range
   sensing", CVIU 2015). The camera's own filter removes the worse ones: readings that fly by d stay with probability
   exp(-d / `flying_mm`);
2. noise: the phase of a sum of length |A| strays by 1/|A|, so sigma = sigma_1 (z / 1 m)^2 / (albedo cos theta)
   (the amplitude falls with the square of the distance and with the tilt);
3. drop-out where |A| is small: grazing or dark surfaces, and edges where two phasors cancel.

The camera filters over neighbours, so its noise is smooth: in a still scene of a Kinect v2 the correlation of
neighbouring pixels is 0.68, at two pixels 0.33, at three 0.1, which a lattice of 3 px gives. Phase wrapping (several
frequencies resolve it) and light that bounces between surfaces are left out.
"""

import math
from dataclasses import dataclass

import numba
import numpy as np
from numpy.typing import ArrayLike, NDArray

from refiner.render.noise import noise_key, reach, smooth_noise, tilt_tangent, uniform

_LIGHT_MM_MHZ = 299_792.458
"""Speed of light in millimetres times MHz."""
_PHASE, _FLYING, _WALL = 11, 12, 13
_SAME_SURFACE_MM = 12.0
"""Footprints that span less are averaged without phasors: the same number to 0.01 mm."""


@dataclass(frozen=True)
class TimeOfFlight:
    """A camera with modulated light of its own.

    Attributes:
        modulation_mhz: Frequency of the light; the second Kinect's middle one.
        sigma_mm: Deviation of a facing white surface at 1 m (Fankhauser et al., "Kinect v2 for mobile robot
            navigation", ICAR 2015: 1.3 mm).
        albedo: Of skin in near infrared, about 0.6.
        cell_px: Over so many pixels noise is correlated.
        footprint_px: Deviation of the Gaussian over which a pixel gathers light.
        wall_mm: Least and greatest distance from the hand's farthest point to what lies behind it, which shines into
            the pixels at the outline; one is drawn for each item.
        wall_albedo: Of what lies behind.
        flying_mm: Median of the distance from its surface beyond which a flying pixel is removed (its logarithm
            strays by 0.5); 0 removes all.
        min_amplitude: Least amplitude that gives a reading, in those of a facing white surface at 1 m.
    """

    modulation_mhz: float = 80.0
    sigma_mm: float = 1.3
    albedo: float = 0.6
    cell_px: int = 3
    footprint_px: float = 0.9
    wall_mm: tuple[float, float] = (200.0, 1500.0)
    wall_albedo: float = 0.6
    flying_mm: float = 40.0
    min_amplitude: float = 0.15

    def __post_init__(self) -> None:
        """Refuse settings that make no sensor."""
        if (
            min(self.modulation_mhz, self.albedo, self.footprint_px) <= 0
            or self.cell_px < 1
            or min(self.sigma_mm, self.wall_albedo, self.flying_mm, self.min_amplitude) < 0
            or not 0 < self.wall_mm[0] <= self.wall_mm[1]
        ):
            raise ValueError(
                f"No time-of-flight sensor: {self}; wanted a frequency, albedo and footprint > 0, cell_px >= 1, "
                "0 < wall from <= to, and nothing else below 0."
            )

    @property
    def margin_px(self) -> int:
        """Pixels around a silhouette that readings may spread to."""
        return 1


@numba.njit(nogil=True, cache=True)
def _time_of_flight(
    depth, fx, fy, u0, v0, seed, item,
    radians_per_mm, sigma_mm, albedo, cell, footprint_px, wall_from, wall_to, wall_albedo, flying_mm, least, out,
):  # fmt: skip
    rows, columns = depth.shape
    farthest = np.float32(0.0)
    for v in range(rows):
        for u in range(columns):
            farthest = max(farthest, depth[v, u])
    wall = farthest + wall_from + (wall_to - wall_from) * uniform(noise_key(seed, item, _WALL), 0, 0)
    wall_amplitude = wall_albedo * (1000.0 / wall) ** 2
    noise = np.empty((rows, columns), dtype=np.float32)
    smooth_noise(noise_key(seed, item, _PHASE), u0, v0, rows, columns, cell, noise)
    patience = np.empty((rows, columns), dtype=np.float32)
    smooth_noise(noise_key(seed, item, _FLYING), u0, v0, rows, columns, cell, patience)
    low, high = np.empty(rows, dtype=np.int64), np.empty(rows, dtype=np.int64)
    reach(depth, 1, low, high)
    amplitude = np.empty((rows, columns), dtype=np.float32)
    for v in range(rows):
        for u in range(low[v], high[v] + 1):
            z = depth[v, u]
            if z > 0.0:
                steep = tilt_tangent(depth, v, u, fx, fy)
                amplitude[v, u] = albedo * (1000.0 / z) ** 2 / math.sqrt(1.0 + steep * steep)
            else:
                amplitude[v, u] = wall_amplitude
    beside = math.exp(-0.5 / footprint_px**2)
    out[:] = 0.0
    for v in range(rows):
        for u in range(low[v], high[v] + 1):
            front, back = np.float32(np.inf), np.float32(0.0)
            for y in range(max(v - 1, 0), min(v + 2, rows)):
                for x in range(max(u - 1, 0), min(u + 2, columns)):
                    z = depth[y, x]
                    if z > 0.0:
                        front = min(front, z)
                        back = max(back, z)
                    else:
                        back = np.float32(wall)
            if front == np.inf:
                continue
            one_surface = back - front <= _SAME_SURFACE_MM
            # The wanted part of the sum, in phase with the nearest surface, and the part across it.
            along, across, weights = 0.0, 0.0, 0.0
            for y in range(max(v - 1, 0), min(v + 2, rows)):
                for x in range(max(u - 1, 0), min(u + 2, columns)):
                    weight = (beside if y != v else 1.0) * (beside if x != u else 1.0)
                    weights += weight
                    z = depth[y, x] if depth[y, x] > 0.0 else np.float32(wall)
                    # Columns beside the reach hold no amplitude, and no surface either.
                    weight *= amplitude[y, x] if low[y] <= x <= high[y] else wall_amplitude
                    if one_surface:
                        along += weight
                        across += weight * radians_per_mm * (z - front)
                    else:
                        along += weight * math.cos(radians_per_mm * (z - front))
                        across += weight * math.sin(radians_per_mm * (z - front))
            if one_surface:
                length, phase = along / weights, across / along
            else:
                length, phase = math.sqrt(along * along + across * across) / weights, math.atan2(across, along)
            if length < least:
                continue
            beyond = phase / radians_per_mm
            if not one_surface:
                own = depth[v, u]
                flies = abs(beyond if own <= 0.0 else front + beyond - own)
                if flies > flying_mm * math.exp(0.5 * patience[v, u]):
                    continue
            out[v, u] = max(front + beyond + sigma_mm / length * noise[v, u], 1.0)


def time_of_flight(
    depth_mm: NDArray[np.float32],
    camera: ArrayLike,
    sensor: TimeOfFlight,
    *,
    seed: int,
    item: int,
    origin: tuple[int, int] = (0, 0),
) -> NDArray[np.float32]:
    """See a clean depth map as a time-of-flight camera would.

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
    _time_of_flight(
        depth_mm, fx, fy, origin[0], origin[1], seed, item,
        4 * math.pi * sensor.modulation_mhz / _LIGHT_MM_MHZ, sensor.sigma_mm, sensor.albedo, sensor.cell_px,
        sensor.footprint_px, sensor.wall_mm[0], sensor.wall_mm[1], sensor.wall_albedo, sensor.flying_mm,
        sensor.min_amplitude, out,
    )  # fmt: skip
    return out
