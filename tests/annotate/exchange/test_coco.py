import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from labelled_sequence import THREE

from refiner.annotate.exchange.coco import write_labels
from refiner.annotate.exchange.reading import read_labels
from refiner.annotate.sessions.labels import FrameLabels
from refiner.errors import LabelError
from refiner.hand.skeleton import HAND21, MSRA21

NAN = float("nan")
SIZE, FRAMES = 32, 5
SOURCES = [f"maps/{n}.png" for n in range(FRAMES)]


def three(frame=0, uv_px=((1, 2), (3, 4), (5, 6)), flag=(2, 2, 2), nearer=()):
    return FrameLabels(frame, np.array(uv_px, np.float64), np.array(flag, np.int8), nearer)


def assert_same(found, wanted):
    assert found.frame == wanted.frame
    np.testing.assert_array_equal(found.flag, wanted.flag)
    np.testing.assert_array_equal(found.uv_px, wanted.uv_px)
    assert found.nearer == wanted.nearer
    assert (found.uv_px.dtype, found.flag.dtype) == (np.float64, np.int8)


pixel = st.floats(-0.5, SIZE - 0.5)


@st.composite
def frame_labels(draw, frame):
    flag = np.array(draw(st.lists(st.integers(0, 2), min_size=21, max_size=21)), np.int8)
    uv_px = np.array(draw(st.lists(st.tuples(pixel, pixel), min_size=21, max_size=21)), np.float64)
    uv_px[flag == 0] = np.nan
    present = np.flatnonzero(flag).tolist()
    pairs = st.tuples(st.sampled_from(present), st.sampled_from(present)) if present else st.nothing()
    nearer = draw(st.lists(pairs.filter(lambda pair: pair[0] < pair[1]), max_size=4)) if len(present) > 1 else []
    return FrameLabels(frame, uv_px, flag, tuple(nearer))


@given(st.sets(st.integers(0, FRAMES - 1)).flatmap(lambda frames: st.tuples(*map(frame_labels, sorted(frames)))))
def test_what_is_written_is_read(tmp_path_factory, labels):
    path = tmp_path_factory.mktemp("labels") / "labels.json"
    write_labels(path, list(labels), HAND21, SOURCES, SIZE)
    found = read_labels(path, HAND21, SIZE, SOURCES)
    assert (found.tool, found.centres, found.why) == ("COCO keypoints", "integer", "says info.pixel_centres")
    for one, wanted in zip(found.labels, labels, strict=True):
        assert_same(one, wanted)


def test_the_file_is_coco_keypoints():
    hidden = three(frame=3, uv_px=((1.5, 2), (NAN, NAN), (5, 10)), flag=(2, 0, 1), nearer=((0, 2),))
    nobody = three(frame=4, uv_px=((NAN, NAN),) * 3, flag=(0, 0, 0))
    write_labels("labels.json", [hidden, nobody], THREE, SOURCES, SIZE)
    content = json.loads(Path("labels.json").read_text())
    assert content["info"]["pixel_centres"] == "integer"
    assert content["images"] == [
        {"id": 3, "frame": 3, "file_name": "maps/3.png", "width": 32, "height": 32},
        {"id": 4, "frame": 4, "file_name": "maps/4.png", "width": 32, "height": 32},
    ]
    assert content["categories"] == [
        {"id": 1, "name": "hand", "supercategory": "hand", "keypoints": ["root", "mid", "tip"],
         "skeleton": [[1, 2], [2, 3]]}
    ]  # fmt: skip
    first, second = content["annotations"]
    assert first == {
        "id": 1, "image_id": 3, "category_id": 1, "keypoints": [1.5, 2, 2, 0, 0, 0, 5, 10, 1], "num_keypoints": 2,
        "bbox": [1.5, 2, 3.5, 8], "area": 28.0, "iscrowd": 0, "nearer": [[0, 2]],
    }  # fmt: skip
    assert (second["id"], second["num_keypoints"], second["bbox"]) == (2, 0, [0, 0, 0, 0])


def test_joints_are_matched_by_name_and_missing_ones_are_absent():
    content = coco()
    content["categories"][0]["keypoints"] = ["tip", "root"]
    content["annotations"][0]["keypoints"] = [5, 6, 1, 1, 2, 2]
    content["annotations"][0]["nearer"] = [[1, 0]]
    (found,) = read(content)
    assert_same(found, three(uv_px=((1, 2), (NAN, NAN), (5, 6)), flag=(2, 0, 1), nearer=((0, 2),)))


