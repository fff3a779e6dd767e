"""The paper's pose estimator. What it shares with the others is said in `refiner.nets.offsets`."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from refiner.nets.blocks import NO_READING, cell_grid


class _Bottleneck(nn.Module):
    """The residual module of Newell et al. 2016: 1x1, 3x3, 1x1, normalised before each."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        half = outputs // 2
        layers: list[nn.Module] = []
        for before, after, kernel in ((inputs, half, 1), (half, half, 3), (half, outputs, 1)):
            layers += [nn.BatchNorm2d(before), nn.ReLU(), nn.Conv2d(before, after, kernel, padding=kernel // 2)]
        self.body = nn.Sequential(*layers)
        self.shortcut = nn.Identity() if inputs == outputs else nn.Conv2d(inputs, outputs, 1)

    def forward(self, features: Tensor) -> Tensor:
        return self.body(features) + self.shortcut(features)


class _Hourglass(nn.Module):
    """Down and up again by halves, with a skip at each resolution."""

    def __init__(self, channels: int, depth: int) -> None:
        super().__init__()
        self.skip = _Bottleneck(channels, channels)
        inner = _Hourglass(channels, depth - 1) if depth > 1 else _Bottleneck(channels, channels)
        self.low = nn.Sequential(
            nn.MaxPool2d(2), _Bottleneck(channels, channels), inner, _Bottleneck(channels, channels)
        )

    def forward(self, features: Tensor) -> Tensor:
        return self.skip(features) + F.interpolate(self.low(features), scale_factor=2.0, mode="nearest")


class HourglassEstimator(nn.Module):
    """The paper's estimator: stacked hourglasses (Newell et al. 2016) with heat maps of 64 x 64.

    Heat maps give u and v; beside each stands a map of the joint's depth, read where the heat map is, so that joints
    come out in millimetres as from the other estimators. The paper measures in the picture alone.
    """

    SIGMA_CELLS = 1.0

    def __init__(self, joints: int = 14, stacks: int = 2, channels: int = 256, input_px: int = 256) -> None:
        """Build the network.

        Args:
            joints: Joints to find; 14 in the paper, as in NYU's protocol.
            stacks: Hourglasses, each supervised.
            channels: Features.
            input_px: Maps are resized to this side; heat maps have a quarter of it.
        """
        super().__init__()
        self.settings: dict[str, Any] = {
            "joints": joints, "stacks": stacks, "channels": channels, "input_px": input_px,
        }  # fmt: skip
        self.count, self.input_px = joints, input_px
        self.first = nn.Sequential(
            nn.Conv2d(1, channels // 4, 7, 2, 3), nn.BatchNorm2d(channels // 4), nn.ReLU(),
            _Bottleneck(channels // 4, channels // 2), nn.MaxPool2d(2), _Bottleneck(channels // 2, channels),
        )  # fmt: skip
        # fmt: off
        self.hourglasses = nn.ModuleList(
            nn.Sequential(
                _Hourglass(channels, 4), _Bottleneck(channels, channels),
                nn.Conv2d(channels, channels, 1), nn.BatchNorm2d(channels), nn.ReLU(),
            )
            for _ in range(stacks)
        )
        # fmt: on
        self.heads = nn.ModuleList(nn.Conv2d(channels, 2 * joints, 1) for _ in range(stacks))
        self.features_back = nn.ModuleList(nn.Conv2d(channels, channels, 1) for _ in range(stacks - 1))
        self.maps_back = nn.ModuleList(nn.Conv2d(2 * joints, channels, 1) for _ in range(stacks - 1))

    def stages(self, depth: Tensor) -> list[Tensor]:
        """Give (N, 2 J, 64, 64) for each stack: heat maps, then depth maps."""
        if depth.shape[-1] != self.input_px:
            depth = F.interpolate(depth, size=(self.input_px, self.input_px), mode="nearest")
        features, maps = self.first(depth - NO_READING), []
        for stack, (hourglass, head) in enumerate(zip(self.hourglasses, self.heads, strict=True)):
            out = hourglass(features)
            maps.append(head(out))
            if stack < len(self.features_back):
                features = features + self.features_back[stack](out) + self.maps_back[stack](maps[-1])
        return [stage.float() for stage in maps]

    def joints(self, maps: Tensor, depth: Tensor) -> Tensor:  # noqa: ARG002 - the others look at the surface
        """Read the joints off one stage: the centre of mass of each peak's 5 x 5 cells, and the depth there."""
        heat, depths = maps.split(self.count, dim=1)
        height, width = heat.shape[-2:]
        flat = heat.flatten(2)
        peak = flat.argmax(dim=-1, keepdim=True)
        rows, columns = peak // width, peak % width
        v, u = torch.meshgrid(
            torch.arange(height, device=maps.device), torch.arange(width, device=maps.device), indexing="ij"
        )
        near = ((v.flatten() - rows).abs() <= 2) & ((u.flatten() - columns).abs() <= 2)
        weights = torch.where(near, flat.clamp(min=0), 0.0) + 1e-8 * near
        weights = weights / weights.sum(dim=-1, keepdim=True)
        grid = cell_grid(height, width, maps).flatten(1)
        uv = torch.einsum("njp,cp->njc", weights, grid)
        return torch.cat([uv, (weights * depths.flatten(2)).sum(dim=-1, keepdim=True)], dim=-1)

    def loss(self, depth: Tensor, joints: Tensor) -> Tensor:
        """Give the squared error of the heat maps (peak 1, times 64) and the L1 distance of depth under the peak."""
        total = depth.new_zeros(())
        known = torch.isfinite(joints).all(dim=-1)
        target = torch.where(known[..., None], joints, 0.0)
        for maps in self.stages(depth):
            heat, depths = maps.split(self.count, dim=1)
            height, width = heat.shape[-2:]
            grid = cell_grid(height, width, maps)
            square = (grid[None, None] - target[..., :2, None, None]).square().sum(dim=2)
            wanted = torch.exp(-square / (2 * (2 * self.SIGMA_CELLS / width) ** 2))
            shares = wanted / wanted.sum(dim=(2, 3), keepdim=True).clamp(min=1e-6)
            wrong = (heat - wanted).square().mean(dim=(2, 3)) * 64
            behind = (shares * (depths - target[..., 2, None, None]).abs()).sum(dim=(2, 3))
            total = total + ((wrong + behind) * known).sum() / known.sum().clamp(min=1)
        return total
