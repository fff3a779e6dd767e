from dataclasses import replace

import numpy as np
import pytest
import zarr

from refiner.cli.main import main
from refiner.datasets.store import DepthStore
from refiner.datasets.store_writer import StoreWriter, provenance
from refiner.geometry.depth import to_mm
from refiner.hand.model import load_hand
from refiner.render.generate import render_hands
from refiner.render.settings import RenderSettings
from refiner.render.sources import poses_from, sensor_like
from refiner.sensors.catalogue import CATALOGUE
from refiner.sensors.statistics import depth_steps_mm


def run(capsys, *words):
    status = main(["render", *map(str, words)])
    captured = capsys.readouterr()
    return status, captured.out, captured.err


@pytest.fixture
def real(tmp_path):
    """A set of 30 camera maps at 650 to 750 mm in cubes of 240 mm, a fifth of them of left hands."""
    rng = np.random.default_rng(0)
    camera = [363.9, 363.9, 255.4, 206.3]
    path, count = tmp_path / "real.zarr", 30
    writer = StoreWriter(
        path, count=count, size=48, depth_unit_mm=1.0, provenance=provenance("x", {"camera": camera}, None, []),
        arrays={"side": ()},
    )  # fmt: skip
    writer.write(
        0,
        {
            "depth": np.ones((count, 48, 48), np.uint16),
            "camera": np.ones((count, 4)),
            "centre_mm": np.column_stack([rng.uniform(-60, 60, (count, 2)), rng.uniform(650, 750, count)]),
            "cube_mm": np.full(count, 240.0),
            "side": np.arange(count) % 5 == 0,
        },
    )
    writer.finish()
    return path


def test_a_small_set_and_its_last_line(tmp_path, capsys):
    status, out, _ = run(capsys, tmp_path / "a.zarr", "--count", 3, "--size", 32, "--seed", 2)
    assert status == 0
    assert out.splitlines()[-1] == f"{tmp_path / 'a.zarr'}: 3 rendered maps"
    store = DepthStore(tmp_path / "a.zarr")
    assert (len(store), store.size, store.depth_unit_mm) == (3, 32, 0.1)
    configuration = store.provenance["configuration"]
    assert configuration["camera"] == [575.0, 575.0, 319.5, 239.5, 640, 480]
    assert store.provenance["seed"] == 2
    assert store.provenance["command"] == f"refiner render {tmp_path / 'a.zarr'} --count 3 --seed 2 --size 32"
    status, _, err = run(capsys, tmp_path / "a.zarr", "--count", 3, "--size", 32, "--seed", 2)
    assert status == 2
    assert "--overwrite" in err
    assert run(capsys, tmp_path / "a.zarr", "--count", 2, "--size", 32, "--overwrite")[0] == 0
    assert len(DepthStore(tmp_path / "a.zarr")) == 2


def test_like_copies_a_real_set(tmp_path, real, capsys):
    status, _, err = run(capsys, tmp_path / "a.zarr", "--count", 40, "--like", real)
    assert status == 0
    assert "does not say which camera" not in err
    store = DepthStore(tmp_path / "a.zarr")
    assert store.size == 48
    np.testing.assert_allclose(store.read("cube_mm"), 240)
    z = store.read("centre_mm")[:, 2]
    assert z.mean() == pytest.approx(700, abs=20)
    assert ((z > 600) & (z < 800)).all()
    assert 0 < (store.read("side") == 1).mean() < 0.5
    assert store.provenance["configuration"]["camera"][:4] == [363.9, 363.9, 255.4, 206.3]
    assert list(store.provenance["parents"]) == [str(real)]


def test_like_without_a_camera_says_which_is_taken(tmp_path, capsys):
    # A render's own provenance names its camera; take it away.
    run(capsys, tmp_path / "a.zarr", "--count", 2, "--size", 16)
    group = zarr.open_group(tmp_path / "a.zarr", mode="r+")
    group.attrs["provenance"] = {}
    status, _, err = run(
        capsys, tmp_path / "b.zarr", "--count", 1, "--like", tmp_path / "a.zarr", "--sensor", "kinect2"
    )
    assert status == 0
    assert "pixels of kinect2 are taken" in err
    assert DepthStore(tmp_path / "b.zarr").depth_unit_mm == 1.0


