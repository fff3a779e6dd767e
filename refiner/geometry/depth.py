"""The codec between stored depth, millimetres and network values.

Stored: unsigned 16-bit numbers of `depth_unit_mm`, 0 = no reading or outside the crop cube. Networks: the cube's depth
range maps linearly to [-1, 1] and a missing reading is +1, the far face. The scale is the cube's, never the image's:
a minimum and maximum per image would destroy metric depth.
"""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from refiner.errors import DepthFormatError

MAX_STORED = np.iinfo(np.uint16).max


def to_units(depth_mm: NDArray[np.floating], unit_mm: float) -> NDArray[np.uint16]:
    """Round millimetres to stored numbers; a positive depth never becomes 0, which means no reading.

    Raises:
        DepthFormatError: A depth is negative, not finite, or beyond what 16 bits hold in this unit.
    """
    if not np.isfinite(depth_mm).all() or (depth_mm < 0).any():
        raise DepthFormatError("A depth map holds negative or non-finite values; depths must be >= 0 mm, 0 = none.")
    units = np.rint(depth_mm / unit_mm)
    if units.max(initial=0) > MAX_STORED:
        raise DepthFormatError(
            f"A depth of {depth_mm.max():.0f} mm does not fit in 16 bits at {unit_mm} mm a step "
            f"(at most {MAX_STORED * unit_mm:.0f} mm): choose a coarser --depth-unit-mm."
        )
    return np.where(depth_mm > 0, np.maximum(units, 1), 0).astype(np.uint16)


def to_mm(depth: NDArray[np.uint16], unit_mm: float) -> NDArray[np.float32]:
    """Give stored numbers in millimetres; 0 stays 0."""
    return depth.astype(np.float32) * np.float32(unit_mm)


def dequantize(depth_mm: NDArray[np.float32], unit_mm: float, rng: np.random.Generator) -> NDArray[np.float32]:
    """Spread each reading uniformly within its quantisation step, so that steps do not tell real from refined."""
    noise = rng.random(depth_mm.shape, dtype=np.float32) - np.float32(0.5)
    return np.where(depth_mm > 0, depth_mm + noise * np.float32(unit_mm), np.float32(0))


@dataclass(frozen=True)
class DepthCodec:
    """What a network's values mean; travels in the checkpoint.

    Attributes:
        size: Side of the maps in pixels.
        cube_mm: Side of the crop cube that all maps share, or nothing where each item has its own.
        unit_mm: Depth unit of the maps that the network learnt to imitate; refined maps are written in it.
        tau: Decoded values above 1 - tau mean no reading.
    """

    size: int
    cube_mm: float | None
    unit_mm: float
    tau: float = 0.05

    def __post_init__(self) -> None:
        """Refuse settings that make no codec."""
        if (
            self.size < 8
            or not 0 < self.tau < 1
            or self.unit_mm <= 0
            or (self.cube_mm is not None and self.cube_mm <= 0)
        ):
            raise ValueError(
                f"No depth codec: {self}; wanted size >= 8, 0 < tau < 1, unit_mm > 0, cube_mm > 0 or none."
            )

    def encode(self, depth_mm: NDArray[np.float32], centre_z_mm: ArrayLike, cube_mm: ArrayLike) -> NDArray[np.float32]:
        """Map millimetres to network values: 2 (d - z) / cube, and +1 where there is no reading.

        Args:
            depth_mm: (..., H, W).
            centre_z_mm: (...), depth of each cube's centre.
            cube_mm: (...), side of each cube.

        Returns:
            (..., H, W) in [-1, 1].
        """
        z = np.asarray(centre_z_mm, dtype=np.float32)[..., None, None]
        half = np.asarray(cube_mm, dtype=np.float32)[..., None, None] / 2
        return np.where(depth_mm > 0, np.clip((depth_mm - z) / half, -1, 1), np.float32(1))

    def decode(self, values: NDArray[np.float32], centre_z_mm: ArrayLike, cube_mm: ArrayLike) -> NDArray[np.float32]:
        """Map network values to millimetres, the inverse of `encode`; values above 1 - tau become 0.

        Args:
            values: (..., H, W); below -1 is taken as the near face.
            centre_z_mm: (...).
            cube_mm: (...).

        Returns:
            (..., H, W) millimetres, 0 = no reading.
        """
        z = np.asarray(centre_z_mm, dtype=np.float32)[..., None, None]
        half = np.asarray(cube_mm, dtype=np.float32)[..., None, None] / 2
        return np.where(values > 1 - self.tau, np.float32(0), z + np.maximum(values, np.float32(-1)) * half)

    def to_dict(self) -> dict[str, Any]:
        """Give the plain dictionary that checkpoints and configurations hold."""
        return asdict(self)
