"""What a fresh classifier sees of a depth map: its shape at two scales, and nothing of where it is.

The median depth is taken away; what is left is shown twice, clipped at +-20 mm, where noise is, and at +-130 mm, where
edges are. A pixel without a reading counts as infinitely far.
"""

import numpy as np
from numpy.typing import NDArray

PATCH_PX = 16
ENOUGH_READINGS = 0.6
CLIP_MM = (20.0, 130.0)
STEPS_PX = (4, 2, 1)
"""Patches begin at every so many pixels; finer steps where a set is too small to give enough."""


def cut_patches(
    depth_mm: NDArray[np.float32], per_map: int, rng: np.random.Generator, step_px: int = STEPS_PX[0]
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Cut patches with enough readings at random places.

    Args:
        depth_mm: (n, H, W), 0 = no reading.
        per_map: Patches of one map at most.
        rng: Chooses the places.
        step_px: Between the places that patches may have, along each axis.

    Returns:
        (m, 2, 16, 16) as `two_scales` gives, and (m,) the map of each.
    """
    patches, owners = [], []
    for owner, map_ in enumerate(depth_mm):
        windows = np.lib.stride_tricks.sliding_window_view(map_, (PATCH_PX, PATCH_PX))[::step_px, ::step_px]
        windows = windows.reshape(-1, PATCH_PX, PATCH_PX)
        good = np.flatnonzero((windows > 0).mean(axis=(1, 2)) >= ENOUGH_READINGS)
        chosen = rng.permutation(good)[:per_map]
        patches.append(windows[chosen])
        owners.append(np.full(len(chosen), owner))
    cut = np.concatenate(patches) if patches else np.empty((0, PATCH_PX, PATCH_PX), np.float32)
    return two_scales(cut), np.concatenate(owners) if owners else np.empty(0, np.int64)


def two_scales(depth_mm: NDArray[np.float32]) -> NDArray[np.float32]:
    """Show maps about their median depth at two scales.

    Args:
        depth_mm: (n, H, W), 0 = no reading.

    Returns:
        (n, 2, H, W) in [-1, 1]; +1 in both where there is no reading.
    """
    missing = depth_mm <= 0
    # A map without any reading has no median; it is +1 everywhere.
    shown = np.where(missing.all(axis=(1, 2), keepdims=True), 0.0, np.where(missing, np.nan, depth_mm))
    middle = np.nanmedian(shown, axis=(1, 2), keepdims=True)
    relative = depth_mm - middle
    scales = [np.where(missing, 1.0, np.clip(relative / clip, -1, 1)) for clip in CLIP_MM]
    return np.stack(scales, axis=1).astype(np.float32)
