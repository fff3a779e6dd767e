import re
from pathlib import Path

import cv2
import numpy as np
import pytest
from nyu_fixture import EVALUATED, FX, FY, make_nyu, pack
from scipy.io import savemat

from refiner.cli.main import main
from refiner.datasets.layouts.nyu import list_nyu, read_masked, read_packed
from refiner.datasets.store import DepthStore
from refiner.errors import DepthFormatError
from refiner.geometry.camera import project


def prepare(*words, out="n.zarr"):
    return main(["prepare", "train", out, "--layout", "nyu", "--size", "32", *words])


def test_packed_depth_needs_all_sixteen_bits():
    depth = np.array([[0, 1, 255, 256], [257, 750, 1500, 65535]], np.uint16)
    cv2.imwrite("packed.png", pack(depth))
    np.testing.assert_array_equal(read_packed(Path("packed.png")), depth)


def test_labels_are_turned_down_and_land_on_the_map():
    labels = make_nyu(Path("train"))
    assert prepare() == 0
    store = DepthStore("n.zarr")
    assert len(store) == 3
    assert store.skeleton.name == "nyu14"
    np.testing.assert_allclose(store.read("joints_mm"), labels[0][:, EVALUATED] * [1, -1, 1], atol=1e-3)
    np.testing.assert_allclose(store.read("centre_mm"), labels[0][:, 32] * [1, -1, 1], atol=1e-3)
    assert (store.read("cube_mm") == 300).all()
    # The ball's middle is the palm: in the crop's own camera its surface lies 60 mm before the label.
    uv = project(store.read("joints_mm"), store.read("camera")[:, None])[:, 13].round().astype(int)
    depth = store.read("depth")
    surface = [depth[item, v, u] for item, (u, v) in enumerate(uv)]
    np.testing.assert_allclose(surface, store.read("joints_mm")[:, 13, 2] - 60, atol=3)


def test_the_camera_is_the_sets_own_with_y_down():
    make_nyu(Path("train"))
    frame = list_nyu(Path("train"), None, None)[0]
    u, v = project(frame.joints_mm[13], frame.given.camera)
    x, y, z = frame.joints_mm[13]
    assert (u, v) == pytest.approx((320 + FX * x / z, 240 + FY * y / z), abs=1e-3)


def test_renders_and_masked_maps():
    make_nyu(Path("train"))
    assert prepare("--kind", "synthetic", out="s.zarr") == 0
    assert prepare(out="r.zarr") == 0
    assert prepare("--mask-with-synthetic", out="m.zarr") == 0
    synthetic, real, masked = (DepthStore(f"{name}.zarr").read("depth") > 0 for name in "srm")
    np.testing.assert_array_equal(masked, synthetic)
    assert real.sum() > 1.2 * masked.sum()
    whole = read_packed(Path("train/depth_1_0000001.png"))
    kept = read_masked(Path("train/depth_1_0000001.png"), "depth")
    assert ((kept == whole) | (kept == 0)).all()


def test_views_are_sequences():
    labels = make_nyu(Path("train"), views=(1, 2))
    assert prepare("--views", "1,2") == 0
    store = DepthStore("n.zarr")
    assert store.read("sequence").tolist() == [0, 0, 0, 1, 1, 1]
    np.testing.assert_allclose(store.read("joints_mm")[4, 0], labels[1, 1, 0] * [1, -1, 1], atol=1e-3)
    assert store.read("source")[4] == "depth_2_0000002.png"


def test_a_part_of_the_set_is_a_set():
    make_nyu(Path("train"))
    Path("train/depth_1_0000002.png").unlink()
    assert [frame.frame for frame in list_nyu(Path("train"), None, None)] == [0, 2]


@pytest.mark.parametrize(
    ("spoil", "words", "message"),
    [
        (lambda: Path("train/joint_data.mat").unlink(), [], "No labels at train/joint_data.mat"),
        (lambda: Path("train/joint_data.mat").write_bytes(b"junk"), [], "holds no joint_xyz"),
        (lambda: savemat("train/joint_data.mat", {"joint_xyz": np.zeros((2, 3))}), [], r"wanted \(3, frames, 36, 3\)"),
        (lambda: savemat("train/joint_data.mat", {"other": np.zeros(3)}), [], "holds no joint_xyz"),
        (lambda: None, ["--views", "3"], "found none of the 3 labelled depth_VIEW_FRAME.png of view 3"),
        (lambda: None, ["--views", "4"], "--views: found 4, wanted some of 1,2,3"),
    ],
)
def test_mistakes_are_explained(capsys, spoil, words, message):
    make_nyu(Path("train"))
    spoil()
    assert prepare(*words) == 2
    assert re.search(message, capsys.readouterr().err)
    assert not Path("n.zarr").exists()


def test_options_of_the_layout_belong_to_it(capsys):
    assert main(["prepare", "train", "n.zarr", "--kind", "real"]) == 2
    assert "wanted nyu where --kind" in capsys.readouterr().err


@pytest.mark.parametrize("content", [b"", b"junk", None])
def test_files_of_another_kind_are_named(content):
    if content is None:
        cv2.imwrite("x.png", np.zeros((4, 4), np.uint16))
    else:
        Path("x.png").write_bytes(content)
    with pytest.raises(DepthFormatError, match="x.png is no map of NYU"):
        read_packed(Path("x.png"))
