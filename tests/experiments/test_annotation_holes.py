"""A finger without readings: what is removed, and how far annotation may be off for it."""

import json
from pathlib import Path

import numpy as np
import pytest
from shipped_session import write_cut

from experiments import annotation_holes
from refiner.datasets.store import DepthStore

ASKED_MM = {"whole finger": 9, "tip and dip": 8, "tip alone": 9, "whole finger, flagged occluded": 17}
"""Of joints that lost their readings; borrowed depth had 51, 39, 28 and 59 mm."""
OTHERS_MM = 2.8


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return DepthStore(write_cut(tmp_path_factory.mktemp("holes") / "cut.zarr", 24))


def test_readings_within_a_radius_of_a_line_are_removed():
    depth = np.full((20, 30), 500, np.uint16)
    left = annotation_holes.removed(depth, np.array([[10.0, 10.0], [20.0, 10.0]]), 3.0)
    gone = left == 0
    assert gone[10, 8:23].all()  # less than 3 px beyond both ends
    assert not gone[10, [7, 23]].any()
    assert gone[8:13, 15].all()
    assert not gone[[7, 13], 15].any()
    assert (left[~gone] == 500).all()


def test_what_lost_its_readings_is_one_finger_or_the_end_of_it(store):
    fingers = annotation_holes.fingers_that_stand_out(store)
    for what, count in (("whole finger", 4), ("tip and dip", 2), ("tip alone", 1)):
        case = annotation_holes.case_of(store, what)
        for n, finger in enumerate(fingers):
            wanted = annotation_holes.FINGERS[finger][4 - count :]
            assert np.flatnonzero(case.affected[n]).tolist() == wanted.tolist()
        assert ((case.depth == 0) | (case.depth == store.read("depth"))).all()
        assert (case.depth > 0).sum() < (store.read("depth") > 0).sum()


@pytest.mark.parametrize("what", list(ASKED_MM))
def test_a_finger_without_readings_is_lifted_by_its_clicks_and_bones(store, what):
    found = annotation_holes.measure(store, "lift", what)["removed"]["lift"]
    assert found["affected_mm"] <= ASKED_MM[what]
    assert found["others_mm"] <= OTHERS_MM


@pytest.mark.slow
@pytest.mark.parametrize("row", ["slsqp", "solve", "solve_no_hand_model", "sparse"])
def test_so_it_is_by_slsqp_and_through_the_whole_solve(store, row):
    for stage in annotation_holes.measure(store, row, "whole finger")["removed"].values():
        assert stage["affected_mm"] <= 9
        assert stage["others_mm"] <= (4 if row == "sparse" else OTHERS_MM)  # frames nobody labelled err more anyway


def test_the_table_is_written(store, capsys, monkeypatch):
    monkeypatch.setattr(annotation_holes, "REMOVED", {"tip alone": 3})
    annotation_holes.main(["--out", "holes.json", "--store", str(store.path), "--rows", "lift"])
    table = json.loads(Path("holes.json").read_text())
    assert table["frames"] == 24
    assert set(table["rows"]["lift"]["tip alone"]) == {"all_depth", "removed"}
    assert "tip alone" in capsys.readouterr().out
