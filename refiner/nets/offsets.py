"""Pose estimators in which every cell of the map votes for every joint.

All estimators take (N, 1, H, W) network depth ([-1, 1], +1 = no reading) and give joints in *crop coordinates*
(N, J, 3): u and v run from -1 to +1 over the map, d over the cube, as depth does (see `refiner.pose.coordinates`).
What they share:

    stages(depth)         -> one tensor of maps for each stage, the last one best
    joints(maps, depth)   -> (N, J, 3)
    loss(depth, joints)   -> what to descend on, over all stages
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from refiner.nets.blocks import NO_READING, cell_depth, cell_grid, is_reading
from refiner.operators import torchvision


class DenseOffsets(nn.Module):
    """Every cell votes for every joint: an offset from its own point on the surface, and how much the vote counts.

        joint_j = sum_p softmax_p(w_j) (x_p + o_jp),        x_p = (u, v, depth) of cell p

    Dense offsets with learned weights, after Huang et al. 2020, "AWR" (AAAI), which reports 7.4 mm on NYU with a
    ResNet-50 and 7.8 mm with a ResNet-18. The loss is the L1 distance of the joint and, as AWR's dense term, that of
    the votes themselves, each by its weight.
    """

    def __init__(self, backbone: nn.Module, channels: int, joints: int) -> None:
        """Put the head on a backbone that gives (N, channels, h, w)."""
        super().__init__()
        self.backbone, self.count = backbone, joints
        self.head = nn.Conv2d(channels, 4 * joints, 1)
        nn.init.normal_(self.head.weight, std=0.01)
        nn.init.zeros_(self.head.bias)  # pyright: ignore[reportArgumentType]

    def stages(self, depth: Tensor) -> list[Tensor]:
        """Give one tensor: (N, 4 J, h, w), for each joint weight, then offsets u, v, d."""
        return [self.head(self.backbone(depth)).float()]

    def joints(self, maps: Tensor, depth: Tensor) -> Tensor:
        """Add up the votes: (N, J, 3)."""
        weights, votes = self._votes(maps, depth)
        return (weights * votes).sum(dim=-1)

    def loss(self, depth: Tensor, joints: Tensor) -> Tensor:
        """Give the L1 distances of joint and votes, over known joints (N, J, 3), NaN where unknown."""
        (maps,) = self.stages(depth)
        weights, votes = self._votes(maps, depth)
        known = torch.isfinite(joints)
        target = torch.where(known, joints, 0.0)
        joint = ((weights * votes).sum(dim=-1) - target).abs()
        vote = (weights * (votes - target[..., None]).abs()).sum(dim=-1)
        return ((joint + vote) * known).sum() / known.sum().clamp(min=1)

    def _votes(self, maps: Tensor, depth: Tensor) -> tuple[Tensor, Tensor]:
        """Give weights (N, J, 1, P), which add up to 1, and votes (N, J, 3, P)."""
        items, _, height, width = maps.shape
        maps = maps.view(items, self.count, 4, height * width)
        surface = cell_depth(depth, height, width).flatten(2)
        grid = cell_grid(height, width, maps).flatten(1).expand(items, 2, -1)
        points = torch.cat([grid, surface], dim=1)
        return maps[:, :, :1].softmax(dim=-1), points[:, None] + maps[:, :, 1:]


class _Residual(nn.Module):
    """Two 3x3 convolutions with group normalisation beside a shortcut; stride in the first."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False),
            nn.GroupNorm(4, outputs),
            nn.ReLU(inplace=True),
            nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False),
            nn.GroupNorm(4, outputs),
        )
        same = inputs == outputs and stride == 1
        self.shortcut = nn.Identity() if same else nn.Conv2d(inputs, outputs, 1, stride)

    def forward(self, features: Tensor) -> Tensor:
        return F.relu(self.body(features) + self.shortcut(features))


