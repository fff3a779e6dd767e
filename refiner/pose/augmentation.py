"""Random turns, scales and shifts of labelled maps: what a crop of the same hand might have been."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from refiner.nets.blocks import NO_READING, is_reading


@dataclass(frozen=True)
class PoseAugmentation:
    """How far maps and their joints are moved together, each item by random numbers of its own.

    Attributes:
        rotation_deg: Turn in the picture, at most.
        scale: Largest relative change of size in the picture.
        shift: Largest shift in the picture along each axis, in half maps.
        depth_shift: Largest shift along the depth, in half cubes.
    """

    rotation_deg: float = 20.0
    scale: float = 0.1
    shift: float = 0.08
    depth_shift: float = 0.08

    def __post_init__(self) -> None:
        """Refuse what makes no map.

        Raises:
            ValueError: A range is negative, or one of the last three is not below 1.
        """
        ranges = self.scale, self.shift, self.depth_shift
        if not (0 <= self.rotation_deg <= 180 and all(0 <= value < 1 for value in ranges)):
            raise ValueError(f"Found {self}, wanted 0 <= rotation_deg <= 180 and the others from 0 to below 1.")

    def __call__(self, depth: Tensor, joints: Tensor, key: tuple[int, ...]) -> tuple[Tensor, Tensor]:
        """Move maps and joints.

        Args:
            depth: (N, 1, H, W) network depth, +1 = no reading.
            joints: (N, J, 3) crop coordinates.
            key: Seed of the random numbers.

        Returns:
            Both, moved. Every depth comes from one pixel: nothing is mixed across a silhouette.
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
        beyond = moved + offset.view(-1, 1, 1, 1)
        # What leaves the cube through its back is gone, as in a crop; what leaves it in front stays on the near face.
        moved = torch.where(readings & (beyond < NO_READING), beyond.clamp(min=-1), NO_READING)
        uv = torch.einsum("nij,nkj->nki", to_tensor(turn * size[:, None, None]), joints[..., :2])
        uv = uv + to_tensor(shift)[:, None]
        return moved, torch.cat([uv, joints[..., 2:] + offset.view(-1, 1, 1)], dim=-1)
