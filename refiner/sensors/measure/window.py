"""What is measured: windows of recorded images around hands, and the hand in each."""

from typing import NamedTuple

import cv2
import numba
import numpy as np
from numpy.typing import ArrayLike, NDArray

_REACH_PX = (3, 6, 12)
_FEWEST_READINGS = 8


class HandWindow(NamedTuple):
    """A window of a recorded image, at the camera's own pixels.

    Attributes:
        depth_mm: (rows, columns) the image around the hand's cube with a margin of 16 px and more where the image
            allows, background included; 0 = no reading.
        camera: fx fy cx cy of the window, px.
        origin: Column and row of its first pixel in the image; the parity of rows and columns follows from it.
        near_mm: Depth at which the cube begins.
        far_mm: Depth at which it ends. What lies in between and hangs together with the centre is the hand.
        centre_mm: (3,) the cube's centre in the camera frame.
    """

    depth_mm: NDArray[np.float32]
    camera: ArrayLike
    origin: tuple[int, int]
    near_mm: float
    far_mm: float
    centre_mm: ArrayLike


class Hand(NamedTuple):
    """The hand in a window.

    Attributes:
        window: The window.
        readings: (rows, columns) the hand's readings.
        filled: (rows, columns) readings and holes that they enclose.
        hole_px: (rows, columns) at the pixels of a hole its size, 0 elsewhere.
        inside_px: (rows, columns) distance from the outline in steps of a king; 1 is the outermost pixel of the hand.
    """

    window: HandWindow
    readings: NDArray[np.bool_]
    filled: NDArray[np.bool_]
    hole_px: NDArray[np.int32]
    inside_px: NDArray[np.float32]


def find_readings(window: HandWindow) -> NDArray[np.bool_]:
    """Return the hand's readings: those in the cube's depth range that hang together with the one next to the centre.

    Pixels that touch at a corner hang together, so that single lost readings do not cut fingers off.

    Returns:
        (rows, columns); all false where the range holds no reading.
    """
    within = (window.depth_mm >= window.near_mm) & (window.depth_mm <= window.far_mm) & (window.depth_mm > 0)
    if not within.any():
        return within
    fx, fy, cx, cy = (float(value) for value in np.asarray(window.camera))
    x, y, z = (float(value) for value in np.asarray(window.centre_mm))
    regions = cv2.connectedComponents(within.astype(np.uint8), connectivity=8)[1]
    v, u = np.nonzero(within)
    nearest = np.argmin(np.square(u - (fx * x / z + cx)) + np.square(v - (fy * y / z + cy)))
    return regions == regions[v[nearest], u[nearest]]


def find_hand_in(window: HandWindow) -> Hand:
    """Return the hand in a window.

    Gaps that the hand encloses are holes where nothing lies in them; through those with a reading the background is
    seen. Gaps that are open to the background or to the border of the window are none
    (see `refiner.geometry.holes`).
    """
    readings = find_readings(window)
    missing = np.pad((~readings).astype(np.uint8), 1, constant_values=1)
    count, regions, stats, _ = cv2.connectedComponentsWithStats(missing, connectivity=4)
    size = stats[:, cv2.CC_STAT_AREA].astype(np.int32)
    beyond = np.bincount(regions[1:-1, 1:-1][~readings & (window.depth_mm > 0)], minlength=count)
    size[[0, regions[0, 0]]] = 0
    size[beyond > 0] = 0
    hole_px = size[regions[1:-1, 1:-1].astype(np.intp)]
    filled = readings | (hole_px > 0)
    inside = cv2.distanceTransform(np.pad(filled.astype(np.uint8), 1), cv2.DIST_C, 3)[1:-1, 1:-1]
    return Hand(window, readings, filled, hole_px, inside.astype(np.float32))


@numba.njit(nogil=True, cache=True)
def _tilts(depth, readings, filled, fx, fy, cx, cy, reach, fewest, tilt_deg, misfit_mm):
    rows, columns = depth.shape
    for v in range(rows):
        for u in range(columns):
            if not filled[v, u]:
                continue
            for radius in reach:
                n, su, sv, suu, suv, svv = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
                sz, suz, svz, szz, base = 0.0, 0.0, 0.0, 0.0, -1.0
                for y in range(max(v - radius, 0), min(v + radius + 1, rows)):
                    for x in range(max(u - radius, 0), min(u + radius + 1, columns)):
                        if readings[y, x]:
                            if base < 0.0:
                                base = depth[y, x]
                            i, j, z = float(x - u), float(y - v), depth[y, x] - base
                            n += 1.0
                            su += i
                            sv += j
                            suu += i * i
                            suv += i * j
                            svv += j * j
                            sz += z
                            suz += i * z
                            svz += j * z
                            szz += z * z
                if n < fewest:
                    continue
                suu, suv, svv = suu - su * su / n, suv - su * sv / n, svv - sv * sv / n
                suz, svz, szz = suz - su * sz / n, svz - sv * sz / n, szz - sz * sz / n
                area = suu * svv - suv * suv
                if area <= 1e-6 * n * n:
                    continue
                along_u, along_v = (svv * suz - suv * svz) / area, (suu * svz - suv * suz) / area
                z = base + (sz - along_u * su - along_v * sv) / n
                # n.ray = -z for the normal n = (fx z_u, fy z_v, -(z + (u - cx) z_u + (v - cy) z_v)).
                across, down = (u - cx) / fx, (v - cy) / fy
                towards = z + (u - cx) * along_u + (v - cy) * along_v
                normal = np.sqrt((fx * along_u) ** 2 + (fy * along_v) ** 2 + towards**2)
                cosine = z / (normal * np.sqrt(1.0 + across**2 + down**2))
                tilt_deg[v, u] = np.degrees(np.arccos(min(max(cosine, 0.0), 1.0)))
                misfit_mm[v, u] = np.sqrt(max(szz - along_u * suz - along_v * svz, 0.0) / n)
                break


def surface_tilts(hand: Hand) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the tilt of the surface against the ray at each pixel of the hand, holes included.

    It is that of the plane through the readings in 7 x 7 px, where these are too few in 13 or 25.

    Returns:
        The tilt in degrees and the root mean square of the plane's misfit in mm, both (rows, columns); not a number
        where nothing is known. A great misfit tells that two surfaces meet.
    """
    fx, fy, cx, cy = (float(value) for value in np.asarray(hand.window.camera))
    tilt_deg = np.full(hand.filled.shape, np.nan, np.float32)
    misfit_mm = np.full(hand.filled.shape, np.nan, np.float32)
    _tilts(
        hand.window.depth_mm, hand.readings, hand.filled, fx, fy, cx, cy, _REACH_PX, _FEWEST_READINGS,
        tilt_deg, misfit_mm,
    )  # fmt: skip
    return tilt_deg, misfit_mm