def test_the_same_joints_in_another_order_are_the_same_labels():
    rng = np.random.default_rng(0)
    labels = FrameLabels(1, rng.uniform(0, 31, (21, 2)), rng.integers(1, 3, 21).astype(np.int8), ((20, 3), (1, 2)))
    write_labels("labels.json", [labels], HAND21, SOURCES, SIZE)
    (found,) = read_labels("labels.json", MSRA21, SIZE, SOURCES).labels
    for k, name in enumerate(HAND21.joints):
        np.testing.assert_array_equal(found.uv_px[MSRA21.joints.index(name)], labels.uv_px[k])
    names = [(MSRA21.joints[a], MSRA21.joints[b]) for a, b in found.nearer]
    assert names == [("little_tip", "thumb_ip"), ("thumb_cmc", "thumb_mcp")]


def test_images_without_labels_and_order_of_annotations_do_not_matter():
    content = coco()
    content["images"] += [{"id": 20, "frame": 4}, {"id": 30, "frame": 3}]
    content["annotations"].insert(0, {**content["annotations"][0], "image_id": 20})
    assert [one.frame for one in read(content)] == [0, 4]


def test_images_are_found_by_their_names_and_have_their_centres_at_halves():
    content = coco()
    content["images"] = [{"id": 7, "file_name": "export/3.jpg", "width": SIZE, "height": SIZE}]
    content["annotations"][0]["keypoints"] = [0, 32, 2, 3.5, 4.5, 2, 0, 0, 0]
    found = read_file(content)
    assert (found.centres, found.why, found.unknown, found.empty) == ("half", "as images have no `frame`", [], 0)
    # The outer edges of a picture are 0 and 32 with centres at halves, -0.5 and 31.5 at integers.
    assert_same(found.labels[0], three(3, ((-0.5, 31.5), (3, 4), (NAN, NAN)), (2, 2, 0)))


@pytest.mark.parametrize(
    ("image", "info", "u"),
    [
        ({"frame": 3}, {}, 3.0),
        ({"frame": 3, "file_name": "maps/2.png"}, {}, 3.0),  # the index goes before the name
        ({"file_name": "maps/3.png"}, {}, 2.5),
        ({"frame": 3}, {"pixel_centres": "half"}, 2.5),
        ({"file_name": "maps/3.png"}, {"pixel_centres": "integer"}, 3.0),
        ({"file_name": "maps/3.png"}, None, 2.5),  # tools write `"info": null`, too
    ],
)
def test_pixel_centres_are_where_the_file_says_else_by_what_images_have(image, info, u):
    content = coco() | {"info": info}
    content["images"] = [{"id": 7, **image}]
    content["annotations"][0]["keypoints"][:2] = [3, 4]
    (found,) = read(content)
    assert (found.frame, found.uv_px[0, 0], found.uv_px[0, 1]) == (3, u, u + 1)


def test_pixel_centres_of_images_with_and_without_an_index_have_to_be_said():
    content = coco()
    content["images"].append({"id": 8, "file_name": "maps/2.png"})
    content["annotations"].append({**content["annotations"][0], "image_id": 8})
    with pytest.raises(LabelError, match='found `frame` in 1 of 2 images.*Add "pixel_centres" to `info`'):
        read(content)
    assert [one.frame for one in read(content | {"info": {"pixel_centres": "half"}})] == [0, 2]


def test_images_of_other_sets_are_left_out_and_named():
    content = coco()
    content["images"] = [{"id": 7, "file_name": "maps/1.png"}, {"id": 8, "file_name": "cat.png", "width": 640}]
    content["images"].append({"id": 9, "file_name": "nobody clicked here.png"})
    content["categories"].append({"id": 3, "name": "cat", "keypoints": ["tail"]})
    content["annotations"] += [{"image_id": 8, "category_id": 3, "keypoints": [1, 2, 2]}] * 2
    found = read_file(content)
    assert [one.frame for one in found.labels] == [1]
    assert found.unknown == ["cat.png"]
    assert (found.centres, found.why) == ("half", "as images have no `frame`")


def test_a_name_that_two_frames_have_is_refused():
    content = coco()
    content["images"] = [{"id": 7, "file_name": "1.png"}]
    Path("labels.json").write_text(json.dumps(content))
    with pytest.raises(LabelError, match=r"labels.json: image 7: found the file_name '1.png', which may be any of"):
        read_labels("labels.json", THREE, SIZE, ["a/1.png", "b/1.png"])


def test_one_category_a_joint_is_one_hand():
    content = coco()
    content["categories"] = [{"id": n, "name": name, "keypoints": [name]} for n, name in enumerate(THREE.joints)]
    clicks = {0: [1, 2, 2], 1: [3, 4, 1], 2: [5, 6, 2]}
    content["annotations"] = [
        {"image_id": 7, "category_id": joint, "keypoints": clicks[joint]} for joint in (2, 0, 1)
    ]  # fmt: skip
    (found,) = read(content)
    assert_same(found, three(flag=(2, 1, 2)))


