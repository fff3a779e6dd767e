import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from labelled_sequence import THREE, three_joints, write_sequence

from refiner import viz
from refiner.annotate.sessions.labels import FrameLabels
from refiner.annotate.sessions.session import Session
from refiner.cli.main import main
from refiner.datasets.store import DepthStore


@pytest.fixture
def session():
    """Six frames, of which 1 and 4 are labelled; sources with names of digits alone, as cameras give them."""
    joints_mm = three_joints(6)
    sources = np.array([f"{n + 10:08d}.png" for n in range(6)], object)
    write_sequence("a.zarr", joints_mm=joints_mm, source=sources)
    assert main(["annotate", "new", "s", "a.zarr"]) == 0
    uv_px = np.array([[3.25, 2], [np.nan, np.nan], [5, 6.5]])
    with Session("s") as opened:
        opened.put_labels([FrameLabels(n, uv_px, np.int8([2, 0, 1]), ((0, 2),)) for n in (1, 4)], "anna", "clicks")
    return "s"


def pictures(*words):
    return main(["annotate", "pictures", *words])


def test_references_are_written_with_their_labels(session, capsys):
    assert pictures(session, "out") == 0
    assert capsys.readouterr().out.splitlines()[-1] == "out: 2 pictures, 2 of them labelled in labels.json"
    assert sorted(path.name for path in Path("out").iterdir()) == ["crop_000001.png", "crop_000004.png", "labels.json"]
    content = json.loads(Path("out/labels.json").read_text())
    size = DepthStore("a.zarr").size
    assert content["images"][0] == {"id": 1, "file_name": "crop_000001.png", "width": size, "height": size}
    assert content["annotations"][0]["keypoints"] == [3.75, 2.5, 2, 0, 0, 0, 5.5, 7, 1]  # centres at halves
    assert content["categories"][0]["keypoints"] == list(THREE.joints)
    picture = cv2.imread("out/crop_000001.png", cv2.IMREAD_UNCHANGED)
    assert (picture.shape, picture.dtype) == ((size, size), np.uint8)


def test_all_frames_and_raw_numbers(session):
    assert pictures(session, "out", "--frames", "all", "--raw") == 0
    content = json.loads(Path("out/labels.json").read_text())
    assert [image["file_name"] for image in content["images"]] == [f"crop_{n:06d}.png" for n in range(6)]
    assert [one["image_id"] for one in content["annotations"]] == [1, 4]
    depth = DepthStore("a.zarr").read("depth")
    for n in range(6):
        np.testing.assert_array_equal(cv2.imread(f"out/crop_{n:06d}.png", cv2.IMREAD_UNCHANGED), depth[n])


@pytest.mark.parametrize("dropped", [(), ("info",)], ids=["whole", "as a tool keeps it"])
def test_what_comes_back_is_what_went_out(session, dropped):
    with Session(session) as opened:
        before = opened.all_labels()
    assert pictures(session, "out", "--frames", "all") == 0
    content = json.loads(Path("out/labels.json").read_text())
    Path("back.json").write_text(json.dumps({key: value for key, value in content.items() if key not in dropped}))
    assert main(["annotate", "new", "other", "a.zarr"]) == 0
    assert main(["annotate", "import", "other", "back.json", "--force"]) == 0
    with Session("other") as opened:
        after = opened.all_labels()
    assert [one.frame for one in after] == [1, 4]
    for one, other in zip(before, after, strict=True):
        np.testing.assert_array_equal(one.uv_px, other.uv_px)
        np.testing.assert_array_equal(one.flag, other.flag)
        assert one.nearer == other.nearer


def test_nothing_is_overwritten_unasked(session, capsys):
    assert pictures(session, "out") == 0
    assert pictures(session, "out", "--frames", "all") == 2
    assert "out exists. Give another name, or --overwrite." in capsys.readouterr().err
    assert len(list(Path("out").iterdir())) == 3
    assert pictures(session, "out", "--frames", "all", "--overwrite") == 0
    assert len(list(Path("out").iterdir())) == 7
    assert not list(Path().glob(".*.partial"))


def test_without_references_there_is_nothing_to_draw(capsys):
    write_sequence("a.zarr")
    assert main(["annotate", "new", "s", "a.zarr"]) == 0
    assert pictures("s", "out") == 2
    assert "s has no references yet" in capsys.readouterr().err


def test_relief_is_lit_from_the_upper_left():
    v, u = np.mgrid[:32, :32]
    ball = 600 - np.sqrt(np.maximum(15**2 - (u - 15.5) ** 2 - (v - 15.5) ** 2, 0))
    depth_mm = np.where((u - 15.5) ** 2 + (v - 15.5) ** 2 < 14**2, ball, 0)
    grey = viz.shade_relief(depth_mm, 500, 700, 1.0)
    assert (grey[depth_mm == 0] == 0).all()
    assert grey[depth_mm > 0].min() >= 40
    assert grey[8, 8] > grey[15, 15] > grey[23, 23]


def test_nearer_is_brighter():
    near, far = (viz.shade_relief(np.full((4, 4), depth), 500, 700, 1.0)[1, 1] for depth in (520.0, 680.0))
    assert near > far
