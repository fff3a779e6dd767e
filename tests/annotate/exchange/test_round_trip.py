"""Pictures written for a tool come back from it with the labels that went out."""

import json
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest
from labelled_sequence import THREE, three_joints, write_sequence

from refiner.annotate.exchange.cvat_labels import write_labels_of_task
from refiner.annotate.exchange.label_studio_interface import write_interface
from refiner.annotate.sessions.labels import FrameLabels
from refiner.annotate.sessions.session import Session
from refiner.cli.main import main
from refiner.hand.skeleton import HAND21

NAN = float("nan")
FILES = {
    "coco": ("labels.json", set()),
    "cvat": ("annotations.xml", {"cvat_labels.json"}),
    "label-studio": ("tasks.json", {"labelling_interface.xml"}),
    "labelme": ("crop_*.json", {"labels.txt"}),
}
NAMES = {"coco": "COCO keypoints", "cvat": "CVAT for images", "label-studio": "Label Studio", "labelme": "labelme"}


@pytest.fixture
def session():
    """Six frames; two of them are labelled, with hidden and absent joints, to the edge of the crop, and with order."""
    write_sequence("a.zarr", joints_mm=three_joints(6))
    assert main(["annotate", "new", "s", "a.zarr"]) == 0
    labels = [
        FrameLabels(1, np.array([[3.25, 2], [NAN, NAN], [5, 6.1]]), np.int8([2, 0, 1]), ((0, 2),)),
        FrameLabels(4, np.array([[-0.5, 31.5], [1 / 3, 7], [5, 6]]), np.int8([1, 2, 1]), ((2, 0), (2, 1))),
    ]
    with Session("s") as opened:
        opened.put_labels(labels, "anna", "clicks")
        return opened.all_labels()


@pytest.mark.parametrize("folder", [False, True])
@pytest.mark.parametrize("tool", FILES)
def test_what_comes_back_is_what_went_out(session, capsys, tool, folder):
    assert main(["annotate", "pictures", "s", "out", "--tool", tool, "--frames", "all"]) == 0
    file, further = FILES[tool]
    assert capsys.readouterr().out.splitlines()[-1] == f"out: 6 pictures, 2 of them labelled in {file}"
    written = {path.name for path in Path("out").glob("*.*") if path.suffix != ".png"}
    assert written == further | {path.name for path in Path("out").glob(file)}
    assert len(list(Path("out").glob("*.png"))) == 6
    assert main(["annotate", "new", "other", "a.zarr"]) == 0
    back = "out" if folder or tool == "labelme" else f"out/{file}"
    assert main(["annotate", "import", "other", back, "--force"]) == 0
    told, last = capsys.readouterr().out.splitlines()[-2:]
    assert told.startswith(f"{back}: {NAMES[tool]}, pixel centres at halves, ")
    assert last == "other: labels of 2 frames, 0 of them labelled before"
    with Session("other") as opened:
        for one, other in zip(session, opened.all_labels(), strict=True):
            assert (one.frame, one.nearer) == (other.frame, other.nearer)
            np.testing.assert_allclose(one.uv_px, other.uv_px, rtol=0, atol=1e-12)
            np.testing.assert_array_equal(one.flag, other.flag)


def test_cvat_has_a_skeleton_with_all_joints_in_labelled_pictures(session):
    assert main(["annotate", "pictures", "s", "out", "--tool", "cvat", "--frames", "all"]) == 0
    images = ET.parse("out/annotations.xml").getroot().findall("image")
    assert [len(image) for image in images] == [0, 1, 0, 0, 1, 0]
    assert images[1].attrib == {"id": "1", "name": "crop_000001.png", "width": "32", "height": "32"}
    root, mid, tip = images[1].findall("skeleton[@label='hand']/points")
    assert (root.get("label"), root.get("points"), root.get("outside"), root.get("occluded")) == (
        "root", "3.75,2.5", "0", "0",
    )  # fmt: skip
    assert (mid.get("label"), mid.get("outside"), mid.get("occluded")) == ("mid", "1", "0")
    assert (tip.get("label"), tip.get("outside"), tip.get("occluded")) == ("tip", "0", "1")
    assert root.find("attribute[@name='nearer_than']").text == "tip"


