"""Parts that the networks share.

Depth here is the network's: (N, 1, H, W) in [-1, 1] of the crop cube, and +1, the far face, where there is no reading.
Nothing normalises over the batch: what a map becomes must not depend on the maps beside it.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

NO_READING = 1.0
"""The network value of a pixel without a reading (see `refiner.geometry.depth`)."""


def is_reading(depth: Tensor) -> Tensor:
    """Say which pixels hold a reading, for maps in which a missing one is exactly +1."""
    return depth < NO_READING


def extend_readings(depth: Tensor, reach_px: int) -> Tensor:
    """Continue the nearest surface outwards over pixels without a reading.

    Args:
        depth: (N, 1, H, W).
        reach_px: How far, in pixels along each axis.

    Returns:
        The same shape; pixels with a reading are unchanged, the others hold the smallest depth within reach, or +1.
    """
    if reach_px == 0:
        return depth
    # A square window is the row's minimum followed by the column's; shifted minima take a tenth of max_pool2d's time.
    nearest = depth
    for axis, margin in ((3, (reach_px, reach_px, 0, 0)), (2, (0, 0, reach_px, reach_px))):
        padded, length = F.pad(nearest, margin, value=NO_READING), depth.shape[axis]
        nearest = padded.narrow(axis, 0, length)
        for shift in range(1, 2 * reach_px + 1):
            nearest = torch.minimum(nearest, padded.narrow(axis, shift, length))
    return torch.where(is_reading(depth), depth, nearest)


def mean_around(values: Tensor, side_px: int, count_include_pad: bool = True) -> Tensor:
    """Average over the square around each pixel, rows first: 15 x 15 px take a seventh of `avg_pool2d`'s time.

    Args:
        values: (N, C, H, W).
        side_px: Side of the square, odd.
        count_include_pad: Whether what lies outside counts as zeros, or not at all.
    """
    half = side_px // 2
    for side, margin in (((1, side_px), (0, half)), ((side_px, 1), (half, 0))):
        values = F.avg_pool2d(values, side, 1, margin, count_include_pad=count_include_pad)
    return values


def detail_channels(depth: Tensor, gain: float, compressed: Callable[[Tensor], Tensor] = torch.tanh) -> Tensor:
    """Stack a map with its compressed slopes, so that millimetres of noise are as visible as the silhouette.

    Sensor noise is about 0.01 of the value range, the step at the silhouette about 1; without this a discriminator
    sees the second alone. A slope s becomes tanh(gain s); or asinh(gain s), in which rims that fly by 20 mm and by 50
    do not look alike.

    Args:
        depth: (N, 1, H, W).
        gain: Slope gain, per unit of network depth.
        compressed: tanh or asinh.

    Returns:
        (N, 3, H, W): depth, slope to the right, slope downwards; 0 beside a pixel without a reading, whose edge the
        depth shows well enough, and in the last column or row.
    """
    reading = is_reading(depth)
    slopes = []
    for axis, margin in ((3, (0, 1, 0, 0)), (2, (0, 0, 0, 1))):
        length = depth.shape[axis] - 1
        both = reading.narrow(axis, 0, length) & reading.narrow(axis, 1, length)
        slope = compressed(gain * (depth.narrow(axis, 1, length) - depth.narrow(axis, 0, length)))
        slopes.append(F.pad(slope * both, margin))
    return torch.cat([depth, *slopes], dim=1)


_JUMP = 0.1
"""Step between neighbours that makes an edge, in half cubes: surfaces tilted by 70 degrees have as much at 64 px."""


def beside_edge(depth: Tensor) -> Tensor:
    """Return which pixels are up to 2 px from a step of depth, as outlines are: (N, 1, H, W).

    There a camera mixes what lies in front with what lies behind.
    """
    steps = torch.zeros_like(depth)
    for axis, after, before in ((3, (0, 1, 0, 0), (1, 0, 0, 0)), (2, (0, 0, 0, 1), (0, 0, 1, 0))):
        step = depth.diff(dim=axis).abs()
        steps = torch.maximum(steps, torch.maximum(F.pad(step, after), F.pad(step, before)))
    return widened(steps > _JUMP, 1)


def widened(mask: Tensor, reach_px: int) -> Tensor:
    """Return which pixels have one of a mask within reach along each axis: (N, 1, H, W).

    Shifts of a mask take a small part of max_pool2d's time.
    """
    for axis, margin in ((3, (reach_px, reach_px, 0, 0)), (2, (0, 0, reach_px, reach_px))):
        padded, length = F.pad(mask, margin), mask.shape[axis]
        for shift in range(2 * reach_px + 1):
            mask = mask | padded.narrow(axis, shift, length)
    return mask


def bounded(change: Tensor, most: float) -> Tensor:
    """Return most tanh(change / most): small changes as they are, and none beyond the bound."""
    return most * torch.tanh(change / most)


def curvature_channels(depth: Tensor, gain: float) -> Tensor:
    """Give a map's compressed second differences, in which noise stands alone.

    A tilted surface has slopes of many millimetres a pixel, in which `detail_channels` hardly shows one of noise; its
    second differences are small. A difference c becomes tanh(gain c).

    Args:
        depth: (N, 1, H, W).
        gain: Per unit of network depth.

    Returns:
        (N, 2, H, W): of the row, of the column; 0 where one of the three pixels has no reading, and at the border.
    """
    reading, planes = is_reading(depth), []
    for axis, margin in ((3, (1, 1, 0, 0)), (2, (0, 0, 1, 1))):
        before, here, after = (depth.narrow(axis, start, depth.shape[axis] - 2) for start in range(3))
        readings = [reading.narrow(axis, start, depth.shape[axis] - 2) for start in range(3)]
        curvature = torch.tanh(gain * (before + after - 2 * here))
        planes.append(F.pad(curvature * (readings[0] & readings[1] & readings[2]), margin))
    return torch.cat(planes, dim=1)


def returned_light(depth: Tensor) -> Tensor:
    """Give the share of its light that comes back to each pixel of a camera that lives on its own light.

    Lambert's cosine, between a surface and the direction to the camera, averaged over the 3 x 3 px that a pixel's spot
    is taken to cover; where there is no surface nothing comes back. How light falls with distance is left out. A step
    of 1 in depth is half a cube and a pixel is a cube / W, so a slope s is the tangent s W / 2, whatever the cube. Of
    the slopes to the neighbours on either side the smaller is the surface's own: the other may lead to another finger.

    Args:
        depth: (N, 1, H, W).

    Returns:
        (N, 1, H, W) in [0, 1]: about 0.9 on a palm held up, 0.5 at rims, less on tips and far tilted fingers.
    """
    reading, square = is_reading(depth), 1.0
    for axis, after, before in ((3, (0, 1, 0, 0), (1, 0, 0, 0)), (2, (0, 0, 0, 1), (0, 0, 1, 0))):
        length = depth.shape[axis] - 1
        both = reading.narrow(axis, 0, length) & reading.narrow(axis, 1, length)
        slope = (depth.narrow(axis, 1, length) - depth.narrow(axis, 0, length)).abs()
        slope = torch.where(both, slope, torch.inf)
        own = torch.minimum(F.pad(slope, after, value=torch.inf), F.pad(slope, before, value=torch.inf))
        square = square + (torch.where(own.isinf(), 0.0, own) * depth.shape[3] / 2).square()
    return mean_around(square**-0.5 * reading, 3)


_LEAST_LIGHT = 0.05


def dimness_octaves(depth: Tensor, distance_mm: Tensor | None, reference_mm: Tensor) -> Tensor:
    """Say by how many halvings the light that comes back falls short of what faces the camera at a reference distance.

    The camera's own light falls with the square of the distance, and with the cosine of the tilt (`returned_light`):

        q = 2 log2(z / reference) - log2(light)

    Args:
        depth: (N, 1, H, W).
        distance_mm: (N,), depth of the centre of each map's cube: that within a hand is alike.
        reference_mm: (), the reference distance.

    Returns:
        (N, 1, H, W), at the reference distance 0 to 4.3; less nearer by; that of a twentieth of the light where there
        is no reading.

    Raises:
        ValueError: No distances were given.
    """
    if distance_mm is None:
        raise ValueError("This network was built to know how light falls (sharpness): give distance_mm.")
    farther = 2 * (distance_mm.to(depth) / reference_mm).log2()
    return farther[:, None, None, None] - returned_light(depth).clamp(min=_LEAST_LIGHT).log2()


DISTANCE_PLANES = 3


def distance_planes(distance_mm: Tensor | None, depth: Tensor) -> Tensor:
    """Give every map's distance from the camera as constant planes: log2 of metres, and its sine and cosine in turns.

    Sensors follow powers of the distance. The logarithm alone hardly tells 1.4 m from 2 m beside depths in [-1, 1].

    Args:
        distance_mm: (N,), depth of the centre of each map's cube.
        depth: (N, ., H, W), for the shape.

    Returns:
        (N, `DISTANCE_PLANES`, H, W).

    Raises:
        ValueError: No distances were given.
    """
    if distance_mm is None:
        raise ValueError("This network was built to see the maps' distance (sees_distance): give distance_mm.")
    octaves = (distance_mm.to(depth) / 1000).log2()
    turns = 2 * torch.pi * octaves
    return torch.stack([octaves, turns.sin(), turns.cos()], dim=1)[:, :, None, None].expand(-1, -1, *depth.shape[-2:])


def cell_grid(height: int, width: int, like: Tensor) -> Tensor:
    """Give the crop coordinates of the centres of cells, (2, H, W): u, then v."""
    v = (torch.arange(height, device=like.device, dtype=torch.float32) + 0.5) * (2 / height) - 1
    u = (torch.arange(width, device=like.device, dtype=torch.float32) + 0.5) * (2 / width) - 1
    return torch.stack([u[None, :].expand(height, width), v[:, None].expand(height, width)])


def cell_depth(depth: Tensor, height: int, width: int) -> Tensor:
    """Give the mean depth of the readings of each cell, (N, 1, height, width); 0, the centre, where it has none."""
    reading = is_reading(depth).to(depth.dtype)
    count = F.adaptive_avg_pool2d(reading, (height, width))
    total = F.adaptive_avg_pool2d(depth * reading, (height, width))
    return total / count.clamp(min=1e-6)


class ResidualBlock(nn.Module):
    """The paper's ResNet block: convolution, ReLU, convolution, plus the input, ReLU.

    With a negative slope the rectifiers leak: a unit that a large step has put below 0 everywhere can come back.
    """

    def __init__(self, channels: int, kernel: int, negative_slope: float = 0.0) -> None:
        super().__init__()
        self.negative_slope = negative_slope
        self.first = nn.Conv2d(channels, channels, kernel, padding=kernel // 2)
        self.second = nn.Conv2d(channels, channels, kernel, padding=kernel // 2)

    def forward(self, features: Tensor) -> Tensor:
        """Map (N, channels, H, W) to the same shape."""
        # In place, on results that no gradient needs: on a CPU fresh memory costs more than the arithmetic.
        change = self.second(F.leaky_relu_(self.first(features), self.negative_slope))
        return F.leaky_relu_(change.add_(features), self.negative_slope)
