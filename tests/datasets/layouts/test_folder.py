import os

import cv2
import numpy as np
import pytest

from refiner.datasets.layouts import LAYOUTS, Frame, GivenCamera
from refiner.datasets.layouts.frame import FLOAT_STEP_MM
from refiner.errors import DatasetNotFoundError

DEPTH = np.array([[0, 500, 600], [700, 800, 65535]], np.uint16)


def put(path, numbers=DEPTH):
    path.parent.mkdir(parents=True, exist_ok=True)
    np.save(path, numbers) if path.suffix == ".npy" else cv2.imwrite(str(path), numbers)
    return path


def listed(src, camera=None, depth_unit_mm=None):
    return LAYOUTS["folder"](src, camera and GivenCamera(camera), depth_unit_mm)


def only(path, depth_unit_mm=1.0):
    return Frame(path, path.name, 0, 0, None, depth_unit_mm)


def test_folders_are_sequences_in_natural_order(tmp_path):
    names = ["b/frame_10.png", "b/frame_2.png", "top.PNG", "a 10/1.tif", "a 2/x.npy", "a 2/deep/0.png"]
    for name in names:
        put(tmp_path / name)
    put(tmp_path / "empty" / "only.jpg", np.zeros((4, 4), np.uint8))
    found = [(frame.source, frame.sequence, frame.frame) for frame in listed(tmp_path)]
    assert found == [
        ("top.PNG", 0, 0),
        ("a 2/x.npy", 1, 0),
        ("a 2/deep/0.png", 2, 0),
        ("a 10/1.tif", 3, 0),
        ("b/frame_2.png", 4, 0),
        ("b/frame_10.png", 4, 1),
    ]


@pytest.mark.parametrize("suffix", [".png", ".tif", ".tiff", ".npy"])
def test_integers_are_read_in_their_unit(tmp_path, suffix):
    depth_mm, camera, step_mm, _ = only(put(tmp_path / f"a{suffix}"), depth_unit_mm=0.125).read()
    np.testing.assert_array_equal(depth_mm, DEPTH / 8)
    assert depth_mm.dtype == np.float32
    assert step_mm == 0.125
    assert camera == (575, 575, 1, 0.5)  # Kinect v1, looking at the middle of 3 x 2 pixels


@pytest.mark.parametrize("suffix", [".tif", ".npy"])
def test_floats_in_metres_with_nan_for_no_reading(tmp_path, suffix):
    metres = np.array([[np.nan, 0.5], [np.inf, 0.7253]], np.float32)
    depth_mm, _, step_mm, _ = only(put(tmp_path / f"a{suffix}", metres), depth_unit_mm=1000).read()
    np.testing.assert_allclose(depth_mm, [[0, 500], [0, 725.3]], rtol=1e-6)
    assert step_mm == FLOAT_STEP_MM


def test_the_nearest_camera_file_upward_holds(tmp_path):
    for name in ("a/1.png", "a/deep/2.png", "b/3.png", "4.png"):
        put(tmp_path / name)
    (tmp_path / "camera.json").write_text('{"fx": 1, "fy": 2, "cx": 3, "cy": 4}')
    (tmp_path / "a/camera.json").write_text('{"fx": 5, "fy": 6, "cx": 7, "cy": 8, "depth_unit_mm": 0.125}')
    found = {frame.source: (frame.given.camera, frame.depth_unit_mm) for frame in listed(tmp_path)}
    assert found == {
        "4.png": ((1, 2, 3, 4), None),
        "a/1.png": ((5, 6, 7, 8), 0.125),
        "a/deep/2.png": ((5, 6, 7, 8), 0.125),
        "b/3.png": ((1, 2, 3, 4), None),
    }
    given = {(frame.given.camera, frame.depth_unit_mm) for frame in listed(tmp_path, (9, 9, 9, 9), 0.5)}
    assert given == {((9, 9, 9, 9), 0.5)}


