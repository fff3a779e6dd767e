"""Whether the labels of refined maps still hold: how far the refiner moved what they describe."""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from refiner.geometry.holes import silhouettes

_BEYOND_MM = 130.0
"""Of the background behind the farthest reading, when maps are laid over each other: half a usual cube."""


def label_shift(synthetic_mm: NDArray[np.float32], refined_mm: NDArray[np.float32]) -> dict[str, Any]:
    """Measure refined maps against the renders they came from.

    Args:
        synthetic_mm: (n, H, W), 0 = no reading.
        refined_mm: (n, H, W), of the same items.

    Returns:
        `depth_mm`: mean |change of depth| over pixels that are readings in both, and its 95th percentile over maps;
        `silhouette_iou`: of readings and the holes between them, mean over maps; `lost`, `won`: readings that went or
        came, as shares of the rendered hand; `shift_px`: mean and standard deviation of the sideways shift by phase
        correlation (the paper measured 1.1 +- 0.8 px on the pupils of 55 px wide eyes); `per_map`: `depth_mm` and
        `shift_px` of each, (n,) arrays.

    Raises:
        ValueError: The shapes differ.
    """
    if synthetic_mm.shape != refined_mm.shape:
        raise ValueError(f"Found {synthetic_mm.shape} and {refined_mm.shape} maps, wanted the same items.")
    before, after = synthetic_mm > 0, refined_mm > 0
    both = before & after
    change = np.abs(refined_mm - synthetic_mm) * both
    per_map_mm = change.sum(axis=(1, 2)) / np.maximum(both.sum(axis=(1, 2)), 1)
    outlines = silhouettes(before), silhouettes(after)
    common, union = (part.sum(axis=(1, 2)) for part in (outlines[0] & outlines[1], outlines[0] | outlines[1]))
    shift_px = np.array([shift_by_phase_px(a, b) for a, b in zip(synthetic_mm, refined_mm, strict=True)])
    hand = max(int(before.sum()), 1)
    return {
        "depth_mm": {
            "mean": float(change.sum() / max(both.sum(), 1)),
            "p95_of_maps": float(np.percentile(per_map_mm, 95)),
        },
        "silhouette_iou": float(np.mean(common / np.maximum(union, 1))),
        "lost": float((before & ~after).sum() / hand),
        "won": float((~before & after).sum() / hand),
        "shift_px": {"mean": float(shift_px.mean()), "sd": float(shift_px.std())},
        "per_map": {"depth_mm": per_map_mm, "shift_px": shift_px},
    }


def shift_by_phase_px(a_mm: NDArray[np.float32], b_mm: NDArray[np.float32]) -> float:
    """Give the length of the sub-pixel shift between two maps, by phase correlation of their nearness."""
    if not (a_mm > 0).any() or not (b_mm > 0).any():
        return 0.0
    farthest = float(max(a_mm.max(), b_mm.max())) + _BEYOND_MM
    window = cv2.createHanningWindow((a_mm.shape[1], a_mm.shape[0]), cv2.CV_32F)
    near = [np.where(map_ > 0, farthest - map_, 0).astype(np.float32) for map_ in (a_mm, b_mm)]
    (du, dv), _ = cv2.phaseCorrelate(near[0], near[1], window)
    return float(np.hypot(du, dv))
