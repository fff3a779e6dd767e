"""The refiner of Shrivastava et al. (2017), a function of the map: it takes no noise."""

from torch import Tensor, nn

from refiner.nets.blocks import ResidualBlock
from refiner.nets.refiner.base import Draw, Noise, Refiner


class PaperRefiner(Refiner):
    """The paper's refiner: convolution, ResNet blocks, 1x1 convolution; no stride, no pooling.

    Hands (224 px): 7x7 kernels, 10 blocks, 4,018,625 parameters. Eyes (35 x 55 px): 3x3, 4 blocks, 296,129.
    The paper names no activation after the first convolution (here ReLU, as in the blocks) and none at the output.
    """

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

    def draw(self, depth: Tensor, noise: Noise | None = None, distance_mm: Tensor | None = None) -> Draw:  # noqa: ARG002
        """Refine (N, 1, H, W); the output is not bounded. Noise and distance are not used."""
        refined = self.last(self.blocks(self.first(depth).relu_()))
        return Draw(refined, refined)
