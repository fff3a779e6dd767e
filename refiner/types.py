"""What a batch is: the keys that travel between data modules and training modules, with their shapes."""

from typing import TYPE_CHECKING, TypedDict

if TYPE_CHECKING:
    from torch import Tensor


class UnpairedBatch(TypedDict):
    """Rendered maps and camera maps that have nothing to do with each other, b of each.

    Attributes:
        synthetic: (b, 1, H, W) float32 network depth in [-1, 1], +1 = no reading.
        real: (b, 1, H, W) likewise, dequantised.
        synthetic_cube_mm: (b,) float32, side of each rendered map's crop cube.
        real_cube_mm: (b,) float32, side of each camera map's crop cube.
        synthetic_distance_mm: (b,) float32, depth of each rendered map's cube centre.
        real_distance_mm: (b,) float32, depth of each camera map's cube centre.
    """

    synthetic: "Tensor"
    real: "Tensor"
    synthetic_cube_mm: "Tensor"
    real_cube_mm: "Tensor"
    synthetic_distance_mm: "Tensor"
    real_distance_mm: "Tensor"
