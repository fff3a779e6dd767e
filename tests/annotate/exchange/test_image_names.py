"""Frames found by the names of images."""

import pytest

from refiner.annotate.exchange.image_names import FrameNames
from refiner.errors import LabelError

SOURCES = ["a/one.png", "a/two.png", "b/one.png", "clip.mkv:7"]


@pytest.mark.parametrize(
    ("name", "frame"),
    [
        ("a/one.png", 0),  # the source itself, although b has a one.png, too
        ("b/one.png", 2),
        ("clip.mkv:7", 3),
        ("two.png", 1),  # its last part
        ("export/two.png", 1),
        ("C:\\export\\two.png", 1),
        ("two.jpg", 1),  # without the ending
        ("crops/000002.png", 2),  # a picture of frame 2
        ("000004.png", None),  # there are only four frames
        ("2.png", None),  # another tool's number, from 0 or from 1
        ("0000002.png", None),
        ("crop_000002.png", 2),  # as `annotate pictures` names it
        ("export/crop_000003.jpg", 3),
        ("crop_000004.png", None),
        ("three.png", None),
        ("", None),
    ],
)
def test_by_source_then_last_part_then_stem_then_number(name, frame):
    assert FrameNames(SOURCES).frame(name) == frame


@pytest.mark.parametrize(("name", "frames"), [("one.png", "0, 2"), ("c/one.jpg", "0, 2")])
def test_a_name_of_several_frames_is_refused(name, frames):
    with pytest.raises(LabelError, match=f"{name}', which may be any of the frames {frames}, wanted one that only"):
        FrameNames(SOURCES).frame(name)


def test_many_frames_of_a_name_are_not_all_shown():
    with pytest.raises(LabelError, match=r"frames 0, 1, 2, 3, 4, \.\.\., wanted"):
        FrameNames(["same.png"] * 9).frame("same.png")


def test_six_digits_are_no_frame_where_sources_have_numbers_of_their_own():
    # The recording begins at its picture 000002: `000002.png` is frame 0 there, and `000001.png` is none.
    names = FrameNames([f"recording/{number:06d}.png" for number in range(2, 6)])
    assert [names.frame(name) for name in ("crops/000002.png", "000005.tiff", "000001.png")] == [0, 3, None]
    assert names.frame("crop_000001.png") == 1  # which can mean nothing else


@pytest.mark.parametrize(
    ("name", "frame"),
    [
        ("/data/upload/3/1a2b3c4d-crop_000002.png", 2),
        ("1a2b3c4d-two.png", 1),
        ("1A2B3C4D-two.png", None),  # its digits are small
        ("1a2b3c4-two.png", None),
        ("1a2b3c4d-", None),
    ],
)
def test_what_an_upload_puts_before_a_name_is_left_out(name, frame):
    assert FrameNames(SOURCES).frame(name) == frame


def test_a_source_that_looks_like_an_upload_is_meant_itself():
    assert FrameNames(["0.png", "1a2b3c4d-0.png"]).frame("upload/1a2b3c4d-0.png") == 1
