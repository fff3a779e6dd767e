"""What a frame looks like in a few dozen numbers: codes of a convolutional auto-encoder, trained on its sequence.

What such a network squeezes through its narrow middle is what makes the maps of this sequence differ, which no fixed
descriptor knows. It sees network depth (the crop cube is [-1, 1], no reading +1), so a code also tells where in its
cube the hand is.
"""

import math
from collections.abc import Callable, Iterator

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from refiner.annotate.references.likeness import UPDATES
from refiner.annotate.references.maps import Maps
from refiner.geometry.depth import DepthCodec
from refiner.nets.blocks import NO_READING

NUMBERS = 48
_SIDE_PX, _BATCH, _TOGETHER, _RATE = 64, 32, 256, 3e-3


class AutoEncoder(nn.Module):
    """Three convolutions on blocks of 4 x 4 px, the last two by halves, a linear code, and the same way back.

    It codes how a map differs from the sequence's mean: the background, most of any map, need not be learnt.
    """

    mean: Tensor

    def __init__(self, mean: Float[Tensor, "1 64 64"], numbers: int = NUMBERS) -> None:
        super().__init__()
        self.register_buffer("mean", mean)
        self.encoder = nn.Sequential(
            nn.PixelUnshuffle(4),
            *(nn.Conv2d(16, 16, 3, padding=1), nn.LeakyReLU(0.1)),
            *(nn.Conv2d(16, 32, 3, stride=2, padding=1), nn.LeakyReLU(0.1)),
            *(nn.Conv2d(32, 48, 3, stride=2, padding=1), nn.LeakyReLU(0.1)),
            *(nn.Flatten(), nn.Linear(48 * 4 * 4, numbers)),
        )
        self.decoder = nn.Sequential(
            *(nn.Linear(numbers, 48 * 4 * 4), nn.Unflatten(1, (48, 4, 4))),
            *(nn.ConvTranspose2d(48, 32, 4, stride=2, padding=1), nn.LeakyReLU(0.1)),
            *(nn.ConvTranspose2d(32, 16, 4, stride=2, padding=1), nn.LeakyReLU(0.1)),
            *(nn.Conv2d(16, 16, 3, padding=1), nn.PixelShuffle(4)),
        )

    def encode(self, depth: Float[Tensor, "n 1 64 64"]) -> Float[Tensor, "n numbers"]:
        """Give the codes of maps."""
        return self.encoder(depth - self.mean)

    def forward(self, depth: Float[Tensor, "n 1 64 64"]) -> Float[Tensor, "n 1 64 64"]:
        """Give maps back from their codes."""
        return self.mean + self.decoder(self.encode(depth))


def auto_encoder_codes(
    depth_mm: Maps,
    centre_mm: NDArray[np.floating],
    cube_mm: NDArray[np.floating],
    *,
    seed: int = 0,
    updates: int = UPDATES,
    on_update: Callable[[int, float], None] = lambda _update, _error_mm: None,
) -> NDArray[np.float32]:
    """Train an auto-encoder on a sequence and give every frame's code.

    Most of the time goes into the updates, however many frames there are; the maps are read twice, and those that the
    updates see, 38,400 at most, are held in memory (0.6 GB). On one machine with one number of threads the same
    arguments give the same codes.

    Args:
        depth_mm: (N, H, W), 0 = no reading.
        centre_mm: (N, 3), centres of the crop cubes.
        cube_mm: (N,), their sides.
        seed: Of the weights and of the order of the frames.
        updates: Of the network, each by 32 frames.
        on_update: Told after each update its number, from 1, and the error of the maps that came back: the mean over
            the readings of its frames in mm.

    Returns:
        (N, 48) less their mean, as cosine distances want them.
    """
    if len(depth_mm) == 0:
        raise ValueError("Found no frames; wanted at least one to learn from.")
    drawn = _draws(len(depth_mm), seed, updates)
    seen, total = np.unique(drawn), np.zeros((1, _SIDE_PX, _SIDE_PX))
    held = torch.empty(len(seen), 1, _SIDE_PX, _SIDE_PX)
    for start, maps in _small_maps(depth_mm, centre_mm, cube_mm):
        total += maps.numpy().sum(axis=0, dtype=np.float64)
        first, after = np.searchsorted(seen, (start, start + len(maps)))
        held[first:after] = maps[seen[first:after] - start]
    half_mm = torch.from_numpy(np.asarray(cube_mm, np.float32)[seen] / 2)[:, None, None, None]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        mean = torch.from_numpy((total / len(depth_mm)).astype(np.float32))
        network = AutoEncoder(mean).to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
    _train(network, held, half_mm, np.searchsorted(seen, drawn), on_update)
    del held
    with torch.inference_mode():
        codes = torch.cat([network.encode(maps) for _, maps in _small_maps(depth_mm, centre_mm, cube_mm)])
        return (codes - codes.mean(dim=0)).numpy()


def _draws(frames: int, seed: int, updates: int) -> NDArray[np.int64]:
    """Give the frames (updates, 32) that each update sees: all of them in one random order after another."""
    rng, wanted = np.random.default_rng((0x636F6465, seed)), updates * _BATCH
    orders = [rng.permutation(frames) for _ in range(-(-wanted // frames))]
    return np.concatenate([np.empty(0, np.int64), *orders])[:wanted].reshape(updates, _BATCH)


def _train(
    network: AutoEncoder,
    maps: Tensor,
    half_mm: Tensor,
    draws: NDArray[np.int64],
    on_update: Callable[[int, float], None],
) -> None:
    optimizer = torch.optim.Adam(network.parameters(), lr=_RATE)
    for update, drawn in enumerate(torch.from_numpy(draws)):
        for group in optimizer.param_groups:
            group["lr"] = _RATE * (1 + math.cos(math.pi * update / len(draws))) / 2
        wanted = maps[drawn]
        wrong = network(wanted) - wanted
        optimizer.zero_grad()
        wrong.square().mean().backward()
        optimizer.step()
        reading = wanted < NO_READING
        error_mm = (wrong.detach().abs() * half_mm[drawn] * reading).sum() / reading.sum().clamp(min=1)
        on_update(update + 1, float(error_mm))


def _small_maps(
    depth_mm: Maps, centre_mm: NDArray[np.floating], cube_mm: NDArray[np.floating]
) -> Iterator[tuple[int, Float[Tensor, "n 1 64 64"]]]:
    """Yield numbers of frames, and maps of network depth of as many as 256 from there on.

    A pixel is the mean of those that it covers, with or without a reading.
    """
    codec = DepthCodec(size=depth_mm.shape[1], cube_mm=None, unit_mm=1.0)
    for start in range(0, len(depth_mm), _TOGETHER):
        part = slice(start, start + _TOGETHER)
        depth = codec.encode(np.asarray(depth_mm[part], np.float32), centre_mm[part, 2], cube_mm[part])
        yield start, F.interpolate(torch.from_numpy(depth)[:, None], size=(_SIDE_PX, _SIDE_PX), mode="area")
