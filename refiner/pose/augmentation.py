"""Random turns, scales and shifts of labelled maps: what a crop of the same hand might have been.

Noise and losses that belong to no camera can be added, as one does who knows nothing of the camera. They are off unless
asked for.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from refiner.nets.blocks import NO_READING, is_reading

_NOISE = 0x6E6F  # keeps the random numbers of noise and losses apart from those of the moves
_SQUARE = 1 / 8
"""Greatest side of an erased square, as a share of the map's: half a finger's length in a usual crop."""


@dataclass(frozen=True)
class PoseAugmentation:
    """How far maps and their joints are moved together, each item by random numbers of its own.

    Attributes:
        rotation_deg: Turn in the picture, at most.
        scale: Largest relative change of size in the picture.
        shift: Largest shift in the picture along each axis, in half maps.
        depth_shift: Largest shift along the depth, in half cubes.
        noise: Largest standard deviation of white noise of the depth, in half cubes. That of an item is drawn uniformly
            from 0 to it.
        lost: Largest share of readings that are lost one by one. That of an item is drawn uniformly from 0 to it.
        squares: Largest number of squares that are erased, anywhere in the map (random erasing, Zhong et al., AAAI
            2020). That of an item is drawn uniformly from 0 to it, and their sides from 1 px to an eighth of the map's.
    """

    rotation_deg: float = 20.0
    scale: float = 0.1
    shift: float = 0.08
    depth_shift: float = 0.08
    noise: float = 0.0
    lost: float = 0.0
    squares: int = 0

    def __post_init__(self) -> None:
        """Refuse what makes no map.

        Raises:
            ValueError: A range is negative, or one that is a share is not below 1.
        """
        shares = self.scale, self.shift, self.depth_shift, self.noise, self.lost
        if not (0 <= self.rotation_deg <= 180 and all(0 <= value < 1 for value in shares) and self.squares >= 0):
            raise ValueError(
                f"Found {self}, wanted 0 <= rotation_deg <= 180, squares >= 0 and the others from 0 to below 1."
            )

    def __call__(self, depth: Tensor, joints: Tensor, key: tuple[int, ...]) -> tuple[Tensor, Tensor]:
        """Move maps and joints.

        Args:
            depth: (N, 1, H, W) network depth, +1 = no reading.
            joints: (N, J, 3) crop coordinates.
            key: Seed of the random numbers.

        Returns:
            Both, moved. Every depth comes from one pixel: nothing is mixed across a silhouette. Noise and losses follow
            and move no joint.
        """
        rng = np.random.default_rng(key)
        count = len(depth)
        angle = np.radians(rng.uniform(-self.rotation_deg, self.rotation_deg, count))
        size = 1 + rng.uniform(-self.scale, self.scale, count)
        shift = rng.uniform(-self.shift, self.shift, (count, 2))
        deeper = rng.uniform(-self.depth_shift, self.depth_shift, count)
        # uv' = size R uv + shift; the map at uv' is looked up at uv.
        turn = np.stack([np.cos(angle), -np.sin(angle), np.sin(angle), np.cos(angle)], -1).reshape(-1, 2, 2)
        inverse = turn.transpose(0, 2, 1) / size[:, None, None]
        theta = np.concatenate([inverse, -inverse @ shift[..., None]], axis=-1)
        to_tensor = lambda array: torch.from_numpy(array.astype(np.float32)).to(depth)  # noqa: E731
        grid = F.affine_grid(to_tensor(theta), list(depth.shape), align_corners=False)
        moved = F.grid_sample(depth - NO_READING, grid, mode="nearest", align_corners=False) + NO_READING
        readings = is_reading(moved)
        offset = to_tensor(deeper)
        moved = _within_cube(moved + offset.view(-1, 1, 1, 1), readings)
        moved = self._worn(moved, np.random.default_rng((_NOISE, *key)))
        uv = torch.einsum("nij,nkj->nki", to_tensor(turn * size[:, None, None]), joints[..., :2])
        uv = uv + to_tensor(shift)[:, None]
        return moved, torch.cat([uv, joints[..., 2:] + offset.view(-1, 1, 1)], dim=-1)

    def _worn(self, depth: Tensor, rng: np.random.Generator) -> Tensor:
        """Add noise to readings and take some of them away."""
        count, _, height, width = depth.shape
        pixel = (count, 1, height, width)
        if self.noise:
            strength = rng.uniform(0, self.noise, (count, 1, 1, 1)).astype(np.float32)
            noise = torch.from_numpy(strength * rng.standard_normal(pixel, dtype=np.float32)).to(depth)
            depth = _within_cube(depth + noise, is_reading(depth))
        gone = np.zeros(pixel, bool)
        if self.lost:
            gone |= rng.random(pixel, dtype=np.float32) < rng.uniform(0, self.lost, (count, 1, 1, 1))
        if self.squares:
            wanted = rng.integers(0, self.squares + 1, count)
            for item, number in enumerate(wanted):
                sides = rng.integers(1, max(1, round(_SQUARE * width)) + 1, number)
                for side, (v, u) in zip(sides, rng.integers(0, (height, width), (number, 2)), strict=True):
                    gone[item, 0, v : v + side, u : u + side] = True
        return torch.where(torch.from_numpy(gone).to(depth.device), NO_READING, depth) if gone.any() else depth


def _within_cube(depth: Tensor, readings: Tensor) -> Tensor:
    """Lose what leaves the cube through its back, as in a crop; what leaves it in front stays on the near face."""
    return torch.where(readings & (depth < NO_READING), depth.clamp(min=-1), NO_READING)
