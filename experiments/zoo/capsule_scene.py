"""A capsule hand before a camera: how it is turned, where it is, and what lies behind it.

A view is three turns, Rz(roll) Rx(tilt) diag(1, -1, -1) Ry(spin): without them the palm faces the camera with the
fingers up. Behind the hand stand a wall, tilted a little, and often a body; neither reaches into the hand's cube.
"""

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from experiments.zoo.capsule_hand import CapsuleHand
from experiments.zoo.capsule_poses import draw_hand
from experiments.zoo.rounded_cones import draw_cones
from refiner.render.scene import Viewpoints, draw_rotation

CUBE_MM = 260.0
PALM_MM = np.array([0.0, 55.0, 0.0])
"""About the middle of a palm, in the hand's frame."""
MARGIN_PX, MARGIN_SHARE = 16, 0.1
"""A window shows the cube around the palm and so much more on every side: pixels, and a share of the cube."""
_SCENE = 0x63617073


VIEWS = Viewpoints(
    palm=0.75, back=0.15, spin_deg=28.0, tilt_deg=(-35.0, 10.0, 60.0), roll_deg=30.0, any_roll=0.05
)  # fmt: skip
"""Mostly palms with the fingers up."""


@dataclass(frozen=True)
class Pixels:
    """The pixels of a camera and the distances at which hands are held before it.

    Attributes:
        columns: Width of the image, px.
        rows: Its height, px.
        focal_px: Focal length, the same along both axes; the principal point is the middle of the image.
        near_mm: Least distance of the palm.
        far_mm: Greatest.
    """

    columns: int
    rows: int
    focal_px: float
    near_mm: float
    far_mm: float

    @property
    def intrinsics(self) -> NDArray[np.float64]:
        """Return fx fy cx cy of the whole image, px."""
        return np.array([self.focal_px, self.focal_px, (self.columns - 1) / 2, (self.rows - 1) / 2])

    @property
    def largest_window(self) -> tuple[int, int]:
        """Return rows and columns that hold every window of a scene."""
        side = math.ceil(2 * _reach_px(self.focal_px * CUBE_MM / 2 / self.near_mm)) + 3
        return min(side, self.rows), min(side, self.columns)


class Scene(NamedTuple):
    """A window of the image without any noise, and where everything is.

    Attributes:
        hand_mm: (rows, columns) float32 depth of hand and forearm alone, 0 beside them.
        scene_mm: (rows, columns) float32 depth with what lies behind, everywhere > 0.
        camera: fx fy cx cy of the window, px.
        origin: Column and row of the window's first pixel in the image.
        joints_mm: (21, 3) in the camera frame.
        radius_mm: (21,) depth of each joint below the surface.
        palm_mm: (3,) where the palm was placed.
    """

    hand_mm: NDArray[np.float32]
    scene_mm: NDArray[np.float32]
    camera: NDArray[np.float64]
    origin: tuple[int, int]
    joints_mm: NDArray[np.float64]
    radius_mm: NDArray[np.float64]
    palm_mm: NDArray[np.float64]


def draw_scene(pixels: Pixels, *, seed: int, item: int, attempt: int = 0) -> Scene:
    """Draw a hand, its view, its place and what lies behind it, and what a camera without noise sees of it.

    Args:
        pixels: Of the camera.
        seed: With `item` and `attempt` it fixes every byte.
        item: Number of the item.
        attempt: Another scene of the same item.
    """
    rng = np.random.default_rng((_SCENE, seed, item, attempt))
    hand = draw_hand(rng)
    rotation = draw_rotation(rng, VIEWS)
    z = rng.uniform(pixels.near_mm, pixels.far_mm)
    half_px = pixels.focal_px * CUBE_MM / 2 / z
    place = np.array([_draw_place(rng, side, half_px) for side in (pixels.columns, pixels.rows)])
    fx, fy, cx, cy = pixels.intrinsics
    palm = np.array([(place[0] - cx) / fx * z, (place[1] - cy) / fy * z, z])
    placed = _move(hand, rotation, palm - rotation @ PALM_MM)
    reach = _reach_px(half_px)
    left, top = (max(math.floor(at - reach), 0) for at in place)
    right = min(math.ceil(place[0] + reach) + 1, pixels.columns)
    bottom = min(math.ceil(place[1] + reach) + 1, pixels.rows)
    shape, origin = (bottom - top, right - left), (left, top)
    seen = draw_cones(placed.cones_mm, pixels.intrinsics, shape, origin)
    behind = np.minimum(_wall(rng, palm, pixels, shape, origin),
                        draw_cones(_body(rng, palm), pixels.intrinsics, shape, origin))  # fmt: skip
    camera = np.array([fx, fy, cx - left, cy - top])
    hand_mm = np.where(np.isfinite(seen), seen, 0.0).astype(np.float32)
    scene_mm = np.minimum(seen, behind).astype(np.float32)
    return Scene(hand_mm, scene_mm, camera, origin, placed.joints_mm, placed.radius_mm, palm)


def _reach_px(half_px: float) -> float:
    """Return how far a window reaches from its middle, where half the cube is so wide."""
    return half_px * (1 + 2 * MARGIN_SHARE) + MARGIN_PX


def _draw_place(rng: np.random.Generator, side_px: int, half_px: float) -> float:
    """Draw a pixel at which a whole cube is seen, or one near the middle where it never is."""
    return (side_px - 1) / 2 + max((side_px - 1) / 2 - half_px, 0.0) * rng.uniform(-1.0, 1.0)


def _move(hand: CapsuleHand, rotation: NDArray[np.float64], shift: NDArray[np.float64]) -> CapsuleHand:
    cones = hand.cones_mm.copy()
    for end in (slice(0, 3), slice(4, 7)):
        cones[:, end] = cones[:, end] @ rotation.T + shift
    return CapsuleHand(hand.joints_mm @ rotation.T + shift, hand.radius_mm, cones)


def _wall(rng, palm, pixels: Pixels, shape: tuple[int, int], origin: tuple[int, int]) -> NDArray[np.float64]:
    """Return the depth of a tilted wall that is 200 to 1500 mm behind the palm, and never in its cube."""
    distance = palm[2] + rng.uniform(200.0, 1500.0)
    lean = np.tan(np.radians(np.clip(rng.normal(0.0, 12.0, 2), -30.0, 30.0)))
    fx, fy, cx, cy = pixels.intrinsics
    x = ((np.arange(shape[1]) + origin[0] - cx) / fx - palm[0] / palm[2])[None, :]
    y = ((np.arange(shape[0]) + origin[1] - cy) / fy - palm[1] / palm[2])[:, None]
    depth = distance / np.maximum(1.0 - lean[0] * x - lean[1] * y, 0.2)
    return np.maximum(depth, palm[2] + CUBE_MM / 2 + 50.0)


def _body(rng: np.random.Generator, palm: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return shoulders, trunk and head 200 to 500 mm behind the palm in half of the scenes, else nothing; (K, 8)."""
    if rng.random() < 0.5:
        return np.empty((0, 8))
    chest = palm * 1.0
    chest += (rng.uniform(-350.0, 350.0), rng.uniform(0.0, 300.0), rng.uniform(200.0, 500.0) + 120.0)
    x, y, z = chest
    shoulders = (x - 150.0, y - 120.0, z, 90.0, x + 150.0, y - 120.0, z, 90.0)
    trunk = (x, y - 100.0, z, 120.0, x, y + 400.0, z, 110.0)
    head = (x, y - 330.0, z, 90.0, x, y - 290.0, z, 75.0)
    return np.array([shoulders, trunk, head])
