import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from refiner.datasets.layouts import LAYOUTS, Frame
from refiner.datasets.layouts.frame import FLOAT_STEP_MM
from refiner.errors import DatasetNotFoundError, DepthFormatError

DEPTH = np.array([[0, 500, 600], [700, 800, 65535]], np.uint16)


def put(path, numbers=DEPTH):
    path.parent.mkdir(parents=True, exist_ok=True)
    np.save(path, numbers) if path.suffix == ".npy" else cv2.imwrite(str(path), numbers)
    return path


def listed(src, camera=None, depth_unit_mm=None):
    return LAYOUTS["folder"](src, camera, depth_unit_mm)


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
    depth_mm, camera, step_mm = only(put(tmp_path / f"a{suffix}"), depth_unit_mm=0.125).read()
    np.testing.assert_array_equal(depth_mm, DEPTH / 8)
    assert depth_mm.dtype == np.float32
    assert step_mm == 0.125
    assert camera == (575, 575, 1, 0.5)  # Kinect v1, looking at the middle of 3 x 2 pixels


@pytest.mark.parametrize("suffix", [".tif", ".npy"])
def test_floats_in_metres_with_nan_for_no_reading(tmp_path, suffix):
    metres = np.array([[np.nan, 0.5], [np.inf, 0.7253]], np.float32)
    depth_mm, _, step_mm = only(put(tmp_path / f"a{suffix}", metres), depth_unit_mm=1000).read()
    np.testing.assert_allclose(depth_mm, [[0, 500], [0, 725.3]], rtol=1e-6)
    assert step_mm == FLOAT_STEP_MM


def test_the_nearest_camera_file_upward_holds(tmp_path):
    for name in ("a/1.png", "a/deep/2.png", "b/3.png", "4.png"):
        put(tmp_path / name)
    (tmp_path / "camera.json").write_text('{"fx": 1, "fy": 2, "cx": 3, "cy": 4}')
    (tmp_path / "a/camera.json").write_text('{"fx": 5, "fy": 6, "cx": 7, "cy": 8, "depth_unit_mm": 0.125}')
    found = {frame.source: (frame.camera, frame.depth_unit_mm) for frame in listed(tmp_path)}
    assert found == {
        "4.png": ((1, 2, 3, 4), 1),
        "a/1.png": ((5, 6, 7, 8), 0.125),
        "a/deep/2.png": ((5, 6, 7, 8), 0.125),
        "b/3.png": ((1, 2, 3, 4), 1),
    }
    given = {(frame.camera, frame.depth_unit_mm) for frame in listed(tmp_path, (9, 9, 9, 9), 0.5)}
    assert given == {((9, 9, 9, 9), 0.5)}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "is not JSON"),
        ("[1]", "found list, wanted an object"),
        ('{"fx": 1, "fy": 1}', "found fx, fy, wanted"),
        ('{"fx": 1, "fy": 1, "cx": 1, "cy": 1, "unit": 1}', "found fx, fy, cx, cy, unit, wanted"),
        ('{"fx": 0, "fy": 1, "cx": 1, "cy": 1}', "fx, fy and the unit above 0"),
        ('{"fx": "1", "fy": 1, "cx": 1, "cy": 1}', "wanted an object of numbers"),
    ],
)
def test_a_camera_file_that_is_none(tmp_path, text, message):
    put(tmp_path / "1.png")
    (tmp_path / "camera.json").write_text(text)
    with pytest.raises(DepthFormatError, match=r"camera\.json") as error:
        listed(tmp_path)
    assert message in str(error.value)


def test_missing_and_empty_recordings(tmp_path):
    with pytest.raises(DatasetNotFoundError, match="nowhere: found nothing, wanted a folder"):
        listed(tmp_path / "nowhere")
    (tmp_path / "file").touch()
    with pytest.raises(DatasetNotFoundError, match="found a file, wanted a folder"):
        listed(tmp_path / "file")
    (tmp_path / "sub").mkdir()
    with pytest.raises(DatasetNotFoundError, match="found no file, wanted .png"):
        listed(tmp_path / "sub")
    for k in range(3):
        put(tmp_path / "sub" / f"{k}.jpg", np.zeros((4, 4), np.uint8))
    with pytest.raises(DatasetNotFoundError, match=r"found 3 x \.jpg"):
        listed(tmp_path / "sub")


def cut_short(path):
    put(path, np.random.default_rng(0).integers(1, 900, (60, 80)).astype(np.uint16))
    path.write_bytes(path.read_bytes()[:-40])


WRONG = {
    "colour.png": (lambda path: put(path, np.zeros((4, 5, 3), np.uint8)), "found 4 x 5 x 3 numbers of type uint8"),
    "bits.png": (lambda path: put(path, np.full((4, 5), 9, np.uint8)), "found 4 x 5 numbers of type uint8, wanted"),
    "stack.npy": (lambda path: put(path, np.ones((2, 4, 5), np.uint16)), "found 2 x 4 x 5 numbers"),
    "mask.npy": (lambda path: put(path, np.ones((4, 5), bool)), "type bool, wanted integers of at least 16 bits"),
    "minus.npy": (lambda path: put(path, np.full((4, 5), -3, np.int16)), "negative depth -3"),
    "nan.npy": (lambda path: put(path, np.full((4, 5), np.nan)), "found only NaN"),
    "zero.png": (lambda path: put(path, np.zeros((4, 5), np.uint16)), "found only zeros"),
    "cut.png": (cut_short, "cut short"),
    "cut.tif": (cut_short, "cut short"),
    "cut.npy": (cut_short, "cannot be read"),
    "empty.png": (Path.touch, "found 0 bytes"),
    "text.npy": (lambda path: path.write_text(json.dumps({})), "cannot be read"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_file_that_is_no_depth_map_is_named(tmp_path, name):
    make, message = WRONG[name]
    make(tmp_path / name)
    with pytest.raises(DepthFormatError) as error:
        only(tmp_path / name).read()
    assert str(tmp_path / name) in str(error.value)
    assert message in str(error.value)
