import shutil

import numpy as np
import pytest
import zarr
from five_items import rows, write_all, writer

from refiner.datasets.store import DepthStore, store_digest
from refiner.errors import DatasetNotFoundError, IncompleteStoreError, StoreError
from refiner.hand.skeleton import HAND21


def test_what_is_written_is_read(tmp_path):
    write_all(writer(tmp_path / "a.zarr"))
    store = DepthStore(tmp_path / "a.zarr")
    assert (len(store), store.size, store.depth_unit_mm, store.skeleton) == (5, 8, 0.5, HAND21)
    np.testing.assert_array_equal(store.read("depth")[:, 0, 0], [1, 2, 3, 4, 5])
    assert list(store.read("source", 1, 3)) == ["item 1", "item 2"]
    assert list(store.chunk_ranges()) == [(0, 2), (2, 4), (4, 5)]
    assert store.names == ["depth", "camera", "centre_mm", "cube_mm", "joints_mm", "visible", "source"]


def test_it_opens_in_plain_zarr(tmp_path):
    write_all(writer(tmp_path / "a.zarr"))
    group = zarr.open_group(tmp_path / "a.zarr", mode="r")
    assert group.attrs["format"] == "depth-refiner/1"
    assert group["depth"].dtype == np.uint16
    assert group.attrs["skeleton"]["joints"][0] == "wrist"
    assert {array.chunks[0] for array in group.array_values()} == {2}


def test_a_store_of_another_program_is_read(tmp_path):
    group = zarr.open_group(tmp_path / "b.zarr", mode="w", attributes={"format": "depth-refiner/1", "depth_unit_mm": 1})
    group.create_array("depth", data=np.ones((3, 16, 16), np.uint16))
    group.create_array("camera", data=np.ones((3, 4), np.float32))
    group.create_array("centre_mm", data=np.ones((3, 3), np.float32))
    group.create_array("cube_mm", data=np.ones(3, np.float32))
    store = DepthStore(tmp_path / "b.zarr")
    assert len(store) == 3
    assert store.skeleton is None
    assert store.provenance == {}


def test_joints_without_a_skeleton_are_hand21(tmp_path):
    write_all(writer(tmp_path / "a.zarr"))
    del zarr.open_group(tmp_path / "a.zarr", mode="r+").attrs["skeleton"]
    assert DepthStore(tmp_path / "a.zarr").skeleton == HAND21


def test_an_incomplete_store_is_refused_with_the_command_that_continues_it(tmp_path):
    out = writer(tmp_path / "a.zarr")
    out.write(2, rows(2, 4))
    with pytest.raises(IncompleteStoreError, match="Continue it with: refiner render out.zarr --count 5"):
        DepthStore(tmp_path / "a.zarr")
    with pytest.raises(StoreError, match="2 chunks are not written"):
        out.finish()


def test_digest_follows_the_content(tmp_path):
    write_all(writer(tmp_path / "a.zarr"))
    before = store_digest(tmp_path / "a.zarr")
    shutil.copytree(tmp_path / "a.zarr", tmp_path / "copy.zarr")
    assert store_digest(tmp_path / "copy.zarr") == before
    zarr.open_group(tmp_path / "a.zarr", mode="r+")["depth"][0, 0, 0] = 9
    assert store_digest(tmp_path / "a.zarr") != before


def put(group, name, values):
    group.create_array(name, data=values, overwrite=True)


@pytest.mark.parametrize(
    ("break_it", "message"),
    [
        (lambda g: g.attrs.update(format="other/1"), "found the attribute format = 'other/1'"),
        (lambda g: g.attrs.update(depth_unit_mm=0), "depth_unit_mm = 0, wanted a number > 0"),
        (lambda g: (g.attrs.update(provenance={}), g.__delitem__("camera")), r"lacks the arrays \['camera'\]"),
        (lambda g: put(g, "cube_mm", np.ones(4, np.float32)), r"cube_mm of shape \(4,\)"),
        (lambda g: put(g, "camera", np.ones((5, 3), np.float32)), r"camera of shape \(5, 3\)"),
        (lambda g: put(g, "depth", np.ones((5, 8, 8))), "depth of type float64"),
        (lambda g: put(g, "joints_mm", np.ones((5, 20, 3), np.float32)), "20 joints|visible of"),
        (lambda g: g["centre_mm"].__setitem__((3, 1), np.nan), "centre_mm is not finite in 1 items.*item 3"),
    ],
)  # fmt: skip
def test_faults_are_named(tmp_path, break_it, message):
    write_all(writer(tmp_path / "a.zarr"))
    break_it(zarr.open_group(tmp_path / "a.zarr", mode="r+"))
    with pytest.raises(StoreError, match=message):
        DepthStore(tmp_path / "a.zarr")


def test_a_missing_store_is_named(tmp_path):
    with pytest.raises(DatasetNotFoundError, match="found nothing"):
        DepthStore(tmp_path / "none.zarr")
    (tmp_path / "pictures").mkdir()
    with pytest.raises(DatasetNotFoundError, match="a folder with 0 entries and no zarr.json"):
        DepthStore(tmp_path / "pictures")


def test_damaged_metadata_is_named(tmp_path):
    write_all(writer(tmp_path / "a.zarr"))
    (tmp_path / "a.zarr/zarr.json").write_text('{"zarr_format": 3, "node_ty')
    with pytest.raises(StoreError, match="not a readable Zarr v3 group"):
        DepthStore(tmp_path / "a.zarr")


def test_what_is_known_of_the_camera_is_no_part_of_the_digest(tmp_path):
    path = tmp_path / "a.zarr"
    write_all(writer(path))
    before, sensor = store_digest(path), dict.fromkeys(("name", "image_px", "camera", "measured", "given"))
    sensor |= {"unit_mm": 1.0, "frames": 3}
    zarr.open_group(path, mode="r+").attrs["sensor"] = sensor
    assert store_digest(path) == before
    assert DepthStore(path).sensor == sensor
    zarr.open_group(path, mode="r+").attrs["sensor"] = {"name": "kinect1"}
    with pytest.raises(StoreError, match="found the attribute sensor"):
        DepthStore(path)
