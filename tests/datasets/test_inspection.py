import numpy as np
import pytest
from fakes import write_balls

from refiner.datasets.inspection import doubtful_labels, inspect_store, read_items, sheet_items
from refiner.datasets.store import DepthStore
from refiner.datasets.store_writer import StoreWriter
from refiner.hand.skeleton import HAND21

CAMERA = [100.0, 100.0, 7.5, 7.5]


def make_store(path, joints, depth_mm=600, finish=True):
    """A sequence of one person whose maps are a plane."""
    count = len(joints)
    arrays = {"joints_mm": (21, 3), "sequence": (), "frame": ()}
    out = StoreWriter(
        path, count=count, size=16, depth_unit_mm=1.0, provenance={"command": "refiner prepare a b"},
        arrays=arrays, skeleton=HAND21,
    )  # fmt: skip
    rows = {
        "depth": np.full((count, 16, 16), depth_mm, np.uint16),
        "camera": np.tile(np.float32(CAMERA), (count, 1)),
        "centre_mm": np.tile(np.float32([0, 0, 600]), (count, 1)),
        "cube_mm": np.full(count, 260, np.float32),
        "joints_mm": joints.astype(np.float32),
        "sequence": np.zeros(count, np.int32),
        "frame": np.arange(count, dtype=np.int32),
    }
    if finish:
        out.write(0, rows)
        out.finish()
    return DepthStore(path, allow_incomplete=True)


@pytest.fixture
def still():
    """Ten frames of a hand that does not move, 10 mm behind the plane."""
    joints = np.random.default_rng(0).uniform(-30, 30, (1, 21, 3))
    joints[..., 2] = 610
    return np.repeat(joints, 10, axis=0)


def test_a_good_sequence_has_no_doubts(tmp_path, still):
    report = inspect_store(make_store(tmp_path / "a.zarr", still))
    assert report["problems"] == []
    assert report["doubtful_labels"] == []
    assert report["items"] == 10
    assert report["depth_mm"] == [600.0, 600.0]
    assert report["pixels_with_a_reading"] == 1.0
    assert report["labelled_items"] == 10
    assert report["sequences"] == 1


def test_a_joint_before_the_surface(tmp_path, still):
    still[3, 8, 2] = 570  # index tip, 30 mm in front of the plane at 600
    (doubt,) = [d for d in doubtful_labels(make_store(tmp_path / "a.zarr", still)) if "surface" in d["reason"]]
    assert (doubt["item"], doubt["joint"]) == (3, "index_tip")
    assert doubt["value_mm"] == pytest.approx(30, abs=0.01)


def test_a_bone_that_strays_names_item_and_joint(tmp_path, still):
    away = still[5, 20] - still[5, 19]
    still[5, 20] += away / np.linalg.norm(away) * 50
    found = [d for d in doubtful_labels(make_store(tmp_path / "a.zarr", still)) if "bone" in d["reason"]]
    assert [(d["item"], d["joint"]) for d in found] == [(5, "little_tip")]
    assert found[0]["value_mm"] == pytest.approx(50, abs=0.01)


def test_a_jump_is_found_on_its_frame_and_the_next(tmp_path, still):
    still[6] += [100, 0, 0]
    found = {d["item"] for d in doubtful_labels(make_store(tmp_path / "a.zarr", still)) if "jump" in d["reason"]}
    assert found == {6, 7}


def test_unknown_joints_are_no_doubt(tmp_path, still):
    still[2] = np.nan
    report = inspect_store(make_store(tmp_path / "a.zarr", still))
    assert report["labelled_items"] == 9
    assert report["doubtful_labels"] == []


def test_joints_that_cannot_be_are_unknown_and_named(tmp_path, still):
    still[2], still[4, 20] = -1, [0, 0, 5000]
    store = make_store(tmp_path / "a.zarr", still)
    report = inspect_store(store)
    assert report["impossible_joints"] == [
        {"item": 2, "reason": "behind the camera", "joints": 21},
        {"item": 4, "reason": "far outside the cube", "joints": 1},
    ]
    assert report["labelled_items"] == 8
    assert report["doubtful_labels"] == []
    assert np.argwhere(np.isnan(store.read("joints_mm")[..., 0])).tolist() == [*([2, j] for j in range(21)), [4, 20]]
    assert np.isnan(store.read("joints_mm", 4, 5)[0, 20]).all()


def test_an_incomplete_store_is_not_whole(tmp_path, still):
    report = inspect_store(make_store(tmp_path / "a.zarr", still, finish=False))
    assert "incomplete; continue it with: refiner prepare a b" in report["problems"]


def test_sheet_items_are_spread():
    assert list(sheet_items(100, 3)) == [0, 50, 99]
    assert list(sheet_items(2, 5)) == [0, 1]


def test_items_are_read_in_the_order_asked_for(tmp_path):
    write_balls("long.zarr", count=300)  # two chunks
    store = DepthStore("long.zarr")
    depth = store.read("depth")
    items = [299, 0, 255, 256, 0]
    assert np.array_equal(read_items(store, "depth", items), depth[items])
    assert read_items(store, "depth", np.empty(0, int)).shape == (0, *depth.shape[1:])
