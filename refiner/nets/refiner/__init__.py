"""Refiners: networks that turn a rendered depth map into one that a camera might have taken."""

from torch import nn

from refiner.nets.refiner.base import Choice, Draw, Noise, Refiner
from refiner.nets.refiner.camera_noise import CameraNoise
from refiner.nets.refiner.composed import ComposedRefiner
from refiner.nets.refiner.dropout import Growth, LightLoss, PixelLoss
from refiner.nets.refiner.measurement import MapNoise
from refiner.nets.refiner.paper import PaperRefiner

REFINERS: dict[str, type[Refiner]] = {network.__name__: network for network in (PaperRefiner, ComposedRefiner)}
PARTS: dict[str, type[nn.Module]] = {
    part.__name__: part for part in (LightLoss, PixelLoss, Growth, MapNoise, CameraNoise)
}
"""By the names that checkpoints have for them."""

__all__ = [
    "PARTS", "REFINERS", "CameraNoise", "Choice", "ComposedRefiner", "Draw", "Growth", "LightLoss", "MapNoise", "Noise",
    "PaperRefiner", "PixelLoss", "Refiner",
]  # fmt: skip
