"""What happens beside the updates: sample sheets."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from refiner import viz
from refiner.frameworks import lightning as L
from refiner.nets.blocks import NO_READING
from refiner.simgan.module import SimGAN

_PICTURE_PX = 128
"""Small maps are enlarged to about this in sample sheets."""


class SampleSheets(L.Callback):
    """Shows the first maps of the fixed probe: rows synthetic | refined | difference | real."""

    def __init__(self, maps: int = 8, difference_mm: float = 10.0) -> None:
        """Choose what is shown.

        Args:
            maps: Columns of the sheet.
            difference_mm: Change of depth at which the colours of the third row saturate.
        """
        self.maps, self.difference_mm = maps, difference_mm

    def on_validation_end(self, trainer: L.Trainer, pl_module: Any) -> None:
        """Draw the maps of the validation that has just ended."""
        if not trainer.is_global_zero or not isinstance(pl_module, SimGAN) or pl_module.probe is None:
            return
        synthetic, refined, real, cube_mm = (part[: self.maps] for part in pl_module.probe)
        sheet = sample_sheet(synthetic, refined, real, cube_mm, self.difference_mm)
        for logger in trainer.loggers:
            if isinstance(logger, L.pytorch.loggers.TensorBoardLogger):
                logger.experiment.add_image("val/samples", sheet, trainer.global_step, dataformats="HWC")


def sample_sheet(
    synthetic: Tensor, refined: Tensor, real: Tensor, cube_mm: Tensor, difference_mm: float
) -> NDArray[np.uint8]:
    """Draw maps below each other, one column each.

    Args:
        synthetic: (n, 1, H, W) network depth, +1 = no reading.
        refined: (n, 1, H, W).
        real: (n, 1, H, W), of other hands.
        cube_mm: (n,), sides of the synthetic maps' cubes.
        difference_mm: Change of depth at which the third row saturates; grey where a reading is lost, gained or absent.

    Returns:
        (height, width, 3).
    """
    change_mm = ((refined - synthetic) * cube_mm.view(-1, 1, 1, 1) / 2).masked_fill(
        (refined == NO_READING) | (synthetic == NO_READING), torch.nan
    )
    rows = [[_shade(map_) for map_ in maps] for maps in (synthetic, refined, real)]
    rows.insert(2, [viz.colour_difference(map_[0].numpy(), difference_mm) for map_ in change_mm])
    titles = ["synthetic", "refined", f"difference, +-{difference_mm:g} mm", "real"]
    return viz.contact_sheet([[_enlarge(picture) for picture in row] for row in rows], titles)


def _shade(depth: Tensor) -> NDArray[np.uint8]:
    """Colour (1, H, W) over the whole cube, whose near face is 1 and far face 3 (0 means no reading)."""
    return viz.colour_depth(torch.where(depth == NO_READING, 0.0, depth + 2)[0].numpy(), 1.0, 3.0)


def _enlarge(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    factor = max(1, _PICTURE_PX // picture.shape[0])
    return picture.repeat(factor, axis=0).repeat(factor, axis=1)
