"""What cameras of the zoo ask of a scene: tilt, jumps, shadows, and smooth random fields."""

import math
from typing import Protocol

import cv2
import numba
import numpy as np
from numpy.typing import NDArray

Map = NDArray[np.float32]


class SceneCamera(Protocol):
    """A camera that shares no code with the package's models."""

    def see(self, scene_mm: Map, focal_px: float, origin: tuple[int, int], rng: np.random.Generator) -> Map:
        """See a scene.

        Args:
            scene_mm: (rows, columns) depth without noise, everywhere > 0.
            focal_px: Focal length.
            origin: Column and row of the first pixel in the camera's image.
            rng: Source of all that is random.

        Returns:
            (rows, columns) readings in mm, 0 where there is none.
        """
        ...


@numba.njit(nogil=True, cache=True)
def _tan_tilt(depth, focal, out):
    rows, columns = depth.shape
    for v in range(rows):
        up, down = max(v - 1, 0), min(v + 1, rows - 1)
        for u in range(columns):
            left, right = max(u - 1, 0), min(u + 1, columns - 1)
            here = depth[v, u]
            along = min(abs(here - depth[v, left]), abs(here - depth[v, right]))
            if left == u or right == u:
                along = max(abs(here - depth[v, left]), abs(here - depth[v, right]))
            across = min(abs(here - depth[up, u]), abs(here - depth[down, u]))
            if up == v or down == v:
                across = max(abs(here - depth[up, u]), abs(here - depth[down, u]))
            out[v, u] = focal / here * math.sqrt(along * along + across * across)


def tilt_deg(scene_mm: Map, focal_px: float) -> Map:
    """Return how far each surface is turned away from the image plane, degrees.

    Along each axis the gentler of the two one-sided slopes counts: a jump beside a pixel does not tilt its surface.

    Args:
        scene_mm: (rows, columns) depth, everywhere > 0.
        focal_px: Focal length.
    """
    out = np.empty_like(scene_mm)
    _tan_tilt(scene_mm, focal_px, out)
    return np.degrees(np.arctan(out))


def near_jump(scene_mm: Map, jump_mm: float, radius_px: int) -> NDArray[np.bool_]:
    """Return which pixels lie within a radius of a jump in depth, (rows, columns)."""
    window = np.ones((3, 3), np.uint8)
    jump = cv2.dilate(scene_mm, window) - cv2.erode(scene_mm, window) > 2 * jump_mm
    wider = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius_px + 1, 2 * radius_px + 1))
    return cv2.dilate(jump.astype(np.uint8), wider) > 0


def in_shadow(scene_mm: Map, focal_px: float, baseline_mm: float) -> NDArray[np.bool_]:
    """Return which pixels a lamp beside the camera does not reach, (rows, columns).

    A point in column u is lit from the lamp's column u + b f / z; a nearer surface on the lamp's side that reaches
    further hides it. Shadows lie to the right of near surfaces for a lamp on the left, b > 0, and to the left else.
    """
    lit = np.arange(scene_mm.shape[1], dtype=np.float32) + np.float32(baseline_mm * focal_px) / scene_mm
    if baseline_mm > 0:
        return np.maximum.accumulate(lit, axis=1) > lit + 0.5
    return np.minimum.accumulate(lit[:, ::-1], axis=1)[:, ::-1] < lit - 0.5


def smooth_field(rng: np.random.Generator, shape: tuple[int, int], sigma_px: float) -> Map:
    """Draw normal noise of variance 1 that a Gaussian of deviation sigma has smoothed, (rows, columns)."""
    reach = math.ceil(3 * sigma_px)
    white = rng.standard_normal((shape[0] + 2 * reach, shape[1] + 2 * reach), dtype=np.float32)
    smooth = cv2.GaussianBlur(white, (2 * reach + 1, 2 * reach + 1), sigma_px)
    # White noise keeps 1 / (4 pi sigma^2) of its variance.
    return smooth[reach : reach + shape[0], reach : reach + shape[1]] * np.float32(2 * sigma_px * math.sqrt(math.pi))


def ramp(value: Map, low: float, high: float) -> Map:
    """Return 0 up to low, 1 from high on, and linear between."""
    return np.clip((value - low) / (high - low), 0.0, 1.0)


def rounded(depth_mm: Map, unit_mm: float) -> Map:
    """Round readings to whole units; 0 stays 0."""
    return np.where(depth_mm > 0, np.maximum(np.rint(depth_mm / unit_mm), 1), 0).astype(np.float32) * np.float32(
        unit_mm
    )
