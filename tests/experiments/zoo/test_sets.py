"""The three sets of a camera: what is in them, resumed, and the same for any number of threads."""

from pathlib import Path

import numpy as np
import pytest
import yaml

from experiments.zoo.cameras import ZOO, zoo_camera
from experiments.zoo.capsule_scene import CUBE_MM
from experiments.zoo.sets import CLEAN_UNIT_MM, OUTSIDE_MM, camera_windows, make_sets
from experiments.zoo.sheet import write_sheet
from refiner.datasets.store import DepthStore, store_digest
from refiner.errors import StoreError
from refiner.geometry.crop import crop_cube
from refiner.geometry.depth import to_mm

NAME = "lost_pixels"
ENTRY = yaml.safe_load(ZOO.read_text())["cameras"][NAME]


@pytest.fixture(scope="module")
def sets(tmp_path_factory):
    out = tmp_path_factory.mktemp("zoo") / NAME
    make_sets(NAME, ENTRY, out, 6, 3, 32)
    return out


def test_the_sets_hold_labelled_maps_in_their_units(sets):
    for kind, count, unit in (("synthetic", 6, CLEAN_UNIT_MM), ("camera", 6, 0.5), ("test", 3, 0.5)):
        store = DepthStore(sets / f"{kind}.zarr")
        assert (len(store), store.depth_unit_mm) == (count, unit)
        joints, centres = store.read("joints_mm"), store.read("centre_mm")
        assert np.abs(joints - centres[:, None]).max() <= CUBE_MM / 2 + OUTSIDE_MM
        depth_mm, visible = to_mm(store.read("depth"), unit), store.read("visible")
        for n, k in zip(*np.nonzero(visible), strict=True):
            fx, fy, cx, cy = store.read("camera")[n]
            x, y, z = joints[n, k]
            patch = depth_mm[n][int(fy * y / z + cy + 0.5), int(fx * x / z + cx + 0.5)]
            assert patch == 0 or z - patch < 60
    assert (DepthStore(sets / "synthetic.zarr").read("visible")).mean() > 0.4


def test_sets_differ_in_their_hands_and_one_made_again_is_the_same(sets, tmp_path):
    joints = [DepthStore(sets / f"{kind}.zarr").read("joints_mm")[0] for kind in ("synthetic", "camera", "test")]
    assert not np.allclose(joints[0], joints[1])
    assert not np.allclose(joints[1], joints[2])
    make_sets(NAME, ENTRY, tmp_path / "again", 6, 3, 32, workers=1)
    for kind in ("synthetic", "camera", "test"):
        assert store_digest(tmp_path / f"again/{kind}.zarr") == store_digest(sets / f"{kind}.zarr")


def test_whole_sets_stay_and_lost_ones_are_made_again(sets):
    before = store_digest(sets / "camera.zarr")
    marks = {path: path.stat().st_mtime_ns for path in sets.rglob("*") if path.is_file()}
    make_sets(NAME, ENTRY, sets, 6, 3, 32)
    assert {path: path.stat().st_mtime_ns for path in sets.rglob("*") if path.is_file()} == marks
    (sets / "camera.zarr").rename(sets / "old.zarr")
    make_sets(NAME, ENTRY, sets, 6, 3, 32)
    assert store_digest(sets / "camera.zarr") == before


def test_windows_are_what_the_sets_were_cut_from(sets):
    store = DepthStore(sets / "camera.zarr")
    for n, window in enumerate(camera_windows(zoo_camera(NAME, ENTRY), "camera", range(3), Path.cwd())):
        crop_mm, _ = crop_cube(window.depth_mm, window.camera, window.centre_mm, window.cube_mm, 32)
        assert np.array_equal(np.rint(crop_mm / 0.5), store.read("depth", n, n + 1)[0])
        behind = (window.scene.hand_mm == 0) & (window.depth_mm > 0)
        assert np.median(window.depth_mm[behind]) > window.centre_mm[2] + CUBE_MM / 2


def test_a_camera_that_shows_no_hand_is_an_error(tmp_path):
    blind = {**ENTRY, "settings": {"lost": 1.0, "lost_steep": 1.0}}
    with pytest.raises(StoreError, match="no hand was found"):
        make_sets(NAME, blind, tmp_path / "blind", 1, 1, 16)


def test_a_sheet_shows_renders_and_maps(sets, tmp_path):
    write_sheet(sets, tmp_path / "sheet.png", NAME)
    assert (tmp_path / "sheet.png").stat().st_size > 1000
