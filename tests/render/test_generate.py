import json
from dataclasses import replace

import numpy as np
import pytest
import zarr
from killing import kill_once_written, run

from refiner.datasets.locate import locate_hand
from refiner.datasets.store import DepthStore
from refiner.datasets.store_writer import StoreWriter
from refiner.errors import OutputExistsError, StoreError
from refiner.geometry.camera import project
from refiner.geometry.depth import to_mm
from refiner.hand.limits import HandPrior
from refiner.hand.model import load_hand, pose_joints
from refiner.hand.skeleton import HAND21
from refiner.render.generate import generate, render_hands
from refiner.render.scene import Places
from refiner.render.settings import RenderSettings
from refiner.sensors.catalogue import CATALOGUE, PLAIN

SMALL = RenderSettings(size=32)


@pytest.fixture(scope="module")
def rows():
    return render_hands(replace(SMALL, size=64), seed=1, items=np.arange(48))


def test_rows_are_what_a_store_takes(rows):
    assert rows["depth"].shape == (48, 64, 64)
    assert rows["depth"].dtype == np.uint16
    assert rows["source"][5] == "render seed=1 item=5"
    assert (rows["side"] == 0).all()
    model = load_hand()
    assert rows["pose"].shape == (48, len(model.pose_names))
    assert rows["shape"].shape == (48, len(model.shape_names))


def test_every_map_shows_a_hand_in_its_cube(rows):
    depth = to_mm(rows["depth"], 0.1)
    assert ((depth > 0).mean(axis=(1, 2)) > 0.02).all()
    assert 0.1 < (depth > 0).mean() < 0.4
    z, half = rows["centre_mm"][:, 2], rows["cube_mm"] / 2
    for map_, near, far in zip(depth, z - half, z + half, strict=True):
        assert map_[map_ > 0].min() >= near - 0.1
        assert map_.max() <= far + 0.1
    assert (z > 400).all()
    assert (z < 950).all()


def test_joints_are_the_models_and_project_into_the_map(rows):
    joints = rows["joints_mm"].astype(np.float64)
    expected = pose_joints(load_hand(), rows["pose"], rows["shape"], rows["side"])
    np.testing.assert_allclose(joints - joints[:, :1], expected, atol=0.01)
    uv = project(joints, rows["camera"][:, None])
    outside = (uv < -0.5) | (uv > 63.5)
    # At most three of a hand, and 15 mm at most: 3.7 px of 64 in 260 mm.
    assert outside.any(axis=-1).sum(axis=1).max() <= 3
    assert uv.min() > -0.5 - 3.8
    assert uv.max() < 63.5 + 3.8
    assert outside.any(axis=-1).mean() < 0.02


def test_visible_is_the_rule_on_the_stored_map(rows):
    offset = load_hand().surface_offset_mm
    for n in range(48):
        depth = to_mm(rows["depth"][n], 0.1)
        expected = []
        for joint, (u, v) in enumerate(project(rows["joints_mm"][n], rows["camera"][n])):
            u, v = int(np.floor(u + 0.5)), int(np.floor(v + 0.5))
            surface = depth[v, u] if 0 <= u < 64 and 0 <= v < 64 else 0
            expected.append(surface > 0 and rows["joints_mm"][n, joint, 2] - surface < offset[joint] + 15)
        assert rows["visible"][n].tolist() == expected
    assert 0.5 < rows["visible"].mean() < 0.95


def test_surfaces_lie_before_the_joints_they_cover(rows):
    # A joint is inside the hand: what is seen at its pixel is nearer, up to the slope over half a coarse pixel.
    depth, before = to_mm(rows["depth"], 0.1), []
    for n in range(48):
        for joint, (u, v) in enumerate(np.rint(project(rows["joints_mm"][n], rows["camera"][n])).astype(int)):
            if 0 <= u < 64 and 0 <= v < 64 and depth[n, v, u] > 0:
                before.append(rows["joints_mm"][n, joint, 2] - depth[n, v, u])
    assert (np.array(before) > 0).mean() > 0.97
    assert min(before) > -10


def test_items_do_not_depend_on_their_company():
    together = render_hands(SMALL, seed=3, items=[0, 1, 2, 3, 4, 5])
    for items in ([4], [5, 2]):
        alone = render_hands(SMALL, seed=3, items=items)
        for name, values in alone.items():
            np.testing.assert_array_equal(values, np.asarray(together[name])[items])


@pytest.mark.parametrize("sensor", ["kinect1", "kinect2"])
def test_a_sensor_changes_the_map_and_nothing_else(sensor, rows):
    on_the_same_pixels = replace(CATALOGUE[sensor], camera=PLAIN.camera, image_px=PLAIN.image_px)
    settings = replace(SMALL, size=64, sensor=on_the_same_pixels, noise=True)
    noisy = render_hands(settings, seed=1, items=np.arange(12))
    for name in ("centre_mm", "camera", "joints_mm", "visible", "pose", "shape"):
        np.testing.assert_array_equal(noisy[name], rows[name][:12])
    clean, seen = to_mm(rows["depth"][:12], 0.1), to_mm(noisy["depth"], 1.0)
    both = (clean > 0) & (seen > 0)
    assert both.sum() > 0.9 * (clean > 0).sum()
    difference = np.abs(clean - seen)[both]
    assert 0.2 < np.median(difference) < 2.0
    assert ((clean > 0) != (seen > 0)).any()


