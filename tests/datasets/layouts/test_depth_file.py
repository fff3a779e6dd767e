import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from refiner.datasets.layouts import Frame
from refiner.datasets.layouts.depth_file import count_maps, read_depth_file
from refiner.errors import DepthFormatError


def put(path, numbers):
    np.save(path, numbers) if path.suffix == ".npy" else cv2.imwrite(str(path), numbers)
    return path


def only(path):
    return Frame(path, path.name, 0, 0, None, 1.0)


def cut_short(path):
    put(path, np.random.default_rng(0).integers(1, 900, (60, 80)).astype(np.uint16))
    path.write_bytes(path.read_bytes()[:-40])


WRONG = {
    "colour.png": (lambda path: put(path, np.zeros((4, 5, 3), np.uint8)), "found 4 x 5 x 3 numbers of type uint8"),
    "bits.png": (lambda path: put(path, np.full((4, 5), 9, np.uint8)), "found 4 x 5 numbers of type uint8, wanted"),
    "stack.npy": (lambda path: put(path, np.ones((2, 4, 5), np.uint16)), "found 2 x 4 x 5 numbers"),
    "depth_1_0000001.png": (lambda path: put(path, np.ones((4, 5, 3), np.uint8)), "with --layout nyu"),
    "two.npz": (lambda path: np.savez(path, a=np.ones((4, 5)), b=1), "found the arrays a, b, wanted one, or"),
    "cut.npz": (lambda path: path.write_bytes(b"PK\x03\x04"), "cannot be read"),
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


@pytest.mark.parametrize("shape", [(4, 6, 1), (4, 6)])
def test_one_map_with_or_without_a_channel(tmp_path, shape):
    path = put(tmp_path / "a.npy", np.full(shape, 7, np.uint16))
    assert count_maps(path) == 1
    np.testing.assert_array_equal(read_depth_file(path), np.full((4, 6), 7))


@pytest.mark.parametrize("shape", [(3, 4, 6), (3, 4, 6, 1)])
def test_several_maps_with_or_without_a_channel(tmp_path, shape):
    path = put(tmp_path / "a.npy", np.arange(72, dtype=np.uint16).reshape(shape))
    assert count_maps(path) == 3
    np.testing.assert_array_equal(read_depth_file(path, 2), np.arange(48, 72).reshape(4, 6))


def test_a_float_stack_of_compressed_arrays(tmp_path):
    np.savez_compressed(tmp_path / "a.npz", np.full((2, 4, 6), 0.5, np.float32))
    assert count_maps(tmp_path / "a.npz") == 2
    assert read_depth_file(tmp_path / "a.npz", 1).dtype == np.float32


def test_a_damaged_stack_is_one_unreadable_file(tmp_path):
    maps = [np.full((60, 80), k, np.uint16) for k in range(1, 4)]
    assert cv2.imwritemulti(str(tmp_path / "a.tif"), maps)
    (tmp_path / "a.tif").write_bytes(b"II*\0" + b"\x99" * 40)
    assert count_maps(tmp_path / "a.tif") == 1
    with pytest.raises(DepthFormatError, match="damaged or cut short"):
        read_depth_file(tmp_path / "a.tif")


def test_a_page_that_is_cut_off(tmp_path):
    rng = np.random.default_rng(0)
    assert cv2.imwritemulti(str(tmp_path / "a.tif"), [rng.integers(1, 900, (60, 80)).astype(np.uint16)] * 3)
    whole = (tmp_path / "a.tif").read_bytes()
    (tmp_path / "a.tif").write_bytes(whole[: len(whole) // 2])
    count = count_maps(tmp_path / "a.tif")
    assert 1 < count < 3  # what is there, and the first that is not
    read_depth_file(tmp_path / "a.tif", count - 2)
    with pytest.raises(DepthFormatError, match=r"a\.tif.*damaged or cut short"):
        read_depth_file(tmp_path / "a.tif", count - 1)