def test_poses_show_the_same_hands_in_the_same_crops(tmp_path, capsys):
    run(capsys, tmp_path / "a.zarr", "--count", 5, "--size", 32, "--hand", "both", "--camera", "sr305")
    status, out, _ = run(capsys, tmp_path / "b.zarr", "--poses", tmp_path / "a.zarr")
    assert status == 0
    assert "5 rendered maps" in out
    a, b = DepthStore(tmp_path / "a.zarr"), DepthStore(tmp_path / "b.zarr")
    for name in ("centre_mm", "cube_mm", "joints_mm", "pose", "side"):
        np.testing.assert_allclose(b.read(name), a.read(name), atol=0.01)
    one, two = to_mm(a.read("depth"), 0.1), to_mm(b.read("depth"), 0.1)
    # Poses are stored in single precision: a pixel at an outline may turn.
    assert ((one > 0) != (two > 0)).mean() < 0.002
    both = (one > 0) & (two > 0)
    assert np.quantile(np.abs(one - two)[both], 0.99) < 0.2
    assert b.read("source")[3] == "render seed=0 item=3 of a.zarr item 3"


def name_camera(path, name):
    """Write into a store that its maps are of a camera of the catalogue."""
    known = CATALOGUE[name]
    sensor = known.describe() | {"given": {}, "measured": {}, "frames": 0}
    zarr.open_group(path, mode="r+").attrs["sensor"] = sensor


@pytest.mark.parametrize("name", ["kinect1", "kinect2", "d435"])
def test_hands_like_those_of_a_named_camera_are_seen_through_its_optics(tmp_path, capsys, name):
    assert run(capsys, tmp_path / "a.zarr", "--count", 6, "--size", 96, "--camera", name)[0] == 0
    assert run(capsys, tmp_path / "clean.zarr", "--poses", tmp_path / "a.zarr")[0] == 0
    name_camera(tmp_path / "a.zarr", name)
    assert run(capsys, tmp_path / "b.zarr", "--poses", tmp_path / "a.zarr")[0] == 0
    a, b = DepthStore(tmp_path / "clean.zarr"), DepthStore(tmp_path / "b.zarr")
    assert b.depth_unit_mm == 0.1
    np.testing.assert_array_equal(a.read("joints_mm"), b.read("joints_mm"))
    np.testing.assert_array_equal(a.read("visible"), b.read("visible"))
    sharp, seen = (to_mm(store.read("depth"), 0.1) for store in (a, b))
    both = (sharp > 0) & (seen > 0)
    assert both.sum() > 0.9 * (sharp > 0).sum()
    assert np.median(np.abs(sharp - seen)[both]) < 1
    # There is no noise: most second differences are as small as they were.
    bends = [np.abs(depth_steps_mm(np.where(both, maps, 0))) for maps in (sharp, seen)]
    assert np.median(bends[1]) < 1.3 * np.median(bends[0])
    if name == "d435":  # blocks of pixels show what is in front: outlines grow
        assert (seen > 0).sum() > 1.02 * (sharp > 0).sum()
    else:  # windows and blur leave fewer bends of half a centimetre and more
        assert (bends[1] > 5).sum() < (bends[0] > 5).sum()
    optics = b.provenance["configuration"]["optics"]
    assert optics["type"] == type(CATALOGUE[name].model).__name__
    assert b.provenance["configuration"]["sensor"] is None


def test_a_set_that_shows_shadows_on_the_other_side_was_stored_mirrored(tmp_path, capsys):
    path = tmp_path / "a.zarr"
    assert run(capsys, path, "--count", 2, "--size", 16)[0] == 0
    for name, low, high, wanted in (
        ("kinect1", -71.0, -54.0, -75.0), ("kinect1", 54.0, 71.0, 75.0), ("kinect1", -3.0, 60.0, 75.0),
        ("d435", -60.0, -40.0, -50.0),
    ):  # fmt: skip
        known = CATALOGUE[name].describe() | {"given": {}, "frames": 5}
        shadow = {"value": (low + high) / 2, "low": low, "high": high}
        zarr.open_group(path, mode="r+").attrs["sensor"] = known | {
            "measured": {"shadow_background_baseline_mm": shadow}
        }
        assert sensor_like(DepthStore(path)).model.baseline_mm == wanted


