"""Time of flight as the second Kinect does it: depth from the phase of modulated light.

A pixel gathers light over a footprint, so what it measures is the phase of a sum of phasors A_i exp(i phi_i) with
phi_i = 4 pi f z_i / c: that is the optics. From this one sum come

1. flying pixels: at an edge the phase lies between those of the two surfaces (Lindner, Schiller, Kolb, Koch,
   "Time-of-Flight sensor calibration for accurate range sensing", CVIU 2010; Sarbolandi, Lefloch, Kolb, "Kinect range
   sensing", CVIU 2015). The camera's own filter removes the worse ones: readings that fly by d stay with probability
   exp(-d / `flying_mm`);
2. noise: the phase of a sum of length |A| strays by 1/|A|, so sigma = sigma_1 (z / 1 m)^2 / (albedo cos theta)
   (the amplitude falls with the square of the distance and with the tilt);
3. drop-out where |A| is small: grazing or dark surfaces, and edges where two phasors cancel.

The camera filters over neighbours, so its noise is smooth: in a still scene of a Kinect v2 the correlation of
neighbouring pixels is 0.68, at two pixels 0.33, at three 0.1; a lattice of 2 px gives 0.71, 0.25 and 0. Phase wrapping
(several frequencies resolve it) and light that bounces between surfaces are left out.
"""

import math
from dataclasses import dataclass

import numba
import numpy as np

from refiner.scratch import scratch
from refiner.sensors.models.matching import Map
from refiner.sensors.models.phasors import mix_surfaces
from refiner.sensors.random_field import node_rows, noise_key, reach, slope, smooth_noise, uniform

_LIGHT_MM_MHZ = 299_792.458
"""Speed of light in millimetres times MHz."""
_PHASE, _FLYING, _WALL = 11, 12, 13
_SAME_SURFACE_MM = 12.0
"""Footprints that span less are averaged without phasors, which would give the same to a tenth of a millimetre."""
_NOWHERE_MM = 1e6
"""Distance of a wall that is not there."""


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
    cell_px: int = 2
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
def _optics(
    depth_mm, fx, fy, turns_per_mm, albedo, footprint_px, wall_mm, wall_albedo, scene, amplitude, mixed, length, flown
):  # fmt: skip
    """Write what footprints show: `mixed` depth (0 = none), its phasor's `length`, how far it flies, in mm."""
    rows, columns = depth_mm.shape
    low, high = np.empty(rows, dtype=np.int64), np.empty(rows, dtype=np.int64)
    reach(depth_mm, 1, low, high)
    wall = np.float32(wall_mm)
    wall_amplitude = np.float32(wall_albedo * (1000.0 / wall) ** 2)
    # With a frame of one pixel, so that footprints need no bounds.
    scene[:] = wall
    amplitude[:] = wall_amplitude
    for v in range(rows):
        for u in range(low[v], high[v] + 1):
            z = depth_mm[v, u]
            scene[v + 1, u + 1] = z if z > 0.0 else wall
    bright = np.float32(albedo * 1e6)
    square_u, square_v = np.float32(fx * fx), np.float32(fy * fy)
    for v in range(rows):
        for u in range(low[v], high[v] + 1):
            # The amplitude times z^2 is the albedo times the cosine of the tilt.
            z = scene[v + 1, u + 1]
            along_u, along_v = slope(scene, v + 1, u + 1)
            tilted = np.sqrt(z * z + square_u * along_u * along_u + square_v * along_v * along_v)
            amplitude[v + 1, u + 1] = bright / (z * tilted) if z < wall else wall_amplitude
    # Over the three rows of a footprint: nearest, farthest and weighted mean of each column.
    nearest, farthest_z = np.empty(columns + 2, np.float32), np.empty(columns + 2, np.float32)
    mean = np.empty(columns + 2, np.float32)
    beside = math.exp(-0.5 / footprint_px**2)
    middle, side = np.float32(1.0 / (1.0 + 2.0 * beside)), np.float32(beside / (1.0 + 2.0 * beside))
    mixed[:] = 0.0
    flown[:] = 0.0
    for v in range(rows):
        for x in range(low[v], high[v] + 3):
            above, here, below = scene[v, x], scene[v + 1, x], scene[v + 2, x]
            nearest[x] = min(min(above, here), below)
            farthest_z[x] = max(max(above, here), below)
            mean[x] = middle * here + side * (above + below)
        for u in range(low[v], high[v] + 1):
            front = min(min(nearest[u], nearest[u + 1]), nearest[u + 2])
            if front >= wall:
                continue
            back = max(max(farthest_z[u], farthest_z[u + 1]), farthest_z[u + 2])
            if back - front <= _SAME_SURFACE_MM:
                length[v, u] = amplitude[v + 1, u + 1]
                mixed[v, u] = middle * mean[u + 1] + side * (mean[u] + mean[u + 2])
            else:
                length[v, u], phase = mix_surfaces(scene, amplitude, v + 1, u + 1, front, beside, turns_per_mm)
                mixed[v, u] = front + phase / turns_per_mm
                flown[v, u] = abs(mixed[v, u] - (front if depth_mm[v, u] <= 0.0 else depth_mm[v, u]))