def test_missing_and_empty_recordings(tmp_path):
    with pytest.raises(DatasetNotFoundError, match="nowhere: found nothing, wanted a folder"):
        listed(tmp_path / "nowhere")
    (tmp_path / "file").touch()
    with pytest.raises(DatasetNotFoundError, match="found 1 x no suffix, wanted .png"):
        listed(tmp_path / "file")
    (tmp_path / "sub").mkdir()
    with pytest.raises(DatasetNotFoundError, match="found no file, wanted .png"):
        listed(tmp_path / "sub")
    for k in range(3):
        put(tmp_path / "sub" / f"{k}.jpg", np.zeros((4, 4), np.uint8))
    with pytest.raises(DatasetNotFoundError, match=r"found 3 x \.jpg"):
        listed(tmp_path / "sub")


def test_a_file_of_several_maps_is_a_sequence_in_order(tmp_path):
    maps = np.arange(1, 4, dtype=np.uint16)[:, None, None] * DEPTH
    assert cv2.imwritemulti(str(tmp_path / "a.tif"), list(maps))
    np.save(tmp_path / "b.npy", np.repeat(maps, 2, axis=2))
    np.savez(tmp_path / "c.npz", depth=np.repeat(maps, 2, axis=2), times=np.arange(3))
    put(tmp_path / "0.png")
    found = [(frame.source, frame.sequence, frame.frame, int(frame.read().numbers[0, 2])) for frame in listed(tmp_path)]
    assert found == [
        ("0.png", 0, 0, 600),
        *((f"a.tif#{k}", 1, k, 600 * (k + 1)) for k in range(3)),
        *((f"b.npy#{k}", 2, k, 500 * (k + 1)) for k in range(3)),
        *((f"c.npz#{k}", 3, k, 500 * (k + 1)) for k in range(3)),
    ]
    assert [frame.source for frame in listed(tmp_path / "a.tif")] == ["a.tif#0", "a.tif#1", "a.tif#2"]


def test_times_are_in_order_of_their_decimals(tmp_path):
    names = ["9.95.png", "9.953.png", "10.0.png", "10.05.png", "10.1.png"]
    for name in reversed(names):
        put(tmp_path / name)
    assert [frame.source for frame in listed(tmp_path)] == names


def test_links_are_followed_and_loops_are_not(tmp_path):
    put(tmp_path / "disk/s1/0.png")
    put(tmp_path / "rec/s0/0.png")
    (tmp_path / "rec/s1").symlink_to(tmp_path / "disk/s1", target_is_directory=True)
    (tmp_path / "rec/s0/round").symlink_to(tmp_path / "rec", target_is_directory=True)
    (tmp_path / "rec/one.png").symlink_to(tmp_path / "disk/s1/0.png")
    assert [frame.source for frame in listed(tmp_path / "rec")] == ["one.png", "s0/0.png", "s1/0.png"]


def test_names_of_any_bytes_are_listed_and_read(tmp_path):
    put(tmp_path / "plain.png")
    put(tmp_path / "tmp.png").rename(tmp_path / os.fsdecode(b"\xca\xd6_1.png"))
    frames = {frame.source: frame for frame in listed(tmp_path)}
    assert set(frames) == {"plain.png", "\\xca\\xd6_1.png"}
    np.testing.assert_array_equal(frames["\\xca\\xd6_1.png"].read().numbers, DEPTH)


def test_a_pattern_chooses_files(tmp_path):
    for name in ("a/depth/1.png", "a/ir/1.png", "depth/1.png"):
        put(tmp_path / name)
    frames = LAYOUTS["folder"](tmp_path, None, None, pattern="depth/*.png")
    assert [frame.source for frame in frames] == ["a/depth/1.png", "depth/1.png"]
    with pytest.raises(DatasetNotFoundError, match=r"found 3 x \.png, wanted .* match the pattern raw/\*"):
        LAYOUTS["folder"](tmp_path, None, None, pattern="raw/*")
