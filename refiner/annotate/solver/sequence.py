"""A depth sequence in memory, as the stages of the solver read it."""

from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
from numpy.typing import NDArray

from refiner.annotate.solver.appearance import hand_image
from refiner.datasets.store import DepthStore


@dataclass(frozen=True, eq=False)
class DepthSequence:
    """N crops in order of time.

    Attributes:
        depth: (N, H, W) uint16, 0 = no reading.
        depth_unit_mm: Of `depth`.
        camera: (N, 4) fx fy cx cy of each crop, px.
        centre_mm: (N, 3) of the crop cubes.
        cube_mm: (N,) their sides.
        starts: (N,) where a new sequence begins.
    """

    depth: NDArray[np.uint16]
    depth_unit_mm: float
    camera: NDArray[np.float64]
    centre_mm: NDArray[np.float64]
    cube_mm: NDArray[np.float64]
    starts: NDArray[np.bool_]

    @classmethod
    def of_store(cls, store: DepthStore, starts: NDArray[np.bool_]) -> Self:
        """Read a store; `starts` as the session knows them."""
        camera, centre_mm, cube_mm = (
            store.read(name).astype(np.float64) for name in ("camera", "centre_mm", "cube_mm")
        )
        return cls(store.read("depth"), store.depth_unit_mm, camera, centre_mm, cube_mm, starts)

    def __len__(self) -> int:
        """Count the frames."""
        return len(self.depth)

    @cached_property
    def linked(self) -> NDArray[np.bool_]:
        """Say which frames follow the one before them."""
        return ~self.starts & (np.arange(len(self)) > 0)

    def image(self, frame: int) -> NDArray[np.float32]:
        """Give a frame as an image to be compared (see `hand_image`)."""
        depth_mm = self.depth[frame] * np.float32(self.depth_unit_mm)
        return hand_image(depth_mm, float(self.centre_mm[frame, 2]), float(self.cube_mm[frame]))
