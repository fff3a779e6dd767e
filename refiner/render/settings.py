"""What the bytes of a render depend on, beside seed and item."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from refiner.hand.limits import HandPrior
from refiner.render.scene import Places, Viewpoints
from refiner.sensors.catalogue import PLAIN
from refiner.sensors.depth_sensor import DepthSensor

CLEAN_UNIT_MM = 0.1
"""Depth unit of renders without camera noise."""


@dataclass(frozen=True, eq=False)
class GivenPoses:
    """Hands that are rendered instead of drawn ones.

    Attributes:
        pose: (M, P) as `refiner.hand.model` has them, `camera_from_hand` included.
        shape: (M, S).
        side: (M,) 0 right, 1 left.
        wrist_mm: (M, 3) places in the camera frame.
        centre_mm: (M, 3) centres of the crop cubes.
        cube_mm: (M,) their sides.
        names: M words that say where each comes from.
        image: (M, 4) left, top, right and bottom edge of the recorded image in each map, in sides of the map (0 its
            left and top, 1 its right and bottom), beyond which nothing is shown; or none.
    """

    pose: NDArray[np.float64]
    shape: NDArray[np.float64]
    side: NDArray[np.int32]
    wrist_mm: NDArray[np.float64]
    centre_mm: NDArray[np.float64]
    cube_mm: NDArray[np.float64]
    names: list[str]
    image: NDArray[np.float64] | None = None


@dataclass(frozen=True, eq=False)
class RenderSettings:
    """What the bytes of a render depend on, beside seed and item.

    Attributes:
        sensor: The camera whose pixels are rendered, and through whose optics, where it has a model.
        noise: Whether its noise, steps and unit are on the maps, too; it needs a model then.
        size: Side of the crops, px.
        places: Distances, places and cubes.
        views: How hands are turned.
        prior: What hands are drawn.
        poses: Hands to render instead. The first M items show them as they stand, at their place and in their cube;
            later rounds show them anew from drawn views and places.
        tessellations: How often each triangle is split in four first (see `refiner.hand.tessellation`).
    """

    sensor: DepthSensor = PLAIN
    noise: bool = False
    size: int = 128
    places: Places = field(default_factory=lambda: Places(450.0, 900.0, 260.0))
    views: Viewpoints = field(default_factory=Viewpoints)
    prior: HandPrior = field(default_factory=HandPrior)
    poses: GivenPoses | None = None
    tessellations: int = 0

    @property
    def depth_unit_mm(self) -> float:
        """Unit that maps are stored in."""
        return self.sensor.unit_mm if self.noise else CLEAN_UNIT_MM

    def __post_init__(self) -> None:
        """Refuse noise of a camera that has no model.

        Raises:
            ValueError: There is noise and no model.
        """
        if self.noise and self.sensor.model is None:
            raise ValueError(f"Found noise and no model of it: {self.sensor}; wanted a camera with a model.")
