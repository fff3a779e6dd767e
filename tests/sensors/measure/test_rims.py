"""Sharp, mixed and fattened rims of round hands are told apart."""

import cv2
import numpy as np
import pytest
from ball_hands import windows

from refiner.sensors.measure.estimates import Bootstrap
from refiner.sensors.measure.rims import measure_rims, rim_sums
from refiner.sensors.measure.window import find_hand_in

SQUARE = np.ones((3, 3), np.uint8)


def rims_of(see, noise_mm=0.0, **scene):
    sums = [rim_sums(find_hand_in(window), noise_mm) for window in windows(see, count=12, **scene)]
    return measure_rims({name: np.array([part[name] for part in sums]) for name in sums[0]}, Bootstrap(len(sums), 0))


def flying(depth, rng):
    hand = (depth < 1200).astype(np.uint8)
    rim = (hand > 0) & (cv2.erode(hand, SQUARE) == 0)
    return depth + np.where(rim, rng.uniform(15, 45, depth.shape), 0)


def fattened(width_px):
    """A camera that copies the depth of the nearest pixel that is not outermost to so many pixels around it."""

    def see(depth, _rng):
        inner = cv2.erode((depth < 1200).astype(np.uint8), SQUARE)
        away, labels = cv2.distanceTransformWithLabels(1 - inner, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)
        copies = np.zeros(labels.max() + 1, np.float32)
        copies[labels[inner > 0]] = depth[inner > 0]
        return np.where((inner == 0) & (away <= width_px), copies[labels], depth)

    return see


@pytest.mark.parametrize("wall_mm", [1500.0, 0.0])
@pytest.mark.parametrize("noise_mm", [0.0, 2.0])
def test_sharp_rims(noise_mm, wall_mm):
    def see(depth, rng):
        return np.where(depth > 0, depth + noise_mm * rng.normal(size=depth.shape), 0)

    found = rims_of(see, noise_mm, wall_mm=wall_mm)
    assert abs(found["rim_excess_mm"].value) < 1
    assert found["rim_flying"].value < 0.01
    assert found["rim_flat_px"].value < 0.1
    for side in ("left", "right", "top", "bottom"):
        assert 2 < found[f"rim_{side}_mm"].value < 8


def test_mixed_rims():
    """They fly by 15 to 45 mm, 30 at the median, and sharp ones fall off by 5 of their own."""
    found = rims_of(flying)
    for side in ("left", "right", "top", "bottom"):
        assert 28 < found[f"rim_{side}_mm"].value < 40
    assert found["rim_excess_mm"].value > 15
    assert found["rim_flying"].value > 0.4
    assert found["rim_flat_px"].value < 0.1


@pytest.mark.parametrize("width_px", [2, 4])
def test_fattened_rims(width_px):
    found = rims_of(fattened(width_px))
    assert found["rim_flat_px"].value == pytest.approx(width_px, abs=0.6)
    assert found["rim_excess_mm"].value < 0.1
    assert found["rim_flying"].value < 0.01
    assert found["rim_left_mm"].value < 2  # of a sharp one 5


def test_one_side():
    """Of a plate that is turned about the vertical axis and ends with a pixel 12 mm behind at its right."""

    def see(depth, _rng):
        result = np.zeros_like(depth)
        result[60:160, 60:160] = 600
        result[60:160, 159] = 612
        return result

    found = rims_of(see)
    assert found["rim_right_mm"].value == pytest.approx(12, abs=0.5)
    assert found["rim_left_mm"].value == pytest.approx(0, abs=0.5)


def test_where_a_hand_is_cut_is_no_outline():
    """A forearm runs through the cube's far face and out of the window; what is before a hand hides its rim."""

    def see(depth, _rng):
        rows = np.arange(depth.shape[0])[:, None]
        arm = np.where(np.abs(np.arange(depth.shape[1]) - 120) < 30, 560 + 1.5 * rows, 0)
        return np.where(rows < 40, np.where(arm > 0, 300, 0), arm)

    found = rims_of(see)
    assert found["rim_top_mm"] is None
    assert found["rim_bottom_mm"] is None
    assert found["rim_left_mm"] is not None
