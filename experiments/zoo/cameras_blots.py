"""A camera that matches blocks of two images: it fattens outlines, sees in terraces, and loses blots of pixels."""

from dataclasses import dataclass

import cv2
import numpy as np
from scipy.special import ndtri

from experiments.zoo.surfaces import Map, near_jump, ramp, smooth_field, tilt_deg


@dataclass(frozen=True)
class Blots:
    """Two cameras side by side.

    Attributes:
        baseline_mm: Distance of the two.
        steps: Steps of disparity in a pixel.
        fat_px: Radius of the block: nearer surfaces grow by as much over farther ones, less in places.
        lost: Share of pixels that fail on a facing surface at `near_mm`.
        lost_steep: Added to it on steep surfaces.
        steep_deg: Tilts between which that rises.
        lost_far: Added to it at 1 m beyond `near_mm`, in proportion.
        near_mm: See `lost`.
        torn: Added to it near outlines.
        blot_px: Deviation of the Gaussian that makes blots.
        noise_steps: Deviation of the disparity, in its steps, correlated over a block.
    """

    baseline_mm: float = 50.0
    steps: int = 4
    fat_px: int = 3
    lost: float = 0.03
    lost_steep: float = 0.6
    steep_deg: tuple[float, float] = (30.0, 70.0)
    lost_far: float = 0.2
    near_mm: float = 500.0
    torn: float = 0.15
    blot_px: float = 2.2
    noise_steps: float = 0.3

    def see(self, scene_mm: Map, focal_px: float, origin: tuple[int, int], rng: np.random.Generator) -> Map:
        """See a scene, as `experiments.zoo.surfaces.SceneCamera` says."""
        del origin  # nothing here is fixed to the image
        shape, constant = scene_mm.shape, np.float32(self.baseline_mm * focal_px)
        tilt = tilt_deg(scene_mm, focal_px)
        side = 2 * self.fat_px + 1
        block = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
        grown = cv2.erode(scene_mm, block)
        less = cv2.erode(scene_mm, np.ones((3, 3), np.uint8)) if self.fat_px > 1 else scene_mm
        place = smooth_field(rng, shape, self.fat_px)
        seen = np.where(place > 0.6, less, grown)
        steps = constant / seen * self.steps + self.noise_steps * smooth_field(rng, shape, self.fat_px)
        terraced = constant * self.steps / np.maximum(np.rint(steps), 1.0)
        share = self.lost + self.lost_steep * ramp(tilt, *self.steep_deg)
        share += self.lost_far * np.clip((seen - self.near_mm) / 1000.0, 0.0, 1.0)
        share += self.torn * near_jump(scene_mm, 15.0, self.fat_px)
        lost = smooth_field(rng, shape, self.blot_px) < ndtri(np.clip(share, 1e-6, 1 - 1e-6))
        return np.where(lost, 0.0, terraced).astype(np.float32)
