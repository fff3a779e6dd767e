"""How far estimated joints are from true ones.

Joints that a label does not know are NaN and count nowhere. Frames, not joints, are what a confidence interval is
drawn from: the joints of one frame err together.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from refiner.geometry.camera import project
from refiner.hand.skeleton import Skeleton

PCK_PX = tuple(range(1, 11))
"""Distances of the paper's curve, in pixels."""

FRAMES_MM = (10, 20, 30, 40, 50, 60, 70, 80)
"""Distances of the success curve over frames, in mm."""

AUC_MM, AUC_STEPS = 50.0, 100
_RESAMPLES = 2000


def joint_errors_mm(estimated_mm: NDArray[np.floating], true_mm: NDArray[np.floating]) -> NDArray[np.float64]:
    """Give the Euclidean distance of each joint, (N, J), NaN where the truth is unknown.

    Raises:
        ValueError: The shapes differ, or an estimate is not finite.
    """
    if estimated_mm.shape != true_mm.shape:
        raise ValueError(f"Found joints of shape {estimated_mm.shape} and {true_mm.shape}, wanted the same.")
    if not np.isfinite(estimated_mm).all():
        raise ValueError(f"Found {int((~np.isfinite(estimated_mm)).sum())} estimates that are not finite.")
    return np.linalg.norm(estimated_mm.astype(np.float64) - true_mm.astype(np.float64), axis=-1)


def joint_errors_px(
    estimated_mm: NDArray[np.floating], true_mm: NDArray[np.floating], camera: NDArray[np.floating]
) -> NDArray[np.float64]:
    """Give the distance of each joint in the picture, (N, J) px of the map that `camera` (N, 4) belongs to."""
    return np.linalg.norm(project(estimated_mm, camera[:, None]) - project(true_mm, camera[:, None]), axis=-1)


def share_within(errors: NDArray[np.float64], limits: tuple[float, ...]) -> list[float]:
    """Give the share of known errors of at most each limit."""
    known = errors[np.isfinite(errors)]
    return [float((known <= limit).mean()) for limit in limits]


def area_under_curve(errors_mm: NDArray[np.float64], limit_mm: float = AUC_MM, steps: int = AUC_STEPS) -> float:
    """Give the mean share of joints within t, for `steps` distances t from 0 to `limit_mm`; 1 is perfect.

    By the trapezoidal rule, as the evaluation of HO-3D and DexYCB has it.
    """
    limits = np.linspace(0, limit_mm, steps)
    shares = np.array(share_within(errors_mm, tuple(limits)))
    return float(np.trapezoid(shares, limits) / limit_mm)


def bootstrap_ci95(frame_means: NDArray[np.float64], seed: int = 0, resamples: int = _RESAMPLES) -> list[float]:
    """Give the 95 % interval of the mean over frames, by the percentile bootstrap.

    Frames are taken as independent: of a sequence, whose frames are not, the true interval is wider.
    """
    rng = np.random.default_rng(seed)
    count = len(frame_means)
    means = [frame_means[rng.integers(0, count, count)].mean() for _ in range(resamples)]
    return [float(limit) for limit in np.percentile(means, [2.5, 97.5])]


def score(
    estimated_mm: NDArray[np.floating],
    true_mm: NDArray[np.floating],
    camera: NDArray[np.floating],
    skeleton: Skeleton,
    *,
    size_px: int,
    pck_size_px: int | None = None,
    seed: int = 0,
) -> dict[str, Any]:
    """Measure a whole set.

    Args:
        estimated_mm: (N, J, 3).
        true_mm: (N, J, 3), NaN where unknown.
        camera: (N, 4), of the stored maps.
        skeleton: Of J joints.
        size_px: Side of the stored maps.
        pck_size_px: Side of the map whose pixels `pck` counts; the stored one's where nothing is given. 5 px mean
            20 mm at 64 px of a 260 mm cube, and 6 mm at the paper's 224 px.
        seed: Of the bootstrap.

    Returns:
        `frames`, `unlabelled_frames` (without a known joint, left out), `mean_mm`, `median_mm`, `ci95_mm` [low, high]
        of the mean, `per_joint_mm` and `per_finger_mm` by name, `pck` {px: share of joints}, `pck_size_px`,
        `frames_within_mm` {mm: share of frames with all known joints within}, `auc` (of joints, 0 to 50 mm).
    """
    errors = joint_errors_mm(estimated_mm, true_mm)
    labelled = np.isfinite(errors).any(axis=1)
    if not labelled.any():
        raise ValueError("No frame has a known joint: there is nothing to measure against.")
    errors = errors[labelled]
    pixels = joint_errors_px(estimated_mm[labelled], true_mm[labelled], camera[labelled])
    shown_px = pck_size_px or size_px
    frame_means = np.nanmean(errors, axis=1)
    worst = np.nanmax(errors, axis=1)
    return {
        "frames": len(errors),
        "unlabelled_frames": int((~labelled).sum()),
        "mean_mm": float(frame_means.mean()),
        "median_mm": float(np.nanmedian(errors)),
        "ci95_mm": bootstrap_ci95(frame_means, seed),
        "per_joint_mm": {name: _mean(errors[:, j]) for j, name in enumerate(skeleton.joints)},
        "per_finger_mm": {name: _mean(errors[:, columns]) for name, columns in _digits(skeleton).items()},
        "pck": dict(zip(map(str, PCK_PX), share_within(pixels * shown_px / size_px, PCK_PX), strict=True)),
        "pck_size_px": shown_px,
        "frames_within_mm": {str(limit): float((worst <= limit).mean()) for limit in FRAMES_MM},
        "auc": area_under_curve(errors),
    }


def _mean(errors: NDArray[np.float64]) -> float | None:
    known = errors[np.isfinite(errors)]
    return float(known.mean()) if len(known) else None


def _digits(skeleton: Skeleton) -> dict[str, list[int]]:
    """Group joints by the word before the underscore; what has none, such as the wrist, stands alone."""
    groups: dict[str, list[int]] = {}
    for index, name in enumerate(skeleton.joints):
        groups.setdefault(name.split("_")[0], []).append(index)
    return groups
