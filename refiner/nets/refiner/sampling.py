"""How a camera samples depth: at its own pixels, in steps, and not at the pixels of a map that is cut from its image.

A crop averages the camera's readings over each pixel's footprint (`refiner.geometry.crop`), at a distance that grows as
the hand comes nearer. Noise that is alike at the camera's neighbours, or alternates from row to row, is not so at the
map's, and steps of disparity are mixed. So both are made at the camera's pixels, and brought to the map's as the crop
does: by one matrix for the rows and one for the columns, since a tent is the product of the two. All functions pass
gradients; a rounding passes them as if it were not there (the straight-through estimator, Bengio et al. 2013, arXiv
1308.3432).
"""

from typing import NamedTuple

import torch
from torch import Tensor

from refiner.nets.blocks import is_reading


class Sampling(NamedTuple):
    """Where the pixels of maps lie in the camera's image: matrices for rows and columns, both ways.

    Attributes:
        rows_to_map: (N, side of the map, side of the image), what a crop averages.
        columns_to_map: The same across.
        rows_to_camera: (N, side of the image, side of the map), the map between its pixels, linear.
        columns_to_camera: The same across.
    """

    rows_to_map: Tensor
    columns_to_map: Tensor
    rows_to_camera: Tensor
    columns_to_camera: Tensor

    def at_map_pixels(self, image: Tensor) -> Tensor:
        """Average (N, 1, h, w) of the camera's pixels to (N, 1, H, W)."""
        return _resample(self.rows_to_map, self.columns_to_map, image)

    def at_camera_pixels(self, depth: Tensor) -> Tensor:
        """Continue (N, 1, H, W) linearly to (N, 1, h, w) of the camera's pixels."""
        return _resample(self.rows_to_camera, self.columns_to_camera, depth)


def camera_sampling(step_px: Tensor, phase_px: Tensor, map_sides: tuple[int, int], sides: tuple[int, int]) -> Sampling:
    """Lay maps over images of a camera, middle on middle but for a phase.

    Args:
        step_px: (N,), the camera's pixels along one of the map.
        phase_px: (N, 2), how far the middles are apart, rows and columns.
        map_sides: H and W of the maps.
        sides: h and w of the part of the camera's image, which should hold all of the map.
    """
    to_map, to_camera = [], []
    for axis in (0, 1):
        rows = torch.arange(map_sides[axis], dtype=step_px.dtype, device=step_px.device) - (map_sides[axis] - 1) / 2
        pixels = torch.arange(sides[axis], dtype=step_px.dtype, device=step_px.device) - (sides[axis] - 1) / 2
        step, phase = step_px.view(-1, 1, 1), phase_px[:, axis].view(-1, 1, 1)
        away_px = pixels.view(1, 1, -1) - (rows.view(1, -1, 1) * step + phase)
        weights = (1 - away_px.abs() / step.clamp(min=1)).clamp(min=0)
        to_map.append(weights / weights.sum(dim=2, keepdim=True).clamp(min=1e-6))
        place = ((pixels.view(1, -1, 1) - phase) / step).clamp(rows[0], rows[-1])
        to_camera.append((1 - (place - rows.view(1, 1, -1)).abs()).clamp(min=0))
    return Sampling(*to_map, *to_camera)


def _resample(down: Tensor, across: Tensor, image: Tensor) -> Tensor:
    return (down @ image[:, 0] @ across.transpose(1, 2)).unsqueeze(1)


def filtered(noise: Tensor, weights: Tensor) -> Tensor:
    """Convolve (N, 1, h, w) with (1, 1, k, k), round its borders.

    By Fourier transform: a window of 15 px costs no more than one of 3.
    """
    sides = noise.shape[-2:]
    spectrum = torch.fft.rfft2(noise) * torch.fft.rfft2(weights, s=sides)
    return torch.fft.irfft2(spectrum, s=sides)


def round_disparity(depth: Tensor, distance_mm: Tensor, half_cube_mm: float, step_mm: float) -> Tensor:
    """Round depths to whole steps of disparity, which grow with the square of the distance.

    Args:
        depth: (N, 1, H, W).
        distance_mm: (N,), depth of the centre of each map's cube.
        half_cube_mm: What 1 of network depth is.
        step_mm: One step at 1 m.
    """
    with torch.no_grad():
        depth_mm = (distance_mm.to(depth).view(-1, 1, 1, 1) + depth * half_cube_mm).clamp(min=1.0)
        disparity = (1e6 / step_mm / depth_mm).round().clamp(min=1.0)
        change = (1e6 / step_mm / disparity - depth_mm) / half_cube_mm
    return depth + change


def round_depth(depth: Tensor, distance_mm: Tensor, cube_mm: Tensor | float, unit_mm: float) -> Tensor:
    """Round readings to whole units, as they are when they have been written.

    Args:
        depth: (N, 1, H, W); +1, no reading, stays.
        distance_mm: (N,), depth of the centre of each map's cube.
        cube_mm: (N,), side of each map's cube, or that of all.
        unit_mm: Depth unit.
    """
    with torch.no_grad():
        half_mm = torch.as_tensor(cube_mm).to(depth).view(-1, 1, 1, 1) / 2
        centre_mm = distance_mm.to(depth).view(-1, 1, 1, 1)
        rounded = (((centre_mm + depth * half_mm) / unit_mm).round() * unit_mm - centre_mm) / half_mm
        change = torch.where(is_reading(depth), rounded - depth, 0.0)
    return depth + change
