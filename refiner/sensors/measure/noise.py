"""Strength of noise, and its correlation over pixels, from what smooth surfaces leave.

Hands move: no pixel is seen twice. What a surface fitted to a small window leaves is taken for noise, and the share
that the fit takes of it is put back (see `refiner.sensors.measure.surfaces`). Noise that is smooth over more than three
pixels cannot be told from shape, and only its finer part is measured.

Tilted surfaces of hands are curved, and a cubic of 9 px misfits them by more than a good camera's noise. Against tilt
the fourth differences along both axes are compared as well, which vanish on any cubic of 5 px: noise of the same
correlation is as much stronger as they are. Shape that is
left adds some tenths of a millimetre on facing surfaces, in quadrature, and up to one beyond 60 degrees.
"""

import itertools

import numpy as np
from numpy.typing import NDArray

from refiner.sensors.measure.estimates import Bootstrap, Estimate, interval
from refiner.sensors.measure.surfaces import LAGS_PX, UNMIX, Residuals

TILT_EDGES_DEG = (0.0, 30.0, 45.0, 60.0, 75.0, 90.0)
NOISE_TILT_EDGES_DEG = TILT_EDGES_DEG[:-1]
"""Surfaces steeper than 75 degrees are too curved and too narrow on a hand for a window."""
DISTANCE_EDGES_MM = (0.0, 300.0, 400.0, 500.0, 600.0, 700.0, 800.0, 1000.0, 1200.0, 1600.0, 2500.0)
FACING_DEG = 45.0
_OUTLIER, _FEWEST_WINDOWS = 2.0, 40


def _means(
    found: Residuals,
    chosen: NDArray[np.bool_],
    judged_mm2: NDArray[np.float64],
    values: NDArray[np.float64],
    bootstrap: Bootstrap,
) -> NDArray[np.float64] | None:
    """Return means over chosen windows for each resampled set, (sets, k), or nothing where too little was seen.

    Args:
        found: All windows.
        chosen: (n,) those that are asked about.
        judged_mm2: (n,) by which windows over an edge, a crease or a nail, which are no smooth surface, stand out.
        values: (n, k) what is averaged.
        bootstrap: The resampled sets.
    """
    if chosen.sum() < _FEWEST_WINDOWS or len(np.unique(found.frame[chosen])) < 2:
        return None
    usual = chosen & (judged_mm2 <= _OUTLIER * np.quantile(judged_mm2[chosen], 0.25) + 1e-12)
    frames = bootstrap.weights.shape[1]
    sums = np.zeros((frames, 1 + values.shape[1]))
    np.add.at(sums[:, 0], found.frame[usual], 1)
    np.add.at(sums[:, 1:], found.frame[usual], values[usual])
    totals = bootstrap.totals(sums)
    with np.errstate(invalid="ignore"):
        return totals[:, 1:] / totals[:, :1]


def _covariance(found: Residuals, chosen: NDArray[np.bool_], bootstrap: Bootstrap) -> NDArray[np.float64] | None:
    """Return the covariance at each lag for each resampled set, (sets, 16), or nothing where too little was seen."""
    means = _means(found, chosen, found.variance_mm2, found.products_mm2, bootstrap)
    return None if means is None else means @ UNMIX.T


def _strength(covariance: NDArray[np.float64] | None) -> Estimate | None:
    if covariance is None:
        return None
    strength = np.sqrt(np.maximum(covariance[:, 0], 0))
    return interval(strength[0], strength[1:])


def measure_noise(found: Residuals, bootstrap: Bootstrap, least_mm: float) -> dict[str, Estimate | None]:
    """Return strength of noise in all, by tilt and by distance, and its correlation over pixels.

    Args:
        found: Of all frames.
        bootstrap: The resampled sets.
        least_mm: Noise below this is no more than rounding, and its correlation is not returned.
    """
    facing = found.even & (found.tilt_deg < FACING_DEG)
    covariance = _covariance(found, facing, bootstrap)
    result: dict[str, Estimate | None] = {"noise_mm": _strength(covariance)}
    fine = found.fine_mm2[:, None]
    facing_fine = _means(found, facing, found.fine_mm2, fine, bootstrap)
    for low, high in itertools.pairwise(NOISE_TILT_EDGES_DEG):
        chosen = (found.tilt_deg >= low) & (found.tilt_deg < high) & found.even
        tilted, own = _means(found, chosen, found.fine_mm2, fine, bootstrap), _covariance(found, chosen, bootstrap)
        name = f"noise_mm_tilt_{low:.0f}_{high:.0f}"
        result[name] = None
        if covariance is not None and facing_fine is not None and tilted is not None and own is not None:
            with np.errstate(invalid="ignore", divide="ignore"):
                by_fine = covariance[:, 0] * tilted[:, 0] / facing_fine[:, 0]
            # Shape makes either too great, never too small.
            strength = np.sqrt(np.maximum(np.fmin(by_fine, own[:, 0]), 0))
            result[name] = interval(strength[0], strength[1:])
    for low, high in itertools.pairwise(DISTANCE_EDGES_MM):
        chosen = facing & (found.depth_mm >= low) & (found.depth_mm < high)
        result[f"noise_mm_at_{low:.0f}_{high:.0f}"] = _strength(_covariance(found, chosen, bootstrap))
    strength = result["noise_mm"]
    for axis, step in (("u", 1), ("v", LAGS_PX + 1)):
        for lag in range(1, LAGS_PX + 1):
            name = f"noise_correlation_{axis}_{lag}px"
            if covariance is None or strength is None or strength.value < least_mm:
                result[name] = None
                continue
            loud = covariance[covariance[:, 0] > 0]
            correlation = np.clip(loud[:, lag * step] / loud[:, 0], -1, 1)
            result[name] = interval(correlation[0], correlation[1:])
    return result
