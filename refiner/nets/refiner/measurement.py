"""How a camera measures the depths that it does not lose: with noise that is alike at neighbours."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from refiner.nets.blocks import bounded
from refiner.nets.refiner.base import Noise, NoiseShapes
from refiner.nets.refiner.camera_noise import mean_window
from refiner.nets.refiner.part import Part
from refiner.nets.refiner.scene import Scene

_DIMMEST = 2.0
"""Noise grows no more beyond this dimness, in octaves: there is hardly a reading left."""

_MOST_OCTAVES = 8.0
_FIRST_LINES = 0.2
"""Deviation of a row's and of a column's own noise in an untrained refiner, beside that of a pixel, 1."""


class MapNoise(Part):
    """Noise at the map's pixels, for cameras of which nothing is known.

    With f independent numbers at each pixel, filtered, and one for each row and each column beside them, q the dimness
    in octaves and a the backbone's number, a depth z becomes

        z + most tanh(first 2^(min(q, 2) + gain a) f / most)

    The filter is learnt, and how strong rows and columns are. Noise grows as light falls; how it does otherwise is a's
    to say. For any a that does not depend on f its mean is 0, so that labels stay true.
    """

    planes, numbers = 1, 1

    def __init__(self, first: float = 0.01, most: float = 0.3, filter_px: int = 5, gain: float = 0.5) -> None:
        """Build it.

        Args:
            first: Deviation in an untrained refiner where light is as at the reference distance, in half cubes.
            most: Greatest noise, in half cubes.
            filter_px: Side of the filter, odd, from 3 on; it begins as the mean of all but the outermost.
            gain: Octaves for 1 of the backbone's number.

        Raises:
            ValueError: The side is even, or too small.
        """
        super().__init__()
        if filter_px < 3 or filter_px % 2 == 0:
            raise ValueError(f"Found filter_px {filter_px}, wanted an odd number from 3 on.")
        self.settings = {"first": first, "most": most, "filter_px": filter_px, "gain": gain}
        self.first, self.most, self.gain = first, most, gain
        self.filter = nn.Parameter(mean_window(filter_px - 2, filter_px))
        self.lines = nn.Parameter(torch.full((2,), _FIRST_LINES))

    def noise_shapes(self, height: int, width: int) -> NoiseShapes:
        """Return the noise of pixels before its filter, of rows and of columns."""
        return {"pixel": (1, height, width), "row": (1, height, 1), "column": (1, 1, width)}

    def seen(self, noise: Noise) -> list[Tensor]:
        """Return f."""
        field = F.conv2d(noise["pixel"], self.filter.to(noise["pixel"]), padding=self.filter.shape[-1] // 2)
        rows, columns = self.lines.to(field)
        return [field + rows * noise["row"] + columns * noise["column"]]

    def forward(self, depth: Tensor, numbers: Tensor, seen: list[Tensor], scene: Scene) -> Tensor:
        """Measure depths.

        Args:
            depth: (N, 1, H, W), without noise.
            numbers: (N, 1, H, W), the backbone's.
            seen: What `seen` gave.
            scene: What it looks at.

        Returns:
            (N, 1, H, W).
        """
        octaves = scene.dimness.clamp(max=_DIMMEST) + self.gain * numbers
        error = self.first * torch.exp2(octaves.clamp(max=_MOST_OCTAVES)) * seen[0].float()
        return depth + bounded(error, self.most)
