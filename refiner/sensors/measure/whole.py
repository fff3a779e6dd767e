"""All that is measured of a camera, from windows of its images."""

from collections.abc import Sequence

import numpy as np

from refiner.errors import UsageError
from refiner.sensors.measure.estimates import Bootstrap, Estimate
from refiner.sensors.measure.losses import loss_sums, measure_losses
from refiner.sensors.measure.names import MEASURES
from refiner.sensors.measure.noise import measure_noise
from refiner.sensors.measure.patterns import measure_patterns, pattern_sums, without_alternation
from refiner.sensors.measure.rims import measure_rims, rim_sums
from refiner.sensors.measure.shadows import measure_shadows, shadow_sums
from refiner.sensors.measure.steps import level_counts, measure_steps, measure_unit
from refiner.sensors.measure.surfaces import residuals
from refiner.sensors.measure.window import HandWindow, find_hand_in

_ABOVE_ROUNDING, _LEAST_MM = 0.4, 0.02
"""Noise below 0.4 units is rounding (0.29 units), and noise below 0.02 mm is shape."""


def measure(windows: Sequence[HandWindow], unit_mm: float, seed: int = 0) -> dict[str, Estimate | None]:
    """Measure a camera from windows of its recorded images.

    Args:
        windows: At the camera's own pixels, in the order of the recording; neighbours may be alike.
        unit_mm: Unit of the files' depths, > 0.
        seed: Of the bootstrap.

    Returns:
        For each name of `MEASURES` a value with its 95 % interval, or nothing where it cannot be told.

    Raises:
        UsageError: There is no window, or the unit is not positive.
    """
    if not windows:
        raise UsageError("No window to measure a camera from; wanted one and more. Give a recording with a hand.")
    if not unit_mm > 0:
        raise UsageError(f"A depth unit of {unit_mm} mm; wanted more than 0. Give the unit of the files' depths.")
    bootstrap = Bootstrap(len(windows), seed)
    counts = level_counts(windows, unit_mm)
    unit = measure_unit(counts, unit_mm)
    result: dict[str, Estimate | None] = {"unit_mm": unit, **measure_steps(counts, unit, unit_mm, bootstrap)}
    hands = [find_hand_in(window) for window in windows]
    least_mm = max(_ABOVE_ROUNDING * (unit.value if unit else 0.0), _LEAST_MM)
    result |= measure_patterns(np.array([pattern_sums(hand) for hand in hands]), bootstrap)
    depths = [without_alternation(hand, result) for hand in hands]
    result |= measure_noise(residuals(hands, depths), bootstrap, least_mm)
    noise = result["noise_mm"]
    noise_mm = noise.value if noise else 0.0
    rims = [rim_sums(hand, noise_mm) for hand in hands]
    result |= measure_rims({name: np.array([sums[name] for sums in rims]) for name in rims[0]}, bootstrap)
    losses = [loss_sums(hand, noise_mm) for hand in hands]
    result |= measure_losses({name: np.array([sums[name] for sums in losses]) for name in losses[0]}, bootstrap)
    result |= measure_shadows(np.array([shadow_sums(hand) for hand in hands]), bootstrap)
    return {name: result[name] for name in MEASURES}
