"""Units and laws of steps that are known, with noise before the steps."""

import numpy as np
import pytest
from ball_hands import windows

from refiner.sensors.measure.estimates import Bootstrap
from refiner.sensors.measure.steps import level_counts, measure_steps, measure_unit


def steps_of(see, unit_mm, file_unit_mm=None, **scene):
    seen = windows(see, count=12, unit_mm=unit_mm, **scene)
    file_unit_mm = file_unit_mm or unit_mm
    counts = level_counts(seen, file_unit_mm)
    unit = measure_unit(counts, file_unit_mm)
    return unit, measure_steps(counts, unit, file_unit_mm, Bootstrap(len(seen), 0))


def noisy(depth, rng):
    return depth + rng.normal(size=depth.shape)


@pytest.mark.parametrize(("unit_mm", "file_unit_mm"), [(1.0, 1.0), (0.125, 0.125), (1.0, 0.1), (2.0, 1.0)])
def test_a_unit_and_no_steps_beyond_it(unit_mm, file_unit_mm):
    unit, steps = steps_of(noisy, unit_mm, file_unit_mm)
    assert unit.value == pytest.approx(unit_mm)
    assert steps["step_mm_at_1m"].value == pytest.approx(unit_mm)
    assert steps["step_exponent"].value == 0


@pytest.mark.parametrize("step_mm", [1.7, 2.5, 3.3])
def test_constant_steps(step_mm):
    unit, steps = steps_of(lambda z, rng: np.rint(noisy(z, rng) / step_mm) * step_mm, 1.0)
    assert unit.value == 1
    assert steps["step_mm_at_1m"].value == pytest.approx(step_mm, rel=0.002)
    assert steps["step_exponent"] == (0, 0, 0)


@pytest.mark.parametrize(("baseline_mm", "per_px", "distance_mm"), [(75.0, 8, 800), (50.0, 4, 600), (75.0, 8, 650)])
def test_disparity_steps_in_whole_millimetres(baseline_mm, per_px, distance_mm):
    """step(z) = z^2 / (b f n)."""
    whole = baseline_mm * 475 * per_px
    _, steps = steps_of(lambda z, rng: whole / np.rint(whole / noisy(z, rng)), 1.0, distance_mm=distance_mm)
    assert steps["step_mm_at_1m"].value == pytest.approx(1e6 / whole, rel=0.005)
    assert steps["step_exponent"] == (2, 2, 2)


def test_levels_that_only_occur_less_often_are_no_steps():
    """An SR305 has five readings at even multiples of its unit to three at odd ones."""

    def see(depth, rng):
        level = np.rint(noisy(depth, rng) / 0.125)
        return (level + (level % 2) * (rng.random(depth.shape) < 0.25)) * 0.125

    unit, steps = steps_of(see, 0.125)
    assert unit.value == 0.125
    assert steps["step_mm_at_1m"].value == 0.125


def test_what_is_not_told():
    assert level_counts(windows(noisy, count=2), 1.0) is None
    unit, steps = steps_of(lambda z, _rng: np.where(z < 1200, 600.0, 0), 1.0)
    assert unit is None
    assert steps == {"step_mm_at_1m": None, "step_exponent": None}