def test_labels_of_a_task_of_cvat():
    write_labels_of_task(Path(), HAND21)
    (hand,) = json.loads(Path("cvat_labels.json").read_text())
    assert (hand["name"], hand["type"]) == ("hand", "skeleton")
    assert [label["name"] for label in hand["sublabels"]] == list(HAND21.joints)
    drawing = ET.fromstring(f"<svg>{hand['svg']}</svg>")
    nodes, edges = drawing.findall("circle"), drawing.findall("line")
    assert [node.get("data-label-name") for node in nodes] == list(HAND21.joints)
    places = {node.get("data-node-id"): (node.get("cx"), node.get("cy")) for node in nodes}
    assert len(set(places.values())) == 21
    assert all(0 < float(value) < 100 for place in places.values() for value in place)
    assert len(edges) == 20
    for edge in edges:
        assert (edge.get("x1"), edge.get("y1")) == places[edge.get("data-node-from")]
        assert (edge.get("x2"), edge.get("y2")) == places[edge.get("data-node-to")]


def test_tasks_of_label_studio_name_pictures_as_it_serves_them(session):
    assert main(["annotate", "pictures", "s", "some hands", "--tool", "label-studio", "--frames", "all"]) == 0
    tasks = json.loads(Path("some hands/tasks.json").read_text())
    assert tasks[0] == {"data": {"image": "/data/local-files/?d=some%20hands/crop_000000.png"}, "annotations": []}
    assert [len(task["annotations"]) for task in tasks] == [0, 1, 0, 0, 1, 0]
    root, tip, hidden, nearer = tasks[1]["annotations"][0]["result"]
    assert root["value"] == {
        "x": 11.71875,
        "y": 7.8125,
        "width": 0.5,
        "keypointlabels": ["root"],
    }  # 3.75 / 32, 2.5 / 32
    assert (root["original_width"], root["original_height"]) == (32, 32)
    assert (hidden["id"], hidden["from_name"], hidden["value"]["choices"]) == (tip["id"], "visibility", ["occluded"])
    assert (nearer["from_id"], nearer["to_id"], nearer["labels"]) == (root["id"], tip["id"], ["nearer"])


def test_the_interface_of_label_studio_has_what_tasks_name():
    write_interface(Path(), THREE)
    view = ET.parse("labelling_interface.xml").getroot()
    assert [label.get("value") for label in view.findall("KeyPointLabels[@name='joint']/Label")] == list(THREE.joints)
    choices = view.find("Choices[@name='visibility']")
    assert choices.get("perRegion") == "true"
    assert [choice.get("value") for choice in choices] == ["visible", "occluded"]
    assert view.find("Image[@name='image']").get("value") == "$image"
    assert view.find("Relations/Relation").get("value") == "nearer"


def test_labelme_has_a_file_beside_each_labelled_picture(session):
    assert main(["annotate", "pictures", "s", "out", "--tool", "labelme", "--frames", "all"]) == 0
    assert sorted(path.name for path in Path("out").glob("*.json")) == ["crop_000001.json", "crop_000004.json"]
    content = json.loads(Path("out/crop_000001.json").read_text())
    assert (content["imagePath"], content["imageData"], content["imageWidth"]) == ("crop_000001.png", None, 32)
    root, tip = content["shapes"]
    assert (root["label"], root["shape_type"], root["points"]) == ("root", "point", [[3.75, 2.5]])
    assert (root["flags"], tip["flags"]) == ({"occluded": False}, {"occluded": True})
    assert root["nearer_than"] == ["tip"]
    assert Path("out/labels.txt").read_text().split() == ["root", "mid", "tip"]


def test_labels_of_two_tools_in_one_folder_are_told_apart_by_their_files(session, capsys):
    assert main(["annotate", "pictures", "s", "out"]) == 0
    Path("out/crop_000001.json").write_text('{"shapes": [], "imagePath": "crop_000001.png"}')
    assert main(["annotate", "import", "s", "out"]) == 2
    error = capsys.readouterr().err
    assert "found labels.json and crop_000001.json, wanted labels of one tool in a folder" in error
    assert "Give the file that is meant: out/labels.json or out/crop_000001.json" in error
    Path("out/labels.json").write_text('{"shapes": [], "imagePath": "labels.png"}')  # labelme's, of another picture
    assert main(["annotate", "import", "s", "out"]) == 2
    assert "holds no annotations of this session" in capsys.readouterr().err
