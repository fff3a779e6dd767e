"""Where a hand is and how it is turned: random scenes, one generator an item.

A view is three turns: camera_from_hand = Rz(roll) Rx(tilt) F Ry(spin), where F = diag(1, -1, -1) holds the palm to the
camera with the fingers up. The spin about the hand's own length shows palm, back or edge; the tilt brings the fingers
towards the camera (positive) or away; the roll turns the picture. The defaults follow what camera sets show: people
hold a hand up in front of a camera, so fingers point up more than down and rather towards the camera than away from it
(an arm comes from the body, behind the hand), the palm is seen more than the back, and every side is seen sometimes.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from refiner.sensors.depth_sensor import DepthSensor

PALM_DEPTH_MM = 14.0
"""The palm's joints lie this far behind its surface, where real hands are centred."""

PALM_WEIGHTS = np.zeros(21)
PALM_WEIGHTS[[0, 5, 9, 13, 17]] = 0.4, 0.15, 0.15, 0.15, 0.15
"""The palm's centre as a mean of hand21: the wrist and the bases of four fingers."""


@dataclass(frozen=True)
class Viewpoints:
    """Distribution of views, angles in degrees.

    Attributes:
        palm: Share of views of the palm.
        back: Share of views of the back; the rest is spun evenly, edges included.
        spin_deg: Deviation of the spin about palm and back.
        tilt_deg: Least, most likely and greatest tilt of a triangular distribution.
        roll_deg: Deviation of the roll about upright.
        any_roll: Share of views rolled evenly all around.
    """

    palm: float = 0.45
    back: float = 0.25
    spin_deg: float = 40.0
    tilt_deg: tuple[float, float, float] = (-45.0, 15.0, 85.0)
    roll_deg: float = 35.0
    any_roll: float = 0.2

    def __post_init__(self) -> None:
        """Refuse what is no distribution."""
        low, middle, high = self.tilt_deg
        if (
            min(self.palm, self.back, self.any_roll, self.spin_deg, self.roll_deg) < 0
            or max(self.palm + self.back, self.any_roll) > 1
            or not -90 <= low <= middle <= high <= 90
            or low == high
        ):
            raise ValueError(
                f"No distribution of views: {self}; wanted shares in [0, 1], deviations >= 0, and tilts "
                "-90 <= least <= most likely <= greatest <= 90."
            )


@dataclass(frozen=True)
class Places:
    """Where hands are: even over a range of distances and over the image, or as in a real set.

    Attributes:
        near_mm: Least distance of the palm.
        far_mm: Greatest.
        cube_mm: Side of the crop cube.
        centres_mm: (M, 3) centres of a real set's hands, which then take the place of the range; each drawn one is
            moved a little, so that the renders fill the gaps between them.
        cubes_mm: (M,) their cubes, which then take the place of `cube_mm`.
    """

    near_mm: float
    far_mm: float
    cube_mm: float
    centres_mm: NDArray[np.floating[Any]] | None = None
    cubes_mm: NDArray[np.floating[Any]] | None = None


def draw_rotation(rng: np.random.Generator, views: Viewpoints) -> NDArray[np.float64]:
    """Draw camera_from_hand, (3, 3)."""
    kind, any_roll = rng.random(2)
    spin = rng.normal(0.0, math.radians(views.spin_deg))
    if kind > views.palm + views.back:
        spin = rng.uniform(-math.pi, math.pi)
    elif kind > views.palm:
        spin += math.pi
    tilt = math.radians(rng.triangular(*views.tilt_deg))
    if any_roll < views.any_roll:
        roll = rng.uniform(-math.pi, math.pi)
    else:
        roll = rng.normal(0.0, math.radians(views.roll_deg))
    return view_rotation(spin, tilt, roll)


def view_rotation(spin: float, tilt: float, roll: float) -> NDArray[np.float64]:
    """Give Rz(roll) Rx(tilt) diag(1, -1, -1) Ry(spin), angles in radians."""
    a, b = math.cos(spin), math.sin(spin)
    c, s = math.cos(tilt), math.sin(tilt)
    p, q = math.cos(roll), math.sin(roll)
    # Rx(tilt) diag(1, -1, -1) Ry(spin), row by row.
    first = (a, 0.0, b)
    second = (-s * b, -c, s * a)
    third = (c * b, -s, -c * a)
    return np.array(
        [
            [p * x - q * y for x, y in zip(first, second, strict=True)],
            [q * x + p * y for x, y in zip(first, second, strict=True)],
            third,
        ]
    )


def draw_place(rng: np.random.Generator, places: Places, sensor: DepthSensor) -> tuple[NDArray[np.float64], float]:
    """Draw the palm's centre in the camera frame and the cube of one item.

    Without a real set the distance is even over its range, and the hand lies evenly over that part of the image where
    its whole cube is seen, or in the middle where it is never.

    Returns:
        (3,) mm, and the side of the cube in mm.
    """
    if places.centres_mm is not None:
        count = len(places.centres_mm)
        drawn = int(rng.integers(count))
        # Silverman's rule for three dimensions; a set of one place has no spread, and so has its copy.
        spread = places.centres_mm.std(axis=0) * (4.0 / (5.0 * count)) ** (1.0 / 7.0)
        centre = places.centres_mm[drawn] + spread * rng.standard_normal(3)
        centre[2] = max(centre[2], 0.5 * float(places.centres_mm[:, 2].min()))
        return centre, float(places.cube_mm if places.cubes_mm is None else places.cubes_mm[drawn])
    z = rng.uniform(places.near_mm, places.far_mm)
    fx, fy, cx, cy = sensor.camera
    u = _draw_pixel(rng, sensor.columns, fx * places.cube_mm / 2 / z)
    v = _draw_pixel(rng, sensor.rows, fy * places.cube_mm / 2 / z)
    return np.array([(u - cx) / fx * z, (v - cy) / fy * z, z]), places.cube_mm


def _draw_pixel(rng: np.random.Generator, pixels: int, half: float) -> float:
    room = max((pixels - 1) / 2 - half, 0.0)
    return (pixels - 1) / 2 + room * rng.uniform(-1.0, 1.0)