@numba.njit(nogil=True, cache=True)
def _wall_share(seed, item):
    return uniform(noise_key(seed, item, _WALL), 0, 0)


@numba.njit(nogil=True, cache=True)
def _noise(depth_mm, u0, v0, seed, item, sigma_mm, cell, flying_mm, least, mixed, length, flown, out):
    rows, columns = depth_mm.shape
    low, high = np.empty(rows, dtype=np.int64), np.empty(rows, dtype=np.int64)
    reach(depth_mm, 1, low, high)
    key_phase, key_flying = noise_key(seed, item, _PHASE), noise_key(seed, item, _FLYING)
    nodes_phase, nodes_flying = node_rows(columns, cell), node_rows(columns, cell)
    noise, patience = np.empty(columns, np.float32), np.empty(columns, np.float32)
    one = np.float32(1.0)
    out[:] = 0.0
    for v in range(rows):
        if low[v] > high[v]:
            continue
        smooth_noise(key_phase, u0, v0 + v, cell, nodes_phase, noise)
        smooth_noise(key_flying, u0, v0 + v, cell, nodes_flying, patience)
        for u in range(low[v], high[v] + 1):
            z = mixed[v, u]
            if z <= 0.0 or length[v, u] < least:
                continue
            if flown[v, u] > flying_mm * math.exp(0.5 * patience[u]):
                continue
            out[v, u] = max(z + sigma_mm / length[v, u] * noise[u], one)


def _look(
    depth_mm: Map, focal_px: tuple[float, float], sensor: TimeOfFlight, wall_mm: float, wall_albedo: float
) -> tuple[Map, Map, Map]:
    rows, columns = depth_mm.shape
    scene, amplitude = scratch("scene", 2, rows + 2, columns + 2)
    mixed, length, flown = scratch("mixed", 3, rows, columns)
    _optics(
        depth_mm, focal_px[0], focal_px[1], 2 * sensor.modulation_mhz / _LIGHT_MM_MHZ, sensor.albedo,
        sensor.footprint_px, wall_mm, wall_albedo, scene, amplitude, mixed, length, flown,
    )  # fmt: skip
    return mixed, length, flown


def optics(depth_mm: Map, focal_px: tuple[float, float], sensor: TimeOfFlight) -> Map:
    """Return surfaces mixed where they share a footprint; see `refiner.sensors.sense.optics`.

    What lies behind the hand has no part, and readings stay where they were: a map holds the hand alone.
    """
    mixed, _, _ = _look(depth_mm, focal_px, sensor, _NOWHERE_MM, 0.0)
    return np.where(depth_mm > 0, mixed, np.float32(0))


def sense(
    depth_mm: Map, focal_px: tuple[float, float], sensor: TimeOfFlight, seed: int, item: int,
    origin: tuple[int, int], out: Map,
) -> None:  # fmt: skip
    """Write readings; see `refiner.sensors.sense.sense`."""
    nearest_mm, farthest_mm = sensor.wall_mm
    wall_mm = float(depth_mm.max(initial=0)) + nearest_mm + (farthest_mm - nearest_mm) * _wall_share(seed, item)
    mixed, length, flown = _look(depth_mm, focal_px, sensor, wall_mm, sensor.wall_albedo)
    _noise(
        depth_mm, origin[0], origin[1], seed, item, sensor.sigma_mm, sensor.cell_px, sensor.flying_mm,
        sensor.min_amplitude, mixed, length, flown, out,
    )  # fmt: skip
