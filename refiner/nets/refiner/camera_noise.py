"""Noise of depth as a camera makes it: at its own pixels, alike at neighbours, in rows that alternate, in steps."""

import math
from typing import Any

import torch
from torch import Tensor, nn

from refiner.datasets.facts import CameraPixels, TrainingFacts
from refiner.nets.blocks import bounded
from refiner.nets.refiner.base import Noise, NoiseShapes
from refiner.nets.refiner.measurement import Measurement, mean_window
from refiner.nets.refiner.sampling import Sampling, camera_sampling, filtered, round_depth, round_disparity
from refiner.nets.refiner.scene import Scene

_FIRST_WINDOW_PX = 3


class CameraNoise(Measurement):
    """Noise at the camera's pixels, for cameras that `prepare` has measured.

    With f independent normal numbers at each of the camera's pixels, filtered, o the offset of its odd rows, s the
    deviation and z the depth without noise at these pixels, a map's pixel shows

        d = z + mean over its footprint of (round(z + bounded(s f +- o / 2)) - z)

    where the mean is the crop's (`refiner.nets.refiner.sampling`) and round goes to whole steps of disparity, and these
    to whole units. Only the error is averaged: across an outline it is alike, and depth is not. The filter is learnt;
    focal length, unit, steps and rows are those of the recording, and travel with the weights.

    Attributes:
        pixels: The camera's; none until told.
        half_cube_mm: What 1 of network depth is.
        most_px: The camera's pixels along one of the map, at most, rounded up; nearer hands than those of the training
            are measured as if there were no more.
    """

    def __init__(self, first: float = 0.01, most: float = 0.3, filter_px: int = 11, gain: float = 0.5) -> None:
        """Build it.

        Args:
            first: See `Measurement`.
            most: See `Measurement`.
            filter_px: Side of the filter in the camera's pixels, odd, from 3 on; it begins as the mean of 3 x 3.
            gain: See `Measurement`.

        Raises:
            ValueError: The side is even, or too small.
        """
        super().__init__(first, most, gain)
        self.settings |= {"filter_px": filter_px}
        self.filter = nn.Parameter(mean_window(_FIRST_WINDOW_PX, filter_px))
        self.pixels: CameraPixels | None = None
        self.half_cube_mm, self.most_px = 0.0, 1

    def meet(self, facts: TrainingFacts) -> None:
        """Take note of the camera and of the cubes; see `Part.meet`.

        Raises:
            ValueError: Nobody knows the camera's pixels, how far away the hands are, or cubes have several sizes.
        """
        if facts.pixels is None or facts.nearest_mm is None:
            raise ValueError(
                "Found camera maps whose own pixels nobody knows, wanted noise at the camera's pixels. Prepare the "
                "recording again from whole images (`refiner prepare` records what it measures), or use a recipe "
                "with MapNoise (simgan/fast.yaml)."
            )
        if facts.codec.cube_mm is None:
            raise ValueError("Found cubes of several sizes, wanted one: noise is made in mm.")
        self.pixels, self.half_cube_mm = facts.pixels, facts.codec.cube_mm / 2
        self.most_px = math.ceil(self._step_px(facts.codec.size, facts.nearest_mm))

    def get_extra_state(self) -> dict[str, Any]:
        """Return what `meet` took note of, for checkpoints."""
        pixels = None if self.pixels is None else list(self.pixels)
        return {"pixels": pixels, "half_cube_mm": self.half_cube_mm, "most_px": self.most_px}

    def set_extra_state(self, state: dict[str, Any]) -> None:
        """Take over what a checkpoint says."""
        self.pixels = None if state["pixels"] is None else CameraPixels(*state["pixels"])
        self.half_cube_mm, self.most_px = state["half_cube_mm"], state["most_px"]

    def noise_shapes(self, height: int, width: int) -> NoiseShapes:
        """Return the noise of the camera's pixels before its filter, and how a map lies to them."""
        return {"pixel": (1, self.most_px * height, self.most_px * width), "phase": (1, 1, 2)}

    def drawn(self, noise: Noise, scene: Scene) -> Noise:
        """Return `field`, f at the camera's pixels, `seen`, f as the maps show it, and the matrices of a `Sampling`."""
        with torch.autocast(scene.depth.device.type, enabled=False):
            independent, height, width = noise["pixel"].float(), *scene.depth.shape[-2:]
            step_px = self._step_px(width, scene.distance_mm.float()).clamp(max=self.most_px)
            phase_px = 2 * torch.special.ndtr(noise["phase"].float().flatten(1)) - 1
            sides = independent.shape[-2], independent.shape[-1]
            sampling = camera_sampling(step_px, phase_px, (height, width), sides)
            field = filtered(independent, self.filter.float())
            return sampling._asdict() | {"field": field, "seen": sampling.at_map_pixels(field)}

    def seen(self, drawn: Noise) -> list[Tensor]:
        """Return f as the maps show it."""
        return [drawn["seen"]]

    def forward(self, depth: Tensor, numbers: Tensor, drawn: Noise, scene: Scene) -> Tensor:
        """Measure depths; see `Measurement.forward`."""
        pixels = self.pixels
        if pixels is None:
            raise ValueError("This network measures at a camera's pixels: tell it of one (`meet`).")
        with torch.autocast(depth.device.type, enabled=False):  # half precision knows no steps of a millimetre
            depth, strength = depth.float(), self.deviation(numbers, scene).float()
            sampling = Sampling(**{name: drawn[name] for name in Sampling._fields})
            ideal, strength = (sampling.at_camera_pixels(values) for values in (depth, strength))
            odd = torch.arange(ideal.shape[-2], device=ideal.device) % 2 - 0.5
            error = strength * drawn["field"] + pixels.rows_mm / self.half_cube_mm * odd.view(-1, 1)
            measured = ideal + bounded(error, self.most)
            if pixels.step_mm > 0:
                measured = round_disparity(measured, scene.distance_mm, self.half_cube_mm, pixels.step_mm)
            measured = round_depth(measured, scene.distance_mm, 2 * self.half_cube_mm, pixels.unit_mm)
            return depth + sampling.at_map_pixels(measured - ideal)

    def _step_px(self, size: int, distance_mm: Any) -> Any:
        """Return how many of the camera's pixels lie along one of a map at a distance, a number or a tensor."""
        assert self.pixels is not None
        return self.pixels.focal_px * 2 * self.half_cube_mm / size / distance_mm