def test_the_hand_is_centred_as_a_camera_map_is(monkeypatch):
    # The map that was searched, kept aside: `locate_hand` finds in it what the store says.
    seen = []

    def keep(depth, camera, *, cube_mm):
        seen[:] = [depth.copy(), camera]
        return locate_hand(depth, camera, cube_mm=cube_mm)

    monkeypatch.setattr("refiner.render.view.locate_hand", keep)
    rows = render_hands(SMALL, seed=2, items=[0])
    centre = locate_hand(*seen, cube_mm=260.0)
    np.testing.assert_allclose(rows["centre_mm"][0], centre, rtol=1e-6)
    # On the palm: within some centimetres of the middle of its joints.
    assert np.linalg.norm(rows["joints_mm"][0, [0, 5, 9, 13, 17]].mean(axis=0) - centre) < 70


def test_left_hands_are_mirror_images():
    left = render_hands(replace(SMALL, prior=HandPrior(left=1.0)), seed=1, items=[0, 1, 2])
    assert (left["side"] == 1).all()
    right = pose_joints(load_hand(), left["pose"], left["shape"], 0 * left["side"])
    expected = pose_joints(load_hand(), left["pose"], left["shape"], left["side"])
    np.testing.assert_allclose(left["joints_mm"] - left["joints_mm"][:, :1], expected, atol=0.01)
    # A mirror image: all distances are those of the right hand, the thumb is on the other side.
    apart = [np.linalg.norm(hands[:, :, None] - hands[:, None], axis=-1) for hands in (expected, right)]
    np.testing.assert_allclose(*apart, atol=0.01)
    assert np.abs(expected - right).max() > 20
    assert ((left["depth"] > 0).mean(axis=(1, 2)) > 0.02).all()


def make(path, count=20, chunk_items=8, workers=1, **options):
    generate(
        path, SMALL, count=count, seed=4, provenance={"command": "again"}, workers=workers, chunk_items=chunk_items,
        **options,
    )  # fmt: skip
    return DepthStore(path)


def contents(store):
    return {name: store.read(name).tolist() for name in store.names}


def test_a_store_is_the_same_for_any_chunks_and_workers(tmp_path):
    one = make(tmp_path / "one.zarr")
    assert one.skeleton == HAND21
    assert one.depth_unit_mm == 0.1
    assert one.complete
    two = make(tmp_path / "two.zarr", chunk_items=5, workers=3)
    assert contents(one) == contents(two)
    more = make(tmp_path / "more.zarr", count=28)
    assert contents(one)["depth"] == contents(more)["depth"][:20]


def test_progress_counts_every_item_once(tmp_path):
    done = []
    make(tmp_path / "a.zarr", on_progress=done.append)
    assert sum(done) == 20


def test_an_interrupted_store_goes_on_where_it_stopped(tmp_path, monkeypatch):
    whole = make(tmp_path / "whole.zarr")
    write, written = StoreWriter.write, []

    def break_off(self, start, rows):
        if len(written) == 1:
            raise RuntimeError("power")
        written.append(start)
        write(self, start, rows)

    monkeypatch.setattr(StoreWriter, "write", break_off)
    with pytest.raises(RuntimeError, match="power"):
        make(tmp_path / "part.zarr")
    assert not DepthStore(tmp_path / "part.zarr", allow_incomplete=True).complete

    def go_on(self, start, rows):
        written.append(start)
        write(self, start, rows)

    monkeypatch.setattr(StoreWriter, "write", go_on)
    done = []
    part = make(tmp_path / "part.zarr", on_progress=done.append)
    assert sorted(written) == [0, 8, 16]
    assert done[0] == 8
    assert sum(done) == 20
    assert contents(part) == contents(whole)
    with pytest.raises(OutputExistsError, match="complete"):
        make(tmp_path / "part.zarr")


@pytest.mark.slow
def test_a_killed_run_is_continued_to_the_same_bytes(tmp_path):
    words = ["render", "out.zarr", "--count", "1500", "--size", "64", "--seed", "9", "--workers", "1"]
    folders = [tmp_path / "killed", tmp_path / "whole"]
    for folder in folders:
        folder.mkdir()
    kill_once_written("out.zarr/depth/c/1/0/0", *words, folder=folders[0])
    assert json.loads((folders[0] / "out.zarr/zarr.json").read_text())["attributes"]["complete"] is False
    for folder in folders:
        run(*words, folder=folder)
    killed, whole = (DepthStore(folder / "out.zarr") for folder in folders)
    assert len(killed) == 1500
    for name in killed.names:
        np.testing.assert_array_equal(killed.read(name), whole.read(name))


def test_hands_that_no_view_can_show_are_an_error():
    # A hand does not fit in a cube of 60 mm.
    settings = replace(SMALL, places=Places(500, 600, 60.0))
    with pytest.raises(StoreError, match="--cube-mm"):
        render_hands(settings, seed=0, items=[0])


def test_sensor_stores_are_in_millimetres(tmp_path):
    settings = replace(SMALL, sensor=CATALOGUE["kinect2"], noise=True)
    generate(tmp_path / "a.zarr", settings, count=2, seed=0, provenance={})
    assert zarr.open_group(tmp_path / "a.zarr", mode="r").attrs["depth_unit_mm"] == 1.0
