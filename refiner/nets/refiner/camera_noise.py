"""Noise of depth as a camera makes it: at its own pixels, alike at neighbours, in rows that alternate, in steps.

With f independent normal numbers at each of the camera's pixels, filtered, o the offset of every other row, s(x) the
deviation and z the depth without noise at the camera's pixels, a map's pixel shows

    d = z + mean over its footprint of (round(z + bounded (s f +- o / 2)) - z)

where the mean is the crop's (`refiner.nets.refiner.sampling`) and round goes to whole steps of disparity, and these to
whole depth units. Only the error is averaged: across an outline it is alike, and depth is not. Filter and offset are
learnt.

A camera that matches windows of a pattern of dots sees nothing between the dots: it tells the depth of those in the
window instead of that of its middle. With weights w of the dots and windows W, what is added to s f is, bounded,

    sum_W w z / sum_W w - mean_W z

As a window moves on dots enter and leave along a whole side of it: so terraces have straight edges, along rows and
columns, and tilted surfaces have relief. No noise that is filtered has these, however its spectrum is chosen.
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from refiner.nets.blocks import mean_around
from refiner.nets.refiner.sampling import Sampling, camera_sampling, filtered, round_depth, round_disparity


class CameraDraw(NamedTuple):
    """Noise that was drawn for a batch.

    Attributes:
        field: (N, 1, h, w), f at the camera's pixels.
        sampling: Where these lie.
        seen: (N, 1, H, W), f as the maps show it.
        distance_mm: (N,), depth of the centre of each map's cube.
        dots: (N, 1, h, w), their weights, 0 where there is none; nothing where they are not counted.
    """

    field: Tensor
    sampling: Sampling
    seen: Tensor
    distance_mm: Tensor
    dots: Tensor | None = None


class CameraNoise(nn.Module):
    """The noise of one camera, whatever the distance.

    Attributes:
        half_cube_mm: What 1 of network depth is; 130 mm until told.
    """

    half_cube_mm: Tensor

    def __init__(
        self,
        focal_px: float,
        most_px: int = 2,
        *,
        step_mm: float = 0.0,
        field_px: int = 5,
        window_px: int = 3,
        row_offset: float = 0.0,
        max_noise: float = 0.3,
        unit_mm: float = 0.0,
        dots_per_px: float = 0.0,
    ) -> None:
        """Build it.

        Args:
            focal_px: The camera's focal length: focal_px x (cube / side of the map) / distance of its pixels lie along
                one of the map.
            most_px: These, at most, rounded up; nearer hands are measured as if there were no more.
            step_mm: Steps of disparity, as depth at 1 m; 0 is none.
            field_px: Side of the filter, in the camera's pixels, odd.
            window_px: Side of the window whose mean it begins as, and in which dots are matched, odd.
            row_offset: How far every other row lies behind its neighbours at first, in half cubes; 0 is never.
            max_noise: Greatest noise, in half cubes.
            unit_mm: Depth unit of what the camera gives; 0 is as fine as can be.
            dots_per_px: Dots of a pattern to one of the camera's pixels; 0 sees everywhere.

        Raises:
            ValueError: There are dots without steps, or one to each pixel or more.
        """
        super().__init__()
        if not 0 <= dots_per_px < 1 or (dots_per_px > 0 and step_mm <= 0):
            raise ValueError(
                f"Found dots_per_px {dots_per_px} and step_mm {step_mm}, wanted 0 <= dots_per_px < 1, and a step_mm "
                "> 0 where there are dots."
            )
        self.dots_per_px, self.window_px = dots_per_px, window_px
        self.focal_px, self.most_px, self.step_mm, self.unit_mm = focal_px, most_px, step_mm, unit_mm
        self.row_offset, self.max_noise = row_offset, max_noise
        self.register_buffer("half_cube_mm", torch.tensor(130.0))
        self.filter = nn.Parameter(mean_window(window_px, field_px))
        if row_offset > 0:
            self.rows = nn.Parameter(torch.zeros(()))  # its logarithm: a weight's learning rate would move it by leaps

    def check(self, size: int, distance_mm: float) -> None:
        """Ask whether there are enough pixels for maps of a size at a distance.

        Raises:
            ValueError: More of the camera's pixels lie along one of the map than there are.
        """
        step_px = float(self._step_px(size, torch.tensor(distance_mm)))
        if step_px > self.most_px:
            raise ValueError(
                f"Found {step_px:.1f} of the camera's pixels (focal_px {self.focal_px:g}) along one of a map of {size} "
                f"px at {distance_mm:.0f} mm and camera_px {self.most_px}, wanted as many: give "
                f"model.refiner.init_args.camera_px {math.ceil(step_px) + 1}, or larger maps."
            )

    def _step_px(self, size: int, distance_mm: Tensor) -> Tensor:
        return self.focal_px * 2 * self.half_cube_mm / size / distance_mm

    def draw(self, independent: Tensor, phase: Tensor, distance_mm: Tensor, height: int, width: int) -> CameraDraw:
        """Make noise of independent numbers.

        Args:
            independent: (N, 1, most_px H, most_px W) or larger, standard normal; two of them where there are dots.
            phase: (N, 2), standard normal: how each map lies to the camera's pixels and rows.
            distance_mm: (N,), depth of the centre of each map's cube.
            height: H of the maps.
            width: W of the maps.
        """
        with torch.autocast(independent.device.type, enabled=False):
            return self._draw(independent.float(), phase.float(), distance_mm, height, width)

    def _draw(self, independent: Tensor, phase: Tensor, distance_mm: Tensor, height: int, width: int) -> CameraDraw:
        step_px = self._step_px(width, distance_mm.float())
        phase_px = 2 * torch.special.ndtr(phase) - 1
        sides = independent.shape[-2], independent.shape[-1]
        sampling = camera_sampling(step_px.clamp(max=self.most_px), phase_px, (height, width), sides)
        field = filtered(independent[:, :1], self.filter.float())
        dots = None
        if self.dots_per_px > 0:  # of a share of the pixels, as strong as light in a speckle: exponential
            rank = torch.special.ndtr(independent[:, 1:]).clamp(min=1e-6) / self.dots_per_px
            dots = -rank.log().clamp(max=0)
        return CameraDraw(field, sampling, sampling.at_map_pixels(field), distance_mm, dots)

    def forward(self, depth: Tensor, deviation: Tensor, drawn: CameraDraw, reading: Tensor | None = None) -> Tensor:
        """Measure depths.

        Args:
            depth: (N, 1, H, W), without noise.
            deviation: (N, 1, H, W), of the noise.
            drawn: What `draw` gave.
            reading: (N, 1, H, W), 1 where there is a surface and 0 elsewhere; none is everywhere.

        Returns:
            (N, 1, H, W).
        """
        with torch.autocast(depth.device.type, enabled=False):  # half precision knows no steps of a millimetre
            reading = torch.ones_like(depth) if reading is None else reading
            return self._measure(depth.float(), deviation.float(), drawn, reading.float())

    def _measure(self, depth: Tensor, deviation: Tensor, drawn: CameraDraw, reading: Tensor) -> Tensor:
        ideal, strength = (drawn.sampling.at_camera_pixels(values) for values in (depth, deviation))
        error = strength * drawn.field
        if drawn.dots is not None:
            surface = drawn.sampling.at_camera_pixels(reading)
            error = error + self._between_dots(ideal, surface, drawn.dots, drawn.distance_mm)
        if self.row_offset > 0:
            rows = torch.arange(ideal.shape[-2], device=ideal.device) % 2 - 0.5
            error = error + self.row_offset * torch.exp(self.rows) * rows.view(-1, 1)
        measured = ideal + self.max_noise * torch.tanh(error / self.max_noise)
        if self.step_mm > 0:
            measured = round_disparity(measured, drawn.distance_mm, self.half_cube_mm, self.step_mm)
        if self.unit_mm > 0:
            measured = round_depth(measured, drawn.distance_mm, 2 * self.half_cube_mm, self.unit_mm)
        return depth + drawn.sampling.at_map_pixels(measured - ideal)

    def _between_dots(self, ideal: Tensor, surface: Tensor, dots: Tensor, distance_mm: Tensor) -> Tensor:
        """Give how far the dots in each window lie behind its mean, a step at most: (N, 1, h, w)."""
        surface = (surface > 0.999).float() + 1e-6  # beyond an outline a window has none; nobody asks there
        seen = surface * (dots + 1e-3)  # a window without a dot sees all
        by_dots, whole = (
            mean_around(weights * ideal, self.window_px) / mean_around(weights, self.window_px)
            for weights in (seen, surface)
        )
        off = by_dots - whole
        most = self.step_mm * (distance_mm.to(ideal) / 1000).square().view(-1, 1, 1, 1) / self.half_cube_mm
        return most * torch.tanh(off / most)


def mean_window(side_px: int, filter_px: int) -> Tensor:
    """Give a filter (1, 1, k, k), k = `filter_px`, that is the mean over a window, scaled to unit variance."""
    return F.pad(torch.full((1, 1, side_px, side_px), 1 / side_px), [(filter_px - side_px) // 2] * 4)
