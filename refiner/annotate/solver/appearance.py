"""How like a joint's surroundings are to those of the same joint in another frame: normalised cross-correlation.

Oberweger et al. 2016 compare patches of 25 px of crops of 128 px; where a joint may lie, the map of 1 - NCC is kept,
and the solver reads it between pixels (`refiner.annotate.solver.costs`).
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from refiner.annotate.solver.terms import NCC_STEPS

PATCH = 25 / 128
"""Side of a patch over that of a crop."""


def hand_image(depth_mm: NDArray[np.floating], centre_z_mm: float, cube_mm: float) -> NDArray[np.float32]:
    """Give a map as an image to be compared: 1 at the near face of the cube, 0 at the far one and without a reading."""
    image = 0.5 - (np.asarray(depth_mm, dtype=np.float32) - np.float32(centre_z_mm)) / np.float32(cube_mm)
    return np.where(depth_mm > 0, np.clip(image, 0, 1), 0).astype(np.float32)


def unlike_windows(
    image: NDArray[np.float32],
    around_uv_px: NDArray[np.floating],
    example: NDArray[np.float32],
    example_uv_px: NDArray[np.floating],
    reach_px: int,
) -> tuple[NDArray[np.uint16], NDArray[np.int64]]:
    """Compare every joint's surroundings with an example.

    Args:
        image: (H, W), see `hand_image`.
        around_uv_px: (J, 2) where the joints are expected.
        example: (H, W), another frame.
        example_uv_px: (J, 2) where they are there.
        reach_px: How far around the expected place.

    Returns:
        1 - NCC, (J, 2 reach + 1, 2 reach + 1) in steps of 1 / `NCC_STEPS`, from 0 (alike) to 2 (the opposite), 1 where
        either patch is flat; and the pixels (J, 2) of the windows' middles.
    """
    size = 2 * reach_px + 1
    side = round(PATCH * image.shape[0]) // 2 * 2 + 1
    margin = side // 2 + reach_px + 1
    padded = cv2.copyMakeBorder(image, margin, margin, margin, margin, cv2.BORDER_CONSTANT, value=0.0)
    source = cv2.copyMakeBorder(example, margin, margin, margin, margin, cv2.BORDER_CONSTANT, value=0.0)
    last = np.array(image.shape[::-1]) - 1
    middle = np.clip(np.floor(np.asarray(around_uv_px) + 0.5), 0, last).astype(np.int64)
    places = np.clip(np.asarray(example_uv_px, dtype=np.float64), 0, last) + margin
    likeness = np.empty((len(middle), size, size), dtype=np.float32)
    for k, ((u, v), place) in enumerate(zip(middle, places, strict=True)):
        patch = cv2.getRectSubPix(source, (side, side), (float(place[0]), float(place[1])))
        half = reach_px + side // 2
        region = padded[v + margin - half : v + margin + half + 1, u + margin - half : u + margin + half + 1]
        cv2.matchTemplate(region, patch, cv2.TM_CCOEFF_NORMED, likeness[k])
    # Flat patches give anything; cv2 gives 1 where both are.
    likeness = np.clip(np.nan_to_num(likeness, copy=False, nan=0.0, posinf=0.0, neginf=0.0), -1, 1)
    return np.round((1 - likeness) * NCC_STEPS).astype(np.uint16), middle


def window_values(
    windows: NDArray[np.uint16], middle: NDArray[np.int64], uv_px: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Read 1 - NCC at the pixel nearest to each joint (J, 2), or at the window's border."""
    half = windows.shape[1] // 2
    at = np.clip(np.floor(uv_px + 0.5).astype(np.int64) - middle, -half, half) + half
    return windows[np.arange(len(at)), at[:, 1], at[:, 0]] / NCC_STEPS
