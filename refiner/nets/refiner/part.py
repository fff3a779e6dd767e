"""What a part of a refiner is: it takes noise, shows some of it to the backbone, and gets numbers from there."""

from typing import Any

from torch import Tensor, nn

from refiner.nets.refiner.base import Noise, NoiseShapes


class Part(nn.Module):
    """A part of a refiner.

    Attributes:
        planes: Planes of noise that the backbone sees.
        numbers: Numbers that the backbone gives for each pixel.
        settings: The arguments that build it again.
    """

    planes, numbers = 0, 0
    settings: dict[str, Any]

    def noise_shapes(self, height: int, width: int) -> NoiseShapes:
        """Return the noise that it takes for one map."""
        raise NotImplementedError

    def seen(self, noise: Noise) -> list[Tensor]:  # noqa: ARG002
        """Return the planes that the backbone sees, (N, 1, H, W) each."""
        return []
