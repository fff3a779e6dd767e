"""How a camera samples depth: at its own pixels, several to one of a map, and in steps.

A crop of few pixels averages the camera's readings over each pixel's footprint (`refiner.geometry.crop`), so that noise
and steps which are made at the map's own pixels cannot look like a camera's: these are made at the camera's, and then
averaged as the crop does. All functions pass gradients; a rounding passes them as if it were not there (the
straight-through estimator, Bengio et al. 2013, arXiv 1308.3432).
"""

import torch
from torch import Tensor
from torch.nn import functional as F

from refiner.geometry.crop import SAME_SURFACE_MM
from refiner.nets.blocks import NO_READING, is_reading

_NOWHERE = 9.0
"""Network depth beyond a map's border: too far from any surface to be averaged with it."""


def at_camera_pixels(depth: Tensor, camera_px: int, half_cube_mm: Tensor) -> Tensor:
    """Continue each pixel's surface over the camera's pixels in it.

    Linear towards the neighbour where that is of the same surface, else as on the other side, else flat.

    Args:
        depth: (N, 1, H, W).
        camera_px: k, the camera's pixels along one of the map, odd.
        half_cube_mm: (), what 1 of network depth is.

    Returns:
        (N, 1, k H, k W).
    """
    reading, most = is_reading(depth), SAME_SURFACE_MM / half_cube_mm
    offsets = [(i - camera_px // 2) / camera_px for i in range(camera_px)]
    changes = []
    for axis, margin in ((2, (0, 0, 1, 1)), (3, (1, 1, 0, 0))):
        around, slopes, same = F.pad(depth, margin, value=NO_READING), [], []
        for start, sign in ((0, -1), (2, 1)):  # the neighbour before, the neighbour after
            other = around.narrow(axis, start, depth.shape[axis])
            same.append(reading & is_reading(other) & ((other - depth).abs() <= most))
            slopes.append(torch.where(same[-1], sign * (other - depth), 0.0))
        before, after = torch.where(same[0], *slopes), torch.where(same[1], *reversed(slopes))
        changes.append([(before if offset < 0 else after) * offset for offset in offsets])
    down, across = changes
    rows = [torch.stack([depth + d + a for a in across], dim=-1).flatten(-2) for d in down]
    return torch.stack(rows, dim=-2).flatten(-3, -2)


def average_over_footprint(camera_depth: Tensor, camera_px: int, half_cube_mm: Tensor) -> Tensor:
    """Average the camera's readings to a map's pixels, as `refiner.geometry.crop.crop_cube` does.

    A tent of two map pixels' width, over what lies within `SAME_SURFACE_MM` of the reading in the middle.

    Args:
        camera_depth: (N, 1, k H, k W).
        camera_px: k, odd.
        half_cube_mm: (), what 1 of network depth is.

    Returns:
        (N, 1, H, W).
    """
    k, most = camera_px, SAME_SURFACE_MM / half_cube_mm
    middle = camera_depth[..., k // 2 :: k, k // 2 :: k]
    height, width = middle.shape[-2:]
    around = F.pad(camera_depth, (k, k, k, k), value=_NOWHERE)
    total, weights = torch.zeros_like(middle), torch.zeros_like(middle)
    for y in range(1 - k, k):
        for x in range(1 - k, k):
            top, left = k + k // 2 + y, k + k // 2 + x
            change = around[..., top : top + k * height : k, left : left + k * width : k] - middle
            weight = (1 - abs(y) / k) * (1 - abs(x) / k) * (change.abs() <= most)
            total, weights = total + weight * change, weights + weight
    return middle + total / weights


def round_disparity(depth: Tensor, distance_mm: Tensor, half_cube_mm: Tensor, step_mm: float) -> Tensor:
    """Round depths to whole steps of disparity, which grow with the square of the distance.

    Args:
        depth: (N, 1, H, W).
        distance_mm: (N,), depth of the centre of each map's cube.
        half_cube_mm: (), what 1 of network depth is.
        step_mm: One step at 1 m.
    """
    with torch.no_grad():
        depth_mm = (distance_mm.to(depth).view(-1, 1, 1, 1) + depth * half_cube_mm).clamp(min=1.0)
        disparity = (1e6 / step_mm / depth_mm).round().clamp(min=1.0)
        change = (1e6 / step_mm / disparity - depth_mm) / half_cube_mm
    return depth + change


def round_depth(depth: Tensor, distance_mm: Tensor, cube_mm: Tensor, unit_mm: float) -> Tensor:
    """Round the readings of maps to whole units, as they are when they have been written.

    Args:
        depth: (N, 1, H, W); +1, no reading, stays.
        distance_mm: (N,), depth of the centre of each map's cube.
        cube_mm: (N,), side of each map's cube.
        unit_mm: Depth unit.
    """
    with torch.no_grad():
        centre_mm, half_mm = (values.to(depth).view(-1, 1, 1, 1) for values in (distance_mm, cube_mm / 2))
        rounded = (((centre_mm + depth * half_mm) / unit_mm).round() * unit_mm - centre_mm) / half_mm
        change = torch.where(is_reading(depth), rounded - depth, 0.0)
    return depth + change
