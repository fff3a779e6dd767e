"""Shadows that a projector beside the camera throws."""

import numpy as np
import pytest
from ball_hands import windows

from refiner.sensors.measure.estimates import Bootstrap
from refiner.sensors.measure.shadows import measure_shadows, shadow_sums
from refiner.sensors.measure.window import find_hand_in


def shadows_of(see, **scene):
    hands = [find_hand_in(window) for window in windows(see, count=12, **scene)]
    return measure_shadows(np.array([shadow_sums(hand) for hand in hands]), Bootstrap(len(hands), 0))


def lit_from(baseline_mm):
    """Columns keep their order in the projector unless something is in the way; > 0 shades what is left of things.

    A surface ends half a pixel beyond the middle of its last one.
    """

    def see(depth, _rng):
        towards = slice(None, None, -1 if baseline_mm > 0 else 1)
        place = np.arange(depth.shape[1]) + abs(baseline_mm) * 475 / depth[:, towards]
        ends = np.maximum.accumulate(place, axis=1)[:, :-1] + 0.5
        hidden = np.pad(place[:, 1:] < ends, ((0, 0), (1, 0)))[:, towards]
        return np.where(hidden, 0, depth)

    return see


@pytest.mark.parametrize("baseline_mm", [50.0, -50.0, 20.0])
def test_the_side_and_the_baseline(baseline_mm):
    found = shadows_of(lit_from(baseline_mm))
    assert found["shadow_background_asymmetry"].value == pytest.approx(-np.sign(baseline_mm), abs=0.02)
    assert found["shadow_background_baseline_mm"].value == pytest.approx(baseline_mm, rel=0.05)
    per_mm = 475 * (1 / 590 - 1 / 1500)
    assert found["shadow_background_px"].value == pytest.approx(abs(baseline_mm) * per_mm, rel=0.15)


def test_within_the_hand():
    """A finger 50 mm before a palm, on a plate: the shadow of 50 mm is 50 * 475 * (1 / 550 - 1 / 600) = 3.6 px wide."""

    def see(depth, rng):
        scene = np.full_like(depth, 600)
        scene[:, 100:140] = 550
        scene[:60] = 600
        return lit_from(-50.0)(scene, rng)

    found = shadows_of(see)
    assert found["shadow_hand_asymmetry"].value == pytest.approx(1, abs=0.01)
    assert found["shadow_hand_px"].value == pytest.approx(3.6, abs=0.6)
    assert found["shadow_background_asymmetry"] is None


def test_gaps_on_both_sides_are_none():
    def see(depth, _rng):
        hand = depth < 1200
        beside = np.zeros_like(hand)
        for shift in (-2, -1, 1, 2):
            beside |= np.roll(hand, shift, axis=1)
        return np.where(beside & ~hand, 0, depth)

    found = shadows_of(see)
    assert abs(found["shadow_background_asymmetry"].value) < 0.02
    assert found["shadow_background_px"].value < 0.1


def test_without_shadows_and_without_background():
    found = shadows_of(lambda depth, _rng: depth)
    assert found["shadow_background_asymmetry"] == (0, 0, 0)
    assert found["shadow_background_baseline_mm"].value == pytest.approx(0, abs=0.01)
    assert shadows_of(lambda depth, _rng: depth, wall_mm=0.0)["shadow_background_asymmetry"] is None
