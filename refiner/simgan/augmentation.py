"""What the discriminator does not get to know: random changes of the maps it judges, the same for real and refined.

Where the hands of the two sets differ in pose, a discriminator can tell the pose and not the noise, and the refiner
is pushed to make other hands. A cue that is made random in both sets is of no use to it: of the differentiable
augmentations of Zhao et al. 2020 (arXiv 2006.10738) these are the ones that leave sensor noise as it is.

Where there are few maps it also keeps the discriminator from learning these by heart. One that judges a patch every
4 px sees no more than a sixteenth of them: of 106 maps of a Kinect v2 it named 94 % of the patches rightly after 12,000
updates, and of the same maps moved by a pixel 56 %.
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from refiner.nets.blocks import is_reading

FARTHEST = 0.95
"""Readings are not moved beyond this network depth: they must stay apart from +1, no reading."""


@dataclass(frozen=True)
class Augmentation:
    """Random changes of whole maps; the default changes nothing, as in the paper.

    Attributes:
        depth_offset: All readings of a map are moved by one number from [-depth_offset, depth_offset], in half cubes.
        flip_up_down: Half of the maps are turned upside down.
        flip_left_right: Half of them are mirrored. Not for structured light, whose shadows lie on one side.
        shift_px: Maps are moved by up to so many whole pixels along each axis; what comes in has no reading.
    """

    depth_offset: float = 0.0
    flip_up_down: bool = False
    flip_left_right: bool = False
    shift_px: int = 0

    def __post_init__(self) -> None:
        """Refuse what cannot be done.

        Raises:
            ValueError: The offset is not in [0, 1], or the shift is less than 0.
        """
        if not 0 <= self.depth_offset <= 1:
            raise ValueError(f"Found depth_offset {self.depth_offset}, wanted 0 <= depth_offset <= 1 (half cubes).")
        if self.shift_px < 0:
            raise ValueError(f"Found shift_px {self.shift_px}, wanted shift_px >= 0 (pixels of the maps).")

    def __call__(self, depth: Tensor, key: tuple[int, ...]) -> Tensor:
        """Change maps; gradients pass.

        Args:
            depth: (N, 1, H, W) in [-1, 1], +1 = no reading.
            key: Seed of the random numbers.

        Returns:
            The same shape; no reading stays exactly +1. Readings may lie below -1.
        """
        rng = np.random.default_rng(key)
        turned, shift_px = self._places(len(depth), rng)
        depth = _shifted(_flipped(depth, turned), shift_px, fill=1.0)
        shape = len(depth), 1, 1, 1
        if self.depth_offset:
            offset = rng.uniform(-self.depth_offset, self.depth_offset, shape).astype(np.float32)
            moved = (depth + torch.from_numpy(offset).to(depth)).clamp(max=FARTHEST)
            depth = torch.where(is_reading(depth), moved, depth)  # holes keep their gradient: they are chosen, too
        return depth

    def turn_back(self, costs: Tensor, key: tuple[int, ...]) -> Tensor:
        """Put what was found out about changed maps back where the maps were.

        Args:
            costs: (N, 1, H, W); 0 where the change moved pixels out of the map.
            key: Of the maps' change.
        """
        turned, shift_px = self._places(len(costs), np.random.default_rng(key))
        return _flipped(_shifted(costs, -shift_px, fill=0.0), turned)

    def _places(self, count: int, rng: np.random.Generator) -> tuple[dict[int, NDArray[np.bool_]], NDArray[np.int64]]:
        """Draw which maps are flipped along which axis, and by how many pixels, (N, 2), they are moved."""
        axes = ((2, self.flip_up_down), (3, self.flip_left_right))
        turned = {axis: rng.random(count) < 0.5 for axis, flips in axes if flips}
        if self.shift_px == 0:
            return turned, np.zeros((count, 2), np.int64)
        return turned, rng.integers(-self.shift_px, self.shift_px, (count, 2), endpoint=True)


def _flipped(maps: Tensor, turned: dict[int, NDArray[np.bool_]]) -> Tensor:
    for axis, which in turned.items():
        maps = torch.where(torch.from_numpy(which).to(maps.device).view(-1, 1, 1, 1), maps.flip(axis), maps)
    return maps


def _shifted(maps: Tensor, shift_px: NDArray[np.int64], fill: float) -> Tensor:
    """Move each map down and to the right."""
    margin = int(np.abs(shift_px).max(initial=0))
    if margin == 0:
        return maps
    height, width = maps.shape[-2:]
    padded = F.pad(maps, [margin] * 4, value=fill)
    corners = margin - shift_px
    return torch.stack([map_[:, y : y + height, x : x + width] for map_, (y, x) in zip(padded, corners, strict=True)])
