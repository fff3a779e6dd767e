import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from refiner.hand.skeleton import HAND21
from refiner.pose.metrics import (
    area_under_curve,
    bootstrap_ci95,
    joint_errors_mm,
    joint_errors_px,
    score,
    share_within,
)

CAMERA = np.array([[100.0, 200.0, 32.0, 32.0], [100.0, 200.0, 32.0, 32.0]])


def joints(count=2):
    truth = np.zeros((count, 21, 3))
    truth[..., 2] = 500
    return truth


def test_errors_by_hand():
    truth, estimate = joints(), joints()
    estimate[0, 0] += [3, 4, 0]
    estimate[1, 2] += [0, 0, 12]
    truth[1, 5] = np.nan
    errors = joint_errors_mm(estimate, truth)
    assert errors[0, 0] == 5
    assert errors[1, 2] == 12
    assert np.isnan(errors[1, 5])
    assert np.nansum(errors) == 17


def test_pixel_errors_by_hand():
    truth, estimate = joints(), joints()
    estimate[0, 0] += [5, 0, 0]  # 100 * 5 / 500
    estimate[1, 1] += [0, 5, 0]  # 200 * 5 / 500
    errors = joint_errors_px(estimate, truth, CAMERA)
    assert errors[0, 0] == pytest.approx(1)
    assert errors[1, 1] == pytest.approx(2)
    assert errors.sum() == pytest.approx(3)


def test_shares_by_hand():
    assert share_within(np.array([1.0, 2.0, 3.0, np.nan]), (0.5, 1.0, 2.5, 3.0)) == [0, 1 / 3, 2 / 3, 1]


def test_area_by_hand():
    assert area_under_curve(np.zeros(4)) == 1
    assert area_under_curve(np.full(4, 60.0)) == 0
    # All joints 25 mm off: nothing before, everything from there on.
    assert area_under_curve(np.full(4, 25.0), 50, 101) == pytest.approx(0.5, abs=0.01)


def test_the_interval_holds_the_mean_as_often_as_it_says():
    rng = np.random.default_rng(0)
    held = 0
    for trial in range(200):
        low, high = bootstrap_ci95(rng.gamma(4.0, 2.5, 60), seed=trial, resamples=400)
        held += low <= 10 <= high
    assert 176 <= held <= 199  # 95 % of 200, and four deviations to either side


@settings(max_examples=25)
@given(st.floats(0.1, 30), st.integers(0, 20))
def test_moving_one_joint_moves_its_own_figures_alone(shift, joint):
    truth, estimate = joints(), joints()
    estimate[:, joint, 2] += shift
    result = score(estimate, truth, CAMERA, HAND21, size_px=64)
    assert result["mean_mm"] == pytest.approx(shift / 21)
    assert result["per_joint_mm"][HAND21.joints[joint]] == pytest.approx(shift)
    assert sum(result["per_joint_mm"].values()) == pytest.approx(shift)
    assert result["frames_within_mm"]["30"] == 1
    assert result["frames_within_mm"]["10"] == (shift <= 10)
    finger = HAND21.joints[joint].split("_")[0]
    assert result["per_finger_mm"][finger] == pytest.approx(shift / (1 if finger == "wrist" else 4))


def test_pixels_can_be_those_of_a_larger_map():
    truth, estimate = joints(), joints()
    estimate[..., 0] += 5  # 1 px of the stored map
    assert score(estimate, truth, CAMERA, HAND21, size_px=64)["pck"]["1"] == 1
    larger = score(estimate, truth, CAMERA, HAND21, size_px=64, pck_size_px=224)  # 3.5 px
    assert (larger["pck"]["3"], larger["pck"]["4"]) == (0, 1)


def test_unlabelled_frames_are_left_out():
    truth, estimate = joints(), joints()
    truth[1] = np.nan
    result = score(estimate, truth, CAMERA, HAND21, size_px=64)
    assert (result["frames"], result["unlabelled_frames"]) == (1, len(truth) - 1)
    truth[0] = np.nan
    with pytest.raises(ValueError, match="nothing to measure"):
        score(estimate, truth, CAMERA, HAND21, size_px=64)


def test_estimates_must_be_numbers():
    estimate = joints()
    estimate[0, 0, 0] = np.nan
    with pytest.raises(ValueError, match="1 estimates that are not finite"):
        joint_errors_mm(estimate, joints())
    with pytest.raises(ValueError, match="wanted the same"):
        joint_errors_mm(joints(3), joints(2))
