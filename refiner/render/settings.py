"""What the bytes of a render depend on, beside seed and item."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from refiner.hand.limits import HandPrior
from refiner.render.cameras import CAMERAS, ImageCamera
from refiner.render.scene import Places, Viewpoints
from refiner.render.sensor import Sensor

CLEAN_UNIT_MM, SENSOR_UNIT_MM = 0.1, 1.0
"""Depth unit of clean renders, and of renders with camera noise: that of cameras."""


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
        camera: Whose pixels are rendered.
        size: Side of the crops, px.
        places: Distances, places and cubes.
        sensor: Camera noise, or none.
        views: How hands are turned.
        prior: What hands are drawn.
        poses: Hands to render instead. The first M items show them as they stand, at their place and in their cube;
            later rounds show them anew from drawn views and places.
        jitter_deg: Where > 0, all rounds show given hands at their place and in their cube, each turned and bent by so
            much (see `refiner.hand.jitter`).
        window_px: See `refiner.render.window`, in pixels of the crops.
        blur_px: See `refiner.render.blur.mix_surfaces`, in pixels of the camera.
        tessellations: How often each triangle is split in four first (see `refiner.hand.tessellation`).
    """

    camera: ImageCamera = CAMERAS["kinect1"]
    size: int = 128
    places: Places = field(default_factory=lambda: Places(450.0, 900.0, 260.0))
    sensor: Sensor | None = None
    views: Viewpoints = field(default_factory=Viewpoints)
    prior: HandPrior = field(default_factory=HandPrior)
    poses: GivenPoses | None = None
    jitter_deg: float = 0.0
    window_px: int = 1
    blur_px: float = 0.0
    tessellations: int = 0

    @property
    def depth_unit_mm(self) -> float:
        """Give the unit that maps are stored in."""
        return CLEAN_UNIT_MM if self.sensor is None else SENSOR_UNIT_MM
