"""Where the points of one crop went in another: dense inverse search (Kroeger et al., ECCV 2016, arXiv 1603.03590)."""

import cv2
import numpy as np
from numpy.typing import NDArray


def follow(image: NDArray[np.float32], moved: NDArray[np.float32], uv_px: NDArray[np.floating]) -> NDArray[np.float64]:
    """Follow points from one image to another, in sub-pixels.

    Args:
        image: (H, W) in [0, 1] (see `refiner.annotate.solver.appearance.hand_image`).
        moved: (H, W), likewise.
        uv_px: (J, 2) points of `image`.

    Returns:
        (J, 2), within the map.
    """
    dis = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    dis.setFinestScale(0)  # crops are small, joints a few pixels wide
    before, after = (np.round(255 * part).astype(np.uint8) for part in (image, moved))
    flow = dis.calc(before, after, None)  # pyright: ignore[reportCallIssue, reportArgumentType]
    last = np.array(image.shape[::-1], dtype=np.float64) - 1
    places = np.clip(np.asarray(uv_px, dtype=np.float64), 0, last)
    at = places.astype(np.float32)[None]
    way = cv2.remap(flow, at[..., 0], at[..., 1], cv2.INTER_LINEAR)[0]
    return np.clip(places + way, 0, last)
