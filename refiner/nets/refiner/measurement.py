"""How a camera measures the depths that it does not lose: with noise that is alike at neighbours."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from refiner.nets.blocks import bounded
from refiner.nets.refiner.base import Noise, NoiseShapes
from refiner.nets.refiner.part import Part
from refiner.nets.refiner.scene import Scene

_DIMMEST = 2.0
"""Noise grows no more beyond this dimness, in octaves: there is hardly a reading left."""

_MOST_OCTAVES = 8.0
_FIRST_LINES = 0.2
"""Deviation of a row's and of a column's own noise in an untrained refiner, beside that of a pixel, 1."""


class Measurement(Part):
    """A part that measures depths. `forward` takes depths without noise, its numbers, what it drew and the scene.

    With q the dimness in octaves and a the backbone's number its noise has the deviation

        first 2^(min(q, 2) + gain a)

    in half cubes. Noise grows as light falls; how it does otherwise is a's to say. For any a that does not depend on
    the noise its mean is 0, so that labels stay true.
    """

    planes, numbers = 1, 1

    def __init__(self, first: float = 0.01, most: float = 0.3, gain: float = 0.5) -> None:
        """Build it.

        Args:
            first: Deviation in an untrained refiner where light is as at the reference distance, in half cubes.
            most: Greatest noise, in half cubes.
            gain: Octaves for 1 of the backbone's number.
        """
        super().__init__()
        self.settings = {"first": first, "most": most, "gain": gain}
        self.first, self.most, self.gain = first, most, gain

    def forward(self, depth: Tensor, numbers: Tensor, drawn: Noise, scene: Scene) -> Tensor:
        """Measure depths.

        Args:
            depth: (N, 1, H, W), without noise.
            numbers: (N, 1, H, W), the backbone's.
            drawn: What `drawn` gave.
            scene: What it looks at.

        Returns:
            (N, 1, H, W).
        """
        raise NotImplementedError

    def deviation(self, numbers: Tensor, scene: Scene) -> Tensor:
        """Return the deviation of the noise, (N, 1, H, W); arguments as for `forward`."""
        octaves = scene.dimness.clamp(max=_DIMMEST) + self.gain * numbers
        return self.first * torch.exp2(octaves.clamp(max=_MOST_OCTAVES))


class MapNoise(Measurement):
    """Noise at the map's pixels, for cameras of which nothing is known.

    With f independent numbers at each pixel, filtered, and one for each row and each column beside them, and s the
    deviation, a depth z becomes

        z + most tanh(s f / most)

    The filter is learnt, and how strong rows and columns are.
    """

    def __init__(self, first: float = 0.01, most: float = 0.3, filter_px: int = 5, gain: float = 0.5) -> None:
        """Build it.

        Args:
            first: See `Measurement`.
            most: See `Measurement`.
            filter_px: Side of the filter, odd, from 3 on; it begins as the mean of all but the outermost.
            gain: See `Measurement`.

        Raises:
            ValueError: The side is even, or too small.
        """
        super().__init__(first, most, gain)
        self.settings |= {"filter_px": filter_px}
        self.filter = nn.Parameter(mean_window(filter_px - 2, filter_px))
        self.lines = nn.Parameter(torch.full((2,), _FIRST_LINES))

    def noise_shapes(self, height: int, width: int) -> NoiseShapes:
        """Return the noise of pixels before its filter, of rows and of columns."""
        return {"pixel": (1, height, width), "row": (1, height, 1), "column": (1, 1, width)}

    def drawn(self, noise: Noise, scene: Scene) -> Noise:  # noqa: ARG002
        """Return f, as `field`."""
        field = F.conv2d(noise["pixel"], self.filter.to(noise["pixel"]), padding=self.filter.shape[-1] // 2)
        rows, columns = self.lines.to(field)
        return {"field": field + rows * noise["row"] + columns * noise["column"]}

    def seen(self, drawn: Noise) -> list[Tensor]:
        """Return f."""
        return [drawn["field"]]

    def forward(self, depth: Tensor, numbers: Tensor, drawn: Noise, scene: Scene) -> Tensor:
        """Measure depths; see `Measurement.forward`."""
        return depth + bounded(self.deviation(numbers, scene) * drawn["field"].float(), self.most)


def mean_window(side_px: int, filter_px: int) -> Tensor:
    """Return a filter (1, 1, k, k), k = `filter_px`, that is the mean over a window, scaled to unit variance.

    Raises:
        ValueError: k is even, or less than 3.
    """
    if filter_px < 3 or filter_px % 2 == 0:
        raise ValueError(f"Found filter_px {filter_px}, wanted an odd number from 3 on.")
    return F.pad(torch.full((1, 1, side_px, side_px), 1 / side_px), [(filter_px - side_px) // 2] * 4)
