"""What a part of a refiner is: it takes noise, shows some of it to the backbone, and gets numbers from there."""

from typing import Any

from torch import Tensor, nn

from refiner.datasets.facts import TrainingFacts
from refiner.nets.refiner.base import Noise, NoiseShapes
from refiner.nets.refiner.scene import Scene


class Part(nn.Module):
    """A part of a refiner.

    Attributes:
        planes: Planes of noise that the backbone sees.
        numbers: Numbers that the backbone gives for each pixel.
        settings: The arguments that build it again.
    """

    planes, numbers = 0, 0
    settings: dict[str, Any]

    def meet(self, facts: TrainingFacts) -> None:
        """Take note of what the maps are; see `refiner.nets.refiner.base.Refiner.meet`."""

    def noise_shapes(self, height: int, width: int) -> NoiseShapes:
        """Return the noise that it takes for one map."""
        raise NotImplementedError

    def drawn(self, noise: Noise, scene: Scene) -> Noise:  # noqa: ARG002
        """Make of independent numbers what the part uses, and `seen` shows."""
        return noise

    def seen(self, drawn: Noise) -> list[Tensor]:  # noqa: ARG002
        """Return the planes that the backbone sees, (N, 1, H, W) each."""
        return []
