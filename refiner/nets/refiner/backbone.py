"""The part of a refiner that sees: what is around a pixel, in a few numbers for each."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from refiner.nets.blocks import DISTANCE_PLANES, ResidualBlock, detail_channels, distance_planes
from refiner.nets.refiner.scene import Scene

_LEAK = 0.2
"""Negative slope: with ReLU every unit of the last block died within 1,000 updates."""

_SLOPE_GAIN = 20.0
_SCENE_PLANES = 5
"""Depth, two slopes, dimness, readings."""


class Backbone(nn.Module):
    """ResNet blocks at 1/fold of the resolution, where they are cheap (pixel unshuffle: nothing is lost).

    The last layer starts at zero, so that an untrained network says 0 of every pixel.
    """

    def __init__(self, planes: int, numbers: int, channels: int, blocks: int, fold: int) -> None:
        """Build it.

        Args:
            planes: Planes that it sees beside the scene.
            numbers: Numbers that it gives for each pixel.
            channels: Features of every layer.
            blocks: Blocks of two 3x3 convolutions.
            fold: Factor of the pixel unshuffle.
        """
        super().__init__()
        self.fold = fold
        self.first = nn.Conv2d((_SCENE_PLANES + planes) * fold**2 + DISTANCE_PLANES, channels, 3, padding=1)
        self.blocks = nn.Sequential(*(ResidualBlock(channels, 3, _LEAK) for _ in range(blocks)))
        self.last = nn.Conv2d(channels, numbers * fold**2, 3, padding=1)
        nn.init.zeros_(self.last.weight)
        nn.init.zeros_(self.last.bias)  # pyright: ignore[reportArgumentType]
        # Convolutions of few channels are about a quarter faster on a CPU with the channels innermost.
        self.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]

    def forward(self, scene: Scene, planes: list[Tensor]) -> Tensor:
        """See a scene and more planes, (N, 1, H, W) each.

        Returns:
            (N, numbers, H, W) in float32.
        """
        height, width = scene.depth.shape[-2:]
        slopes = detail_channels(scene.surface, _SLOPE_GAIN, torch.asinh)
        seen = torch.cat([slopes, scene.dimness / 2, scene.reading, *planes], dim=1)
        if height % self.fold or width % self.fold:
            seen = F.pad(seen, (0, -width % self.fold, 0, -height % self.fold), mode="replicate")
        folded = F.pixel_unshuffle(seen, self.fold)
        folded = torch.cat([folded, distance_planes(scene.distance_mm, folded)], dim=1)
        features = self.blocks(F.leaky_relu_(self.first(folded.contiguous(memory_format=torch.channels_last)), _LEAK))
        return F.pixel_shuffle(self.last(features).float(), self.fold)[..., :height, :width]
