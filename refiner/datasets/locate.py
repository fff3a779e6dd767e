"""Find the hand in a depth map: the nearest thing of a hand's size, and in it the palm.

One rule for camera maps and renders, so that both are centred alike. `parts.py` takes the map apart into connected
parts and finds the one that is a hand with its arm. The arm is where the part leaves the image or runs on behind the
slab or, where it does neither, its thicker end; `palm.py` finds the centre of the hand at the other end.

All lengths suit an adult's hand in a cube of 260 mm and scale with the cube. There is no state: the centre of a frame
depends on that frame alone.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from refiner.datasets.palm import palm_centre
from refiner.datasets.parts import FARTHEST_MM, hand_points
from refiner.errors import UsageError

REFERENCE_CUBE_MM = 260.0
LONE_STEP_MM = 25.0
"""A reading with fewer than two of its four neighbours this close in depth stands alone."""


class FoundHand(NamedTuple):
    """A hand in a depth map, and what speaks for it.

    Attributes:
        centre_mm: (3,) point on the palm's surface in the camera frame.
        palm_mm: Radius of the largest disc that fits in its silhouette, within half the cube's side of the centre; of
            an adult's hand 20 (seen edge-on) to 58.
        relief_mm: Root mean square distance of its surface from a plane; a hand's is 4 and more.
        others: Number of other parts as near that might be a hand.
        behind_mm: How far behind the nearest surface it begins: what lies before it was taken for no hand.
        lone_readings: Whether it was found only once readings that stand alone were left out.
    """

    centre_mm: NDArray[np.float64]
    palm_mm: float
    relief_mm: float
    others: int
    behind_mm: float
    lone_readings: bool


def find_hand(
    depth_mm: NDArray[np.float32],
    camera: ArrayLike,
    *,
    cube_mm: float,
    near_far_mm: tuple[float, float] | None = None,
    roi: tuple[int, int, int, int] | None = None,
) -> FoundHand | None:
    """Find the hand nearest to the camera.

    Runs without the interpreter lock: callers use threads.

    Args:
        depth_mm: (H, W), 0 = no reading.
        camera: fx fy cx cy of the map, px.
        cube_mm: Side of the crop cube; an adult's hand fits in 260.
        near_far_mm: Only readings within these depths are looked at.
        roi: Only this part of the map is looked at: x, y, width, height in pixels.

    Returns:
        The hand, or nothing where there is none.

    Raises:
        UsageError: The region does not lie inside the map.
    """
    fx, fy, cx, cy = (float(value) for value in np.asarray(camera))
    if roi is not None:
        x, y, width, height = roi
        rows, columns = depth_mm.shape
        if x < 0 or y < 0 or width < 1 or height < 1 or x + width > columns or y + height > rows:
            raise UsageError(
                f"The region {x},{y},{width},{height} (x,y,width,height) does not lie inside a map of "
                f"{columns} x {rows} pixels. Give another --roi."
            )
        depth_mm, cx, cy = depth_mm[y : y + height, x : x + width], cx - x, cy - y
    near, far = (float(value) for value in near_far_mm or (0, FARTHEST_MM))
    scale = float(cube_mm) / REFERENCE_CUBE_MM
    depth_mm = np.ascontiguousarray(depth_mm, np.float32)
    found, lone = hand_points(depth_mm, fx, fy, cx, cy, near, far, scale), False
    if not len(found[0]):
        # A stereo camera's false readings, sprinkled before the scene, are nearer than any hand.
        found, lone = hand_points(_without_lone_readings(depth_mm), fx, fy, cx, cy, near, far, scale), True
    points, leaves, others, behind_mm = found
    if not len(points):
        return None
    # Two compiled calls: a compiled function that calls into another module would keep a stale copy of it in its cache.
    centre_mm = palm_centre(points, leaves, scale)
    hand = points[np.linalg.norm(points[:, :3] - centre_mm, axis=1) <= cube_mm / 2]
    return FoundHand(centre_mm, float(hand[:, 3].max(initial=0)), _relief_mm(hand[:, :3]), others, behind_mm, lone)


def locate_hand(
    depth_mm: NDArray[np.float32],
    camera: ArrayLike,
    *,
    cube_mm: float,
    near_far_mm: tuple[float, float] | None = None,
    roi: tuple[int, int, int, int] | None = None,
) -> NDArray[np.float64] | None:
    """Return the middle of the palm of the hand nearest to the camera, (3,) mm, or nothing; see `find_hand`."""
    found = find_hand(depth_mm, camera, cube_mm=cube_mm, near_far_mm=near_far_mm, roi=roi)
    return None if found is None else found.centre_mm


def _relief_mm(points: NDArray[np.float64]) -> float:
    """Root mean square distance of points from the plane that fits them best."""
    if len(points) < 4:
        return 0.0
    centred = points - points.mean(axis=0)
    return float(np.sqrt(max(np.linalg.eigvalsh(centred.T @ centred / len(points))[0], 0.0)))


def _without_lone_readings(depth_mm: NDArray[np.float32]) -> NDArray[np.float32]:
    """Set readings to 0 of whose four neighbours fewer than two lie about as deep."""
    padded = np.pad(depth_mm, 1)
    around = (padded[:-2, 1:-1], padded[2:, 1:-1], padded[1:-1, :-2], padded[1:-1, 2:])
    near = sum((np.abs(depth_mm - other) <= LONE_STEP_MM).astype(np.uint8) for other in around)
    return np.where(near >= 2, depth_mm, 0).astype(np.float32)
