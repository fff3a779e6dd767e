"""A time-of-flight camera with few pixels whose light comes back by more ways than one.

Light that bounces between surfaces arrives late: hollows read too deep, by up to two centimetres, smoothly. A pixel at
an outline reads the mean of what it covers, weighted with brightness, anywhere between the surfaces; readings that fly
too far go. Rows have offsets of their own, which stay, and stray anew in every image.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from experiments.zoo.surfaces import Map, ramp, smooth_field, tilt_deg

_ROWS = 0x726F7773


@dataclass(frozen=True)
class Multipath:
    """A lamp at the camera.

    Attributes:
        footprint_px: Deviation of the Gaussian over which a pixel gathers light.
        flying_mm: A reading so far from its own surface goes, in the median; the bound strays by 0.5 in its logarithm.
        hollow_mm: Greatest depth that a hollow gains.
        hollow_size_mm: Deviation of the Gaussian over which hollows are felt.
        dim_mm: How much nearer than it is a surface reads that sends back a tenth of the light.
        row_mm: Deviation of the rows' lasting offsets.
        row_noise_mm: Deviation of the rows' offsets in one image.
        noise_mm: Deviation at 1 m on a facing surface; grows as the light that comes back falls.
        least_light: Of a facing surface at 1 m; with less there is no reading.
    """

    footprint_px: float = 1.1
    flying_mm: float = 70.0
    hollow_mm: float = 20.0
    hollow_size_mm: float = 28.0
    dim_mm: float = 6.0
    row_mm: float = 2.0
    row_noise_mm: float = 1.5
    noise_mm: float = 2.5
    least_light: float = 0.35

    def see(self, scene_mm: Map, focal_px: float, origin: tuple[int, int], rng: np.random.Generator) -> Map:
        """See a scene, as `experiments.zoo.surfaces.SceneCamera` says."""
        shape = scene_mm.shape
        light = np.cos(np.radians(tilt_deg(scene_mm, focal_px))) * (1000.0 / scene_mm) ** 2
        late = scene_mm + self._hollows(scene_mm, light, focal_px)
        gathered = cv2.GaussianBlur(light, (0, 0), self.footprint_px)
        mixed = cv2.GaussianBlur(light * late, (0, 0), self.footprint_px) / gathered
        bound = self.flying_mm * np.exp(0.5 * smooth_field(rng, shape, 1.0))
        white = rng.standard_normal(shape, dtype=np.float32)
        noise = self.noise_mm / np.maximum(gathered, 0.05) * white
        dimmed = self.dim_mm * ramp(-np.log10(np.maximum(gathered, 1e-3)), 0.0, 1.0)
        # The lasting offsets belong to the sensor: the same for every image.
        lasting = np.random.default_rng(_ROWS).normal(0.0, self.row_mm, origin[1] + shape[0])[origin[1] :]
        stripes = lasting + rng.normal(0.0, self.row_noise_mm, shape[0])
        lost = (np.abs(mixed - scene_mm) > bound + self.hollow_mm) | (
            gathered < self.least_light * np.exp(0.25 * smooth_field(rng, shape, 1.0))
        )
        seen = mixed - dimmed + noise + stripes[:, None]
        return np.where(lost, 0.0, np.maximum(seen, 1.0)).astype(np.float32)

    def _hollows(self, scene_mm: Map, light: Map, focal_px: float) -> Map:
        """Return how much later light comes from each pixel: the more its surroundings lie before it."""
        nearest = float(np.percentile(scene_mm, 2))
        sigma = self.hollow_size_mm * focal_px / nearest
        # Only what lies about as near as the hand sends enough light; the wall does not.
        weight = np.where(scene_mm < nearest + 220.0, light, 0.0).astype(np.float32)
        around = cv2.GaussianBlur(weight * scene_mm, (0, 0), sigma) / np.maximum(
            cv2.GaussianBlur(weight, (0, 0), sigma), 1e-6
        )
        behind = np.where(weight > 0, scene_mm - around, 0.0)
        return (self.hollow_mm * np.tanh(np.maximum(behind, 0.0) / 18.0)).astype(np.float32)
