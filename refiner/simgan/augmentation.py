"""What the discriminator does not get to know: random changes of the maps it judges, the same for real and refined.

Where the hands of the two sets differ in pose, a discriminator can tell the pose and not the noise, and the refiner
is pushed to make other hands. A cue that is made random in both sets is of no use to it: of the differentiable
augmentations of Zhao et al. 2020 (arXiv 2006.10738) these are the two that leave sensor noise as it is.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from refiner.nets.blocks import is_reading

FARTHEST = 0.95
"""Readings are not moved beyond this network depth: they must stay apart from +1, no reading."""


@dataclass(frozen=True)
class Augmentation:
    """Random changes of whole maps; the paper has none.

    Attributes:
        depth_offset: All readings of a map are moved by one number from [-depth_offset, depth_offset], in half cubes.
        flip_up_down: Half of the maps are turned upside down. Left and right are kept: the shadows of structured light
            lie on one side.
    """

    depth_offset: float = 0.5
    flip_up_down: bool = True

    def __post_init__(self) -> None:
        """Refuse what cannot be done.

        Raises:
            ValueError: The offset is not in [0, 1].
        """
        if not 0 <= self.depth_offset <= 1:
            raise ValueError(f"Found depth_offset {self.depth_offset}, wanted 0 <= depth_offset <= 1 (half cubes).")

    def __call__(self, depth: Tensor, key: tuple[int, ...]) -> Tensor:
        """Change maps; gradients pass.

        Args:
            depth: (N, 1, H, W) in [-1, 1], +1 = no reading.
            key: Seed of the random numbers.

        Returns:
            The same shape; no reading stays exactly +1. Readings may lie below -1.
        """
        rng = np.random.default_rng(key)
        depth = self._turn(depth, rng)
        shape = len(depth), 1, 1, 1
        if self.depth_offset:
            offset = rng.uniform(-self.depth_offset, self.depth_offset, shape).astype(np.float32)
            moved = (depth + torch.from_numpy(offset).to(depth)).clamp(max=FARTHEST)
            depth = torch.where(is_reading(depth), moved, depth)  # holes keep their gradient: they are chosen, too
        return depth

    def turn_back(self, costs: Tensor, key: tuple[int, ...]) -> Tensor:
        """Turn what was found out about changed maps back the way the maps were.

        Args:
            costs: (N, 1, h, w).
            key: Of the maps' change.
        """
        return self._turn(costs, np.random.default_rng(key))

    def _turn(self, maps: Tensor, rng: np.random.Generator) -> Tensor:
        if not self.flip_up_down:
            return maps
        turned = torch.from_numpy(rng.random((len(maps), 1, 1, 1)) < 0.5).to(maps.device)
        return torch.where(turned, maps.flip(2), maps)
