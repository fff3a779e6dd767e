"""What the parts of a refiner look at."""

from typing import NamedTuple

from torch import Tensor

from refiner.nets.blocks import beside_edge, dimness_octaves, extend_readings, is_reading


class Scene(NamedTuple):
    """Renders, and what is known of them.

    Attributes:
        depth: (N, 1, H, W), the renders.
        surface: (N, 1, H, W), continued outwards as far as readings may arise; +1 beyond.
        reading: (N, 1, H, W), 1 where a render has a reading, else 0.
        dimness: (N, 1, H, W), octaves, see `refiner.nets.blocks.dimness_octaves`.
        distance_mm: (N,), depth of the centre of each map's cube.
        edge: (N, 1, H, W), 1 beside edges, outlines among them, else 0; see `refiner.nets.blocks.beside_edge`.
    """

    depth: Tensor
    surface: Tensor
    reading: Tensor
    dimness: Tensor
    distance_mm: Tensor
    edge: Tensor


def look_at(depth: Tensor, distance_mm: Tensor | None, reference_mm: Tensor, reach_px: int) -> Scene:
    """Look at renders.

    Args:
        depth: (N, 1, H, W).
        distance_mm: (N,), depth of the centre of each map's cube.
        reference_mm: (), the distance at which dimness is counted from 0.
        reach_px: How far outside the render readings may arise, along each axis.

    Raises:
        ValueError: No distances were given.
    """
    if distance_mm is None:
        raise ValueError("This network sees the maps' distance: give distance_mm.")
    surface, reading = extend_readings(depth, reach_px), is_reading(depth).to(depth.dtype)
    dimness, edge = dimness_octaves(depth, distance_mm, reference_mm), beside_edge(depth).to(depth)
    return Scene(depth, surface, reading, dimness, distance_mm, edge)
