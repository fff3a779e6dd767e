from pathlib import Path

import pytest

from experiments.zoo.rows import Camera
from experiments.zoo.table import as_markdown, beside_camera, deviation, summary

SETTINGS = {
    "valid_from": 1.4, "within": 1.05, "refiner": {"config": "simgan/fast.yaml"}, "pose": {"config": "pose/small.yaml"},
}  # fmt: skip
CAMERA = Camera("c", {}, SETTINGS, Path("c"))
OWN = {
    "statistics": {"hole_rate": 0.04, "noise_mm": 2.0},
    "halves": [{"hole_rate": 0.05, "noise_mm": 2.0}, {"hole_rate": 0.04, "noise_mm": 2.0}],
    "distances": {"depth_steps": 0.1},
}


def judged(accuracy, hole_rate, noise_mm, shift_mm=None):
    shift = None if shift_mm is None else {
        "depth_mm": {"mean": shift_mm, "p95_of_maps": 9.0}, "silhouette_iou": 0.9, "shift_px": {"mean": 0.5, "sd": 0.1},
        "lost": 0.1, "won": 0.2,
    }  # fmt: skip
    return {
        "two_sample": {"accuracy": accuracy},
        "statistics": {"hole_rate": hole_rate, "noise_mm": noise_mm},
        "distances": {"depth_steps": 0.4},
        "label_shift": shift,
        "processor_s": 5.0,
    }


def whole_of(augmented, plain, rows=("raw", "refined", "camera")):
    jobs = {
        column: {
            row: [{"mean_mm": mean, "processor_s": 2.0} for mean in means]
            for row, means in zip(rows, errors, strict=True)
        }
        for column, errors in (("augmented", augmented), ("plain", plain))
    }
    maps = {"raw": judged(1.0, 0.0, 0.1), "refined": judged(0.7, 0.05, 1.0, 3.0), "camera": judged(0.5, 0.04, 2.0)}
    refiners = {"refined": [{"processor_s": 300.0, "updates": 2400}]}
    return summary(CAMERA, jobs, {row: [maps[row]] for row in rows}, refiners, OWN)


def test_the_gap_by_hand():
    whole = whole_of(augmented=([20, 22], [13, 14], [10, 11]), plain=([30, 30], [15, 15], [10, 10]))
    assert whole["raw_over_camera"] == {"augmented": pytest.approx(2), "plain": pytest.approx(3)}
    refined = whole["rows"]["refined"]
    assert refined["augmented"]["gap_closed"] == pytest.approx((21 - 13.5) / 10.5)
    assert refined["augmented"]["seeds_mm"] == [13, 14]
    assert refined["plain"]["gap_closed"] == pytest.approx(0.75)
    assert whole["rows"]["raw"]["plain"]["gap_closed"] == 0
    assert whole["rows"]["camera"]["plain"]["gap_closed"] == 1
    text = as_markdown(whole)
    assert "| refined | 13.50 mm | 71% | 15.00 mm | 75% |" in text
    assert "Refiner of refined, seed 0: 2400 updates in 300 s of one core." in text


@pytest.mark.parametrize(("refined_mm", "word"), [(10.5, "met"), (10.6, "missed")])
def test_where_raw_renders_do_nearly_as_well_the_gap_is_no_measure(refined_mm, word):
    whole = whole_of(augmented=([13.9], [refined_mm], [10]), plain=([14], [refined_mm], [10]))
    refined = whole["rows"]["refined"]
    assert refined["augmented"]["gap_closed"] is None
    assert refined["augmented"]["over_camera"] == pytest.approx(refined_mm / 10)
    assert refined["plain"]["gap_closed"] is not None  # from 1.4 on it is
    text = as_markdown(whole)
    assert f"x 1.05 is asked, and {word}" in text
    assert text.count("the gap is no measure") == 1


def test_rows_without_a_labelled_row_have_errors_alone():
    whole = whole_of(augmented=([20], [13]), plain=([30], [15]), rows=("raw", "refined"))
    assert whole["raw_over_camera"] == {"augmented": None, "plain": None}
    assert set(whole["rows"]["refined"]["plain"]) == {"mean_mm", "seeds_mm", "processor_s"}
    assert "| refined | 13.00 mm |  | 15.00 mm |  |" in as_markdown(whole)


def test_maps_stand_beside_the_cameras_and_its_halves():
    found = beside_camera([judged(0.7, 0.05, 1.0, 3.0), judged(0.9, 0.07, 2.0, 5.0)], OWN)
    assert found["two_sample"] == pytest.approx(0.8)
    hole_rate = found["statistics"]["hole_rate"]
    assert hole_rate == {
        "value": pytest.approx(0.06), "camera": 0.04, "deviation": pytest.approx(0.5), "halves": pytest.approx(0.25),
    }  # fmt: skip
    assert found["distances"]["depth_steps"] == {"value": 0.4, "halves": 0.1}
    assert found["label_shift"]["depth_mm"] == 4
    assert beside_camera([judged(1.0, 0, 0)], OWN)["label_shift"] is None


@pytest.mark.parametrize(("value", "camera", "wanted"), [(3, 2, 0.5), (-3, -2, -0.5), (1, 0, None), (0, 2, -1)])
def test_deviations(value, camera, wanted):
    assert deviation(value, camera) == wanted
