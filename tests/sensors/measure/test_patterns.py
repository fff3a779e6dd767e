"""Rows and columns of the image that alternate, and curved hands that do not."""

import numpy as np
import pytest
from ball_hands import ORIGIN, windows

from refiner.sensors.measure.estimates import Bootstrap
from refiner.sensors.measure.patterns import measure_patterns, pattern_sums, without_alternation
from refiner.sensors.measure.window import find_hand_in


def patterns_of(see, unit_mm=1.0):
    hands = [find_hand_in(window) for window in windows(see, count=12, unit_mm=unit_mm)]
    return hands, measure_patterns(np.array([pattern_sums(hand) for hand in hands]), Bootstrap(len(hands), 0))


def noisy_rows(offsets_mm):
    def see(depth, rng):
        row = (np.arange(depth.shape[0]) + ORIGIN[1]) % len(offsets_mm)
        return depth + np.asarray(offsets_mm)[row][:, None] + rng.normal(size=depth.shape)

    return see


def test_odd_rows_that_lie_behind():
    hands, found = patterns_of(noisy_rows([0.0, 2.2]))
    assert found["rows_alternate_mm"].value == pytest.approx(2.2, abs=0.1)
    assert abs(found["columns_alternate_mm"].value) < 0.06
    assert found["rows_period_3px_mm"].value < 0.05
    flat = [hand._replace(window=hand.window._replace(depth_mm=without_alternation(hand, found))) for hand in hands]
    again = measure_patterns(np.array([pattern_sums(hand) for hand in flat]), Bootstrap(len(hands), 0))
    assert abs(again["rows_alternate_mm"].value) < 0.01


def test_odd_columns_that_lie_before():
    def see(depth, rng):
        column = (np.arange(depth.shape[1]) + ORIGIN[0]) % 2
        return depth - 1.5 * column + rng.normal(size=depth.shape)

    found = patterns_of(see)[1]
    assert found["columns_alternate_mm"].value == pytest.approx(-1.5, abs=0.1)
    assert abs(found["rows_alternate_mm"].value) < 0.06


@pytest.mark.parametrize(("offsets_mm", "period"), [([2.0, -1.0, -1.0], 3), ([2.0, 0, -2.0, 0], 4)])
def test_patterns_of_three_and_four(offsets_mm, period):
    """Both are a cosine of 2 mm."""
    found = patterns_of(noisy_rows(offsets_mm))[1]
    assert found[f"rows_period_{period}px_mm"].value == pytest.approx(2.0, abs=0.15)
    assert found[f"rows_period_{7 - period}px_mm"].value < 0.05
    assert abs(found["rows_alternate_mm"].value) < 0.05


def test_curved_hands_fake_none():
    found = patterns_of(lambda depth, _rng: depth)[1]
    for lines in ("rows", "columns"):
        assert abs(found[f"{lines}_alternate_mm"].value) < 0.02
        assert found[f"{lines}_period_3px_mm"].value < 0.02