def test_several_and_empty_annotations_of_an_image_are_one():
    content = coco()
    box = {"image_id": 7, "category_id": 4, "bbox": [0, 0, 9, 9]}  # a box around the hand has no joints
    content["categories"].append({"id": 4, "name": "hand in a box"})
    content["images"].append({"id": 8, "frame": 2})
    whole = content["annotations"][0]
    content["annotations"] = [
        box, {**whole, "keypoints": [1, 2, 2, 0, 0, 0, 0, 0, 0]}, {**whole, "keypoints": []},
        {**whole, "keypoints": [0, 0, 0] * 3}, whole, whole, {**box, "image_id": 8},
    ]  # fmt: skip
    found = read_file(content)
    assert_same(found.labels[0], three())
    assert (len(found.labels), found.empty) == (1, 1)  # the second image has a box and nothing else


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_byte_order_mark_is_no_fault(encoding):
    assert_same(read_file(coco(), encoding).labels[0], three())


def coco():
    return {
        "images": [{"id": 7, "frame": 0, "width": SIZE, "height": SIZE}],
        "annotations": [{"id": 1, "image_id": 7, "category_id": 9, "keypoints": [1, 2, 2, 3, 4, 2, 5, 6, 2]}],
        "categories": [{"id": 9, "name": "hand", "keypoints": ["root", "mid", "tip"]}],
    }


def read_file(content, encoding="utf-8"):
    Path("labels.json").write_text(json.dumps(content), encoding=encoding)
    return read_labels("labels.json", THREE, SIZE, SOURCES)


def read(content):
    return read_file(content).labels


def set_at(*place_and_value):
    *place, last, value = place_and_value

    def change(content):
        at = content
        for key in place:
            at = at[key]
        at[last] = value

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (set_at("images", 0, "frame", 5), "image 7: Found labels of frame 5, wanted 0 to 4"),
        (set_at("images", 0, "frame", "0"), "image 7: found frame = '0', wanted a whole number"),
        (set_at("images", 0, {"id": 7}), "image 7: found neither `frame` nor `file_name`, wanted its index"),
        (set_at("images", 0, {"id": 7, "frame": None, "file_name": 3}), "found neither `frame` nor `file_name`"),
        (set_at("info", {"pixel_centres": "middle"}), "found info.pixel_centres = 'middle', wanted \"integer\" or"),
        (set_at("images", 0, "width", 64), "found the width 64, wanted 32.*another store"),
        (set_at("images", [{"id": 7, "frame": 0}] * 2), "found an id twice in `images`"),
        (set_at("images", 0, "id", True), r"images\[0\]: found id = True"),
        (set_at("images", None), "found images = None, wanted a list"),
        (set_at("categories", 0, "keypoints", ["root", "mid", "palm"]), r"\['palm'\], wanted names of 'three'.*root"),
        (set_at("categories", 0, "keypoints", ["root", "mid", "mid"]), r"found \['mid'\] twice"),
        (set_at("categories", 0, "keypoints", [["root"], "mid", "tip"]), r"found the joints \[\['root'\]\]"),
        (set_at("categories", 0, {"id": 9, "name": "hand"}), "category 9: found keypoints = None"),
        (set_at("annotations", 0, "category_id", 8), "found image_id 7 and category_id 8, wanted ids of"),
        (set_at("annotations", 0, "image_id", 8), "found image_id 8"),
        (set_at("annotations", 0, "keypoints", [1, 2, 2]), "found 3 numbers in `keypoints`, wanted u, v, flag of 3"),
        (set_at("annotations", 0, "keypoints", 0, NAN), r"frame 0: found root at \(nan, 2\) px"),
        (set_at("annotations", 0, "keypoints", 0, 99), r"frame 0: found root at \(99, 2\) px"),
        (set_at("annotations", 0, "keypoints", 0, 10**400), "found 1000.* in `keypoints`, wanted numbers"),
        (set_at("annotations", 0, "keypoints", 0, None), "found None in `keypoints`, wanted numbers"),
        (set_at("annotations", 0, "keypoints", 2, 1.5), r"found the flags \[1.5, 2.0, 2.0\]"),
        (set_at("annotations", 0, "nearer", [[0, 3]]), r"found \[0, 3\] in `nearer`, wanted two indices"),
        (set_at("annotations", 0, "nearer", [[0]]), r"found \[0\] in `nearer`"),
        (set_at("annotations", 0, "nearer", [[0, 1], [1, 0]]), "wanted an order without circles"),
        (set_at("annotations", 0, "nearer", 3), "found nearer = 3, wanted a list"),
        (set_at("annotations", 0, 3), "annotation 0: found int, wanted an object"),
        (
            lambda content: content["annotations"].append({**content["annotations"][0], "keypoints": [9, 2, 2] * 3}),
            r"image 7: found root of frame 0 at \(1, 2\) px with the flag 2 and \(9, 2\) px",
        ),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_file_is_said(change, message):
    content = coco()
    change(content)
    with pytest.raises(LabelError, match=message) as error:
        read(content)
    assert str(error.value).startswith("labels.json")
