"""Refiners: networks that turn a rendered depth map into one that a camera might have taken.

Both take and give (N, 1, H, W) network depth ([-1, 1], +1 = no reading), keep the resolution, and treat each map by
itself. Their second input is noise, standard normal, of the shape that `noise_shape` says: an input and not a draw
inside, so that the caller decides which maps get which noise.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from refiner.nets.blocks import NO_READING, ResidualBlock, extend_readings, is_reading

NEAR_PX = 7
"""Side of the neighbourhood that has noise in common."""


class PaperRefiner(nn.Module):
    """The paper's refiner: convolution, ResNet blocks, 1x1 convolution; no stride, no pooling.

    Hands (224 px): 7x7 kernels, 10 blocks, 4,018,625 parameters. Eyes (35 x 55 px): 3x3, 4 blocks, 296,129.
    The paper names no activation after the first convolution (here ReLU, as in the blocks) and none at the output.
    """

    noise_channels = 0

    def __init__(self, channels: int = 64, blocks: int = 10, kernel: int = 7) -> None:
        """Build the network.

        Args:
            channels: Features of every layer but the last.
            blocks: ResNet blocks, two convolutions each.
            kernel: Side of the first convolution and of those in the blocks; odd.
        """
        super().__init__()
        self.settings = {"channels": channels, "blocks": blocks, "kernel": kernel}
        self.first = nn.Conv2d(1, channels, kernel, padding=kernel // 2)
        self.blocks = nn.Sequential(*(ResidualBlock(channels, kernel) for _ in range(blocks)))
        self.last = nn.Conv2d(channels, 1, 1)

    def noise_shape(self, items: int, height: int, width: int) -> tuple[int, int, int, int]:
        """Give the shape of the noise for so many maps: none is used."""
        return items, 0, height, width

    def forward(self, depth: Tensor, noise: Tensor | None = None) -> Tensor:  # noqa: ARG002
        """Refine (N, 1, H, W); the output is not bounded."""
        return self.last(self.blocks(self.first(depth).relu_()))


class ResidualRefiner(nn.Module):
    """A refiner that is quick, begins as the identity, and decides for each pixel whether there is a reading.

    A map is folded to 1/fold of its resolution (pixel unshuffle, nothing is lost), where ResNet blocks are cheap.
    They give two numbers for each pixel, s and m; with n the noise of that pixel:

        depth   d = clamp(extend(x) + max_shift tanh(s), -1, 1)
        choice  c = m + n + prior(x),       prior = -margin at a reading of x, +margin elsewhere
        output  y = +1 where c > 0, else d

    A camera either measures a pixel or does not, so the choice is hard: a network that regressed holes would have to
    pass through values between the hand and the far face, which look like grey halos and decode to false depths.
    With its own noise at each pixel m is a probability, so holes are tried from the first update on, and what is
    right can be kept. The gradient of the choice is that of a sigmoid of c / temperature (straight-through).

    The last layer starts at zero: then y = x wherever |n| < margin, and exactly without noise. Depth moves by
    `max_shift` at most, and no reading arises farther than `reach_px` from one of x: labels hold by construction,
    whatever is learnt.
    """

    def __init__(
        self,
        channels: int = 24,
        blocks: int = 3,
        fold: int = 2,
        noise_channels: int = 4,
        max_shift: float = 0.1,
        reach_px: int = 1,
        margin: float = 2.0,
        choice_gain: float = 2.0,
        temperature: float = 0.4,
        choice_noise: tuple[float, float, float] = (1.0, 0.0, 0.0),
    ) -> None:
        """Build the network.

        Args:
            channels: Features of every layer.
            blocks: ResNet blocks of two 3x3 convolutions.
            fold: Factor of the pixel unshuffle.
            noise_channels: Channels of noise, at the folded resolution. The first fold^2 are the pixels' own noise;
                with fewer the choice is not random, but the blocks see all of them.
            max_shift: Greatest change of depth, in half cubes.
            reach_px: How far outside the rendered hand a reading may arise, px along each axis.
            margin: Noise beyond which the untrained network changes its mind, in standard deviations.
            choice_gain: Scale of m: how quickly the choice is learnt beside the depth.
            temperature: Width of the choice's gradient, in standard deviations of the noise.
            choice_noise: Shares of n's variance that are a pixel's own, common to its neighbourhood of `NEAR_PX`, and
                common to the whole map. Cameras lose rims, fingertips and whole far hands rather than single pixels;
                what is never tried is never learnt. With a share of the map the blocks see its number, too.

        Raises:
            ValueError: The shares are negative or do not add up to 1.
        """
        super().__init__()
        self.settings = {
            "channels": channels,
            "blocks": blocks,
            "fold": fold,
            "noise_channels": noise_channels,
            "max_shift": max_shift,
            "reach_px": reach_px,
            "margin": margin,
            "choice_gain": choice_gain,
            "temperature": temperature,
            "choice_noise": list(choice_noise),
        }
        self.fold, self.noise_channels = fold, noise_channels
        self.max_shift, self.reach_px = max_shift, reach_px
        self.margin, self.choice_gain, self.temperature = margin, choice_gain, temperature
        if min(choice_noise) < 0 or abs(sum(choice_noise) - 1) > 1e-6:
            raise ValueError(f"Found choice_noise {choice_noise}, wanted three shares >= 0 that add up to 1.")
        self.choice_noise = choice_noise
        self.first = nn.Conv2d(2 * fold**2 + noise_channels + bool(choice_noise[2]), channels, 3, padding=1)
        self.blocks = nn.Sequential(*(ResidualBlock(channels, 3) for _ in range(blocks)))
        self.last = nn.Conv2d(channels, 2 * fold**2, 3, padding=1)
        nn.init.zeros_(self.last.weight)
        nn.init.zeros_(self.last.bias)  # pyright: ignore[reportArgumentType]
        # Convolutions of few channels are about a quarter faster on a CPU with the channels innermost.
        self.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]

    def noise_shape(self, items: int, height: int, width: int) -> tuple[int, int, int, int]:
        """Give the shape of the noise for so many maps."""
        return items, self.noise_channels, -(-height // self.fold), -(-width // self.fold)

    def forward(self, depth: Tensor, noise: Tensor | None = None) -> Tensor:
        """Refine maps.

        Args:
            depth: (N, 1, H, W) in [-1, 1].
            noise: As `noise_shape` says, standard normal; none counts as zeros.

        Returns:
            (N, 1, H, W) in [-1, 1], exactly +1 where there is no reading.
        """
        height, width = depth.shape[-2:]
        if noise is None:
            noise = depth.new_zeros(self.noise_shape(len(depth), height, width))
        surface = extend_readings(depth, self.reach_px)
        reading = is_reading(depth).to(depth.dtype)
        shift, missing = self._predict(torch.cat([surface, reading], dim=1), noise)[..., :height, :width].split(1, 1)
        moved = (surface + self.max_shift * torch.tanh(shift)).clamp(-1, 1)
        if self.choice_noise[1]:
            missing = F.avg_pool2d(missing, 3, 1, 1)  # else holes follow the grid of the folding
        choice = self.choice_gain * missing + self.margin * (1 - 2 * reading)
        if self.noise_channels >= self.fold**2:
            choice = choice + self._of_choice(noise)[..., :height, :width]
        # Where nothing is within reach the surface is +1: shifted values must not become readings there.
        choice = torch.where(is_reading(surface), choice, self.margin)
        chosen = (choice > 0).to(moved.dtype)
        if self.training:
            soft = torch.sigmoid(choice / self.temperature)
            chosen = chosen + (soft - soft.detach())  # adds exactly 0
        return chosen * NO_READING + (1 - chosen) * moved

    def _predict(self, planes: Tensor, noise: Tensor) -> Tensor:
        """Give s and m, (N, 2, H, W) or a little larger, of (N, 2, H, W) surface and readings."""
        height, width = planes.shape[-2:]
        if height % self.fold or width % self.fold:
            planes = F.pad(planes, (0, -width % self.fold, 0, -height % self.fold), mode="replicate")
        parts = [F.pixel_unshuffle(planes, self.fold), noise.to(planes)]
        if self.choice_noise[2]:
            parts.append(_level(noise).to(planes).expand(-1, 1, *noise.shape[2:]))
        folded = torch.cat(parts, dim=1)
        features = self.blocks(self.first(folded.contiguous(memory_format=torch.channels_last)).relu_())
        return F.pixel_shuffle(self.last(features).float(), self.fold)

    def _of_choice(self, noise: Tensor) -> Tensor:
        """Give n, (N, 1, H, W) or a little larger, standard normal."""
        own = F.pixel_shuffle(noise[:, : self.fold**2], self.fold)
        for_pixel, for_near, for_map = (share**0.5 for share in self.choice_noise)
        mixed = for_pixel * own
        if for_near:
            mixed = mixed + for_near * NEAR_PX * F.avg_pool2d(own, NEAR_PX, 1, NEAR_PX // 2)
        return mixed + for_map * _level(own) if for_map else mixed


def _level(noise: Tensor) -> Tensor:
    """Give the sum of a map's noise as a standard normal number, (N, 1, 1, 1): one draw for the whole map."""
    return noise.sum(dim=(1, 2, 3), keepdim=True) / max(noise[0].numel(), 1) ** 0.5
