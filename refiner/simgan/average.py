"""A running average of the refiner's weights, which cycles less than the weights themselves."""

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel


def running_average(network: nn.Module, decay: float) -> AveragedModel:
    """Give an exponential average of a network's weights that soon forgets its start.

    Update number n (from 0) weighs the old average with min(decay, (1 + n) / (10 + n)); the first copies the weights.

    Args:
        network: Copied; its own weights are never changed.
        decay: The average is over about the last 1 / (1 - decay) updates.
    """

    def average(averaged: Tensor, current: Tensor, count: Tensor | int) -> Tensor:
        # Tensors all the way: a number would make a GPU wait at every weight.
        ramp = (1 + torch.as_tensor(count)) / (10 + torch.as_tensor(count))
        return torch.lerp(averaged, current, (1 - ramp.clamp(max=decay)).to(current))

    averaged = AveragedModel(network, avg_fn=average)
    return averaged.requires_grad_(False)