def test_options_of_before_say_what_took_their_place(tmp_path, capsys):
    for option, instead in (
        *((name, "prepare --camera") for name in ("--window-px", "--blur-px", "--shadow")),
        ("--jitter-deg", "were no gain. Leave it out"),
    ):
        status, _, err = run(capsys, tmp_path / "a.zarr", f"{option}=3")
        assert status == 2
        assert f"{option} is gone" in err
        assert instead in err


def test_tessellated_hands_are_the_same_hands_without_facets(tmp_path, capsys):
    run(capsys, tmp_path / "poses.zarr", "--count", 4)
    for times in (0, 2):
        words = ("--poses", tmp_path / "poses.zarr", "--tessellations", times)
        assert run(capsys, tmp_path / f"{times}.zarr", *words)[0] == 0
    coarse, round_ = DepthStore(tmp_path / "0.zarr"), DepthStore(tmp_path / "2.zarr")
    np.testing.assert_array_equal(coarse.read("joints_mm"), round_.read("joints_mm"))
    one, two = to_mm(coarse.read("depth"), 0.1), to_mm(round_.read("depth"), 0.1)
    both = (one > 0) & (two > 0)
    assert both.sum() > 0.97 * (two > 0).sum()
    assert 0 < np.median((one - two)[both]) < 0.5  # nearer
    flat = [np.mean(np.abs(depth_steps_mm(maps)) < 0.15) for maps in (one, two)]
    assert flat[1] < 0.9 * flat[0]


def test_more_maps_than_poses_show_them_from_new_views(tmp_path, capsys):
    run(capsys, tmp_path / "a.zarr", "--count", 2, "--size", 32)
    assert run(capsys, tmp_path / "b.zarr", "--poses", tmp_path / "a.zarr", "--count", 4)[0] == 0
    pose = DepthStore(tmp_path / "b.zarr").read("pose")
    np.testing.assert_array_equal(pose[:2, 3:], pose[2:, 3:])
    assert (np.abs(pose[:2, :3] - pose[2:, :3]).max(axis=1) > 0.1).all()


def test_poses_need_poses(tmp_path, real, capsys):
    status, _, err = run(capsys, tmp_path / "a.zarr", "--poses", real)
    assert status == 2
    assert "has no array pose" in err


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (("--sensor", "radar"), "'radar'"),
        (("--camera", "kinect9"), "'kinect9'"),
        (("--distance-mm", "900,450"), "'900,450'"),
        (("--distance-mm", "700"), "'700'"),
        (("--count", "0"), "--count 0"),
        (("--seed", "-1"), "--seed -1"),
        (("--hand", "middle"), "middle"),
        (("--cube-mm", "-5"), "-5"),
        (("--sensor", "sr305"), "one with a model"),
        (("--tessellations", "4"), "--tessellations 4"),
        (("--like", "nowhere.zarr"), "nowhere.zarr"),
    ],
)
def test_bad_options_are_named(tmp_path, capsys, words, found):
    status, _, err = run(capsys, tmp_path / "a.zarr", *words)
    assert status == 2
    assert found in err
    assert "wanted" in err
    assert not (tmp_path / "a.zarr").exists()


def test_hands_are_cut_where_the_image_of_their_recording_ends(tmp_path, capsys):
    run(capsys, tmp_path / "a.zarr", "--count", 2)
    whole = DepthStore(tmp_path / "a.zarr")
    poses = poses_from(whole, load_hand())
    image = np.array([[0.0, 0.0, 1.0, 0.55], [-3.0, -3.0, 5.0, 5.0]])  # to the 35th of 64 rows; and all
    settings = RenderSettings(size=whole.size, poses=replace(poses, image=image))
    depth = render_hands(settings, seed=0, items=[0, 1])["depth"]
    again = render_hands(replace(settings, poses=poses), seed=0, items=[0, 1])["depth"]
    cut = int(np.ceil(0.55 * whole.size - 0.5))
    np.testing.assert_array_equal(depth[0, :cut], again[0, :cut])
    assert again[0, cut:].any()
    assert not depth[0, cut:].any()
    np.testing.assert_array_equal(depth[1], again[1])
