"""How many readings maps hold, over the last batches: hands come and go by chance in a single one."""

import torch
from torch import Tensor, nn

from refiner.nets.blocks import is_reading

_MEMORY = 0.05
"""Share of a new batch in the running means."""


class MeanReadings(nn.Module):
    """Running means of the share of readings, a part of a training's state.

    Attributes:
        refined: (), of refined maps.
        real: (), of camera maps.
    """

    refined: Tensor
    real: Tensor

    def __init__(self) -> None:
        """Begin without any."""
        super().__init__()
        for name in ("refined", "real"):
            self.register_buffer(name, torch.tensor(torch.nan))

    @torch.no_grad()
    def take_in(self, refined: Tensor, real: Tensor) -> tuple[Tensor, Tensor]:
        """Take a batch into the means, (N, 1, H, W) each, and return them: of refined maps, of camera maps."""
        for running, maps in ((self.refined, refined), (self.real, real)):
            share = is_reading(maps).float().mean()
            running.copy_(torch.where(running.isnan(), share, running + _MEMORY * (share - running)))
        return self.refined, self.real