class _SmallBackbone(nn.Module):
    """Maps of any size to a grid of 16 x 16 cells, by way of 8 x 8."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(2 * 16, channels, 3, padding=1)
        self.fine = _Residual(channels, channels)
        self.coarse = nn.Sequential(_Residual(channels, 2 * channels, 2), _Residual(2 * channels, 2 * channels))
        self.back = nn.Conv2d(2 * channels, channels, 1)
        self.last = _Residual(channels, channels)
        self.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]

    def forward(self, depth: Tensor) -> Tensor:
        side = 64
        if depth.shape[-1] != side:  # never across a silhouette: depths are picked, not mixed
            depth = F.interpolate(depth, size=(side, side), mode="nearest")
        planes = torch.cat([torch.where(is_reading(depth), depth, 0.0), is_reading(depth).to(depth.dtype)], dim=1)
        features = F.pixel_unshuffle(planes, 4).contiguous(memory_format=torch.channels_last)
        fine = self.fine(F.relu(self.first(features)))
        return self.last(fine + F.interpolate(self.back(self.coarse(fine)), scale_factor=2.0, mode="nearest"))


class SmallEstimator(DenseOffsets):
    """Dense offsets on a small network of its own: for a CPU in minutes. Maps of other sizes are read at 64 px."""

    def __init__(self, joints: int = 21, channels: int = 48) -> None:
        """Build the network.

        Args:
            joints: Joints to find.
            channels: Features at 16 x 16 cells; twice as many at 8 x 8.
        """
        super().__init__(_SmallBackbone(channels), channels, joints)
        self.settings: dict[str, Any] = {"joints": joints, "channels": channels}


class _ResNetBackbone(nn.Module):
    """torchvision's ResNet to 1/32 of the resolution, and back up to 1/4 with skips."""

    def __init__(self, layers: int, channels: int, input_px: int) -> None:
        super().__init__()
        if layers not in (18, 34, 50):
            raise ValueError(f"Found a ResNet of {layers} layers, wanted 18, 34 or 50.")
        body = getattr(torchvision.models, f"resnet{layers}")(weights=None)
        body.conv1 = nn.Conv2d(1, 64, 7, 2, 3, bias=False)
        self.input_px = input_px
        self.first = nn.Sequential(body.conv1, body.bn1, body.relu, body.maxpool)
        self.down = nn.ModuleList([body.layer1, body.layer2, body.layer3, body.layer4])
        widths = [64, 128, 256, 512] if layers < 50 else [256, 512, 1024, 2048]
        self.skips = nn.ModuleList(nn.Conv2d(width, channels, 1) for width in widths)
        self.merge = nn.ModuleList(
            nn.Sequential(nn.Conv2d(channels, channels, 3, padding=1), nn.BatchNorm2d(channels), nn.ReLU())
            for _ in widths[:-1]
        )

    def forward(self, depth: Tensor) -> Tensor:
        if depth.shape[-1] != self.input_px:
            depth = F.interpolate(depth, size=(self.input_px, self.input_px), mode="nearest")
        features, levels = self.first(depth - NO_READING), []
        for stage in self.down:
            features = stage(features)
            levels.append(features)
        merged = self.skips[-1](levels[-1])
        for level in (2, 1, 0):
            skip = self.skips[level](levels[level])
            merged = self.merge[level](skip + F.interpolate(merged, size=skip.shape[-2:], mode="nearest"))
        return merged


class OffsetEstimator(DenseOffsets):
    """Dense offsets on a ResNet: strong, for a GPU. 128 px of a 260 to 300 mm cube give a grid of 32 x 32 cells."""

    def __init__(self, joints: int = 21, layers: int = 18, channels: int = 128, input_px: int = 128) -> None:
        """Build the network.

        Args:
            joints: Joints to find.
            layers: Of the ResNet: 18, 34 or 50.
            channels: Features of the grid.
            input_px: Maps are resized to this side, a multiple of 32.
        """
        super().__init__(_ResNetBackbone(layers, channels, input_px), channels, joints)
        self.settings: dict[str, Any] = {
            "joints": joints, "layers": layers, "channels": channels, "input_px": input_px,
        }  # fmt: skip
