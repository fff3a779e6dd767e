"""Scenes and noise for tests of a refiner's parts."""

import torch

from refiner.nets.refiner.scene import look_at

METRE = torch.tensor([1000.0])


def discs(items, size=16):
    """Network depth of discs, +1 around them."""
    v, u = torch.meshgrid(torch.arange(size), torch.arange(size), indexing="ij")
    radius = torch.hypot(u - size / 2, v - size / 2)
    depth = torch.stack([torch.where(radius < 3 + i % 3, radius / 20 - 0.3 + 0.05 * i, 1.0) for i in range(items)])
    return depth[:, None]


def look(depth, distance_mm=1000.0, reach_px=2):
    """Look at renders at one distance, with a reference of 1 m."""
    return look_at(depth, torch.full((len(depth),), distance_mm), METRE[0], reach_px)


def noise_for(part, items, size=16, seed=0):
    """Noise that a refiner or a part of one takes."""
    generator = torch.Generator().manual_seed(seed)
    shapes = part.noise_shapes(size, size)
    return {name: torch.randn((items, *shape), generator=generator) for name, shape in shapes.items()}


def zeros_for(part, items, size=16):
    """The same without any noise."""
    return {name: 0 * values for name, values in noise_for(part, items, size).items()}
