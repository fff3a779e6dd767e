"""A camera that loses single pixels: the more the steeper a surface, with ragged rims, and shadows beside fingers."""

from dataclasses import dataclass

import numpy as np

from experiments.zoo.surfaces import Map, in_shadow, near_jump, ramp, tilt_deg


@dataclass(frozen=True)
class LostPixels:
    """A lamp beside a camera whose pixels fail one by one.

    Attributes:
        lost: Share of pixels that fail on a facing surface.
        lost_steep: The same on a steep one.
        steep_deg: Tilts between which the share rises from the one to the other.
        lamp_mm: Place of the lamp on the camera's x axis, negative on the right; what it does not reach is lost.
        ragged_px: Deviation of the place that a pixel near an outline reads, each pixel for itself.
        rim_px: Distance from an outline to which that happens, px.
        jump_mm: Least jump in depth that makes an outline.
        noise_mm: Deviation at 1 m on a facing surface; grows with the square of the distance.
    """

    lost: float = 0.04
    lost_steep: float = 0.95
    steep_deg: tuple[float, float] = (30.0, 68.0)
    lamp_mm: float = 60.0
    ragged_px: float = 1.6
    rim_px: int = 3
    jump_mm: float = 12.0
    noise_mm: float = 2.0

    def see(self, scene_mm: Map, focal_px: float, origin: tuple[int, int], rng: np.random.Generator) -> Map:
        """See a scene, as `experiments.zoo.surfaces.SceneCamera` says."""
        del origin  # nothing here is fixed to the image
        rows, columns = np.ogrid[: scene_mm.shape[0], : scene_mm.shape[1]]
        rim = near_jump(scene_mm, self.jump_mm, self.rim_px)
        strays = np.rint(rng.standard_normal((2, *scene_mm.shape), dtype=np.float32) * self.ragged_px) * rim
        at_row = np.clip(rows + strays[0], 0, scene_mm.shape[0] - 1).astype(np.intp)
        at_column = np.clip(columns + strays[1], 0, scene_mm.shape[1] - 1).astype(np.intp)
        seen = scene_mm[at_row, at_column]
        dark = in_shadow(scene_mm, focal_px, self.lamp_mm)[at_row, at_column]
        tilt = tilt_deg(scene_mm, focal_px)[at_row, at_column]
        share = self.lost + (self.lost_steep - self.lost) * ramp(tilt, *self.steep_deg)
        lost = dark | (rng.random(scene_mm.shape, dtype=np.float32) < share)
        noise = rng.standard_normal(scene_mm.shape, dtype=np.float32) * np.float32(self.noise_mm) * (seen / 1000.0) ** 2
        return np.where(lost, np.float32(0.0), seen + noise / np.cos(np.radians(np.minimum(tilt, 75.0))))
