"""What training and refining ask of a refiner, whatever is in it.

A refiner takes and returns (N, 1, H, W) network depth ([-1, 1], +1 = no reading), keeps the resolution, and treats each
map by itself. Noise is an input and not a draw inside, so that the caller decides which maps get which noise.
"""

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from refiner.datasets.facts import TrainingFacts

Noise = dict[str, Tensor]
"""Independent standard normal numbers by what they are for, each (N, ...)."""

NoiseShapes = dict[str, tuple[int, ...]]
"""What they are for -> shape for one map."""


class Choice(NamedTuple):
    """A hard choice at each pixel, made where logit + noise > 0 (see `refiner.simgan.losses.dropout_loss`).

    Attributes:
        logit: (N, 1, H, W), with its gradient; 0 where there is nothing to choose.
        noise: (N, 1, H, W), standard normal; in evaluation mode its tries are cut off.
        score: (N, 1, H, W), the mean of the noise, given what was chosen with it and with its opposite.
    """

    logit: Tensor
    noise: Tensor
    score: Tensor


class Draw(NamedTuple):
    """One pass through a refiner, with what training needs of it.

    Attributes:
        refined: (N, 1, H, W), its gradient is that of the depths: choices are hard.
        noise_free: (N, 1, H, W), as `refined`, but for the noise of its depths.
        opposite: (N, 1, H, W), `refined` with the sign of the choices' noise turned, without a gradient; nothing where
            nothing is chosen.
        choices: What was chosen.
        excess: (), how far logits and depths went beyond their bounds, where they have no gradient, squared.
    """

    refined: Tensor
    noise_free: Tensor
    opposite: Tensor | None = None
    choices: tuple[Choice, ...] = ()
    excess: Tensor | float = 0.0


class Refiner(nn.Module):
    """A refiner.

    Attributes:
        settings: The arguments that build it again.
    """

    settings: dict[str, Any]

    def noise_shapes(self, height: int, width: int) -> NoiseShapes:  # noqa: ARG002
        """Return the noise that it takes for one map; nothing where refining is a function of the map."""
        return {}

    def meet(self, facts: TrainingFacts) -> None:
        """Take note of what the maps are.

        Args:
            facts: What is known of them.

        Raises:
            ValueError: The network cannot refine such maps.
        """

    def draw(self, depth: Tensor, noise: Noise | None = None, distance_mm: Tensor | None = None) -> Draw:
        """Refine maps.

        Args:
            depth: (N, 1, H, W).
            noise: As `noise_shapes` says, with N in front; none counts as zeros.
            distance_mm: (N,), depth of the centre of each map's cube; not every network wants it.
        """
        raise NotImplementedError

    def forward(self, depth: Tensor, noise: Noise | None = None, distance_mm: Tensor | None = None) -> Tensor:
        """Refine maps; arguments as for `draw`. In evaluation mode without the tries that training needs."""
        return self.draw(depth, noise, distance_mm).refined


def draw_noise(shapes: NoiseShapes, generators: Iterable[np.random.Generator]) -> Noise:
    """Draw noise for as many maps as there are generators, one of each; a generator may come more than once."""
    rows = [
        {name: rng.standard_normal(shape, dtype=np.float32) for name, shape in shapes.items()} for rng in generators
    ]
    return {name: torch.from_numpy(np.stack([row[name] for row in rows])) for name in shapes}
