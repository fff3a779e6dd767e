import json
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from labelled_sequence import THREE

from refiner.annotate.sessions.labels import FrameLabels, check_labels, inside, read_labels, write_labels
from refiner.errors import DatasetNotFoundError, LabelError
from refiner.hand.skeleton import HAND21, MSRA21, Skeleton

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


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (three(frame=5), "labels of frame 5, wanted 0 to 4"),
        (three(frame=-1), "labels of frame -1"),
        (three(uv_px=((1, 2), (3, NAN), (5, 6))), r"frame 0: found mid at \(3, nan\) px"),
        (three(uv_px=((1, 2), (3, 4), (31.51, 6))), r"found tip at \(31.51, 6\) px, wanted both from -0.5 to 31.5"),
        (three(uv_px=((1, 2), (3, -0.6), (5, 6))), r"found mid at \(3, -0.6\) px"),
        (three(flag=(2, 3, 2)), "found the flag 3 of mid, wanted 0 absent, 1 occluded or 2 visible"),
        (three(nearer=((0, 3),)), r"found \[0, 3\] in `nearer`, wanted joints from 0 to 2"),
        (three(nearer=((0, 1, 2),)), r"found \[0, 1, 2\] in `nearer`"),
        (three(nearer=((1, 1),)), "found mid nearer than itself"),
        (three(flag=(2, 0, 2), nearer=((0, 1),)), "found root nearer than mid, but mid is absent"),
        (three(nearer=((0, 1), (1, 0))), "root nearer than mid nearer than root|mid nearer than root nearer than mid"),
        (three(uv_px=((1, 2), (3, 4)), flag=(2, 2)), r"uv_px of shape \(2, 2\) and flag of shape \(2,\).*of 'three'"),
    ],
)
def test_labels_that_make_no_sense_are_named(labels, message):
    with pytest.raises(LabelError, match=message):
        check_labels(labels, THREE, SIZE, FRAMES)


def test_the_crop_ends_at_the_outer_edges_of_its_pixels():
    edges = three(uv_px=((-0.5, -0.5), (31.5, 31.5), (NAN, 1e9)), flag=(1, 2, 0), nearer=((0, 1),))
    check_labels(edges, THREE, SIZE, FRAMES)
    np.testing.assert_array_equal(inside(edges.uv_px, SIZE), [True, True, False])


def test_a_circle_is_told_in_the_order_in_which_it_runs():
    circle = three(nearer=((0, 1), (1, 2), (2, 0)))
    with pytest.raises(LabelError) as error:
        check_labels(circle, THREE, SIZE, FRAMES)
    told = re.search(r"found (\w+(?: nearer than \w+)+),", str(error.value)).group(1).split(" nearer than ")
    assert told in (["root", "mid", "tip", "root"], ["mid", "tip", "root", "mid"], ["tip", "root", "mid", "tip"])


@given(st.sets(st.tuples(st.integers(0, 4), st.integers(0, 4)).filter(lambda pair: pair[0] != pair[1])))
def test_pairs_are_accepted_where_no_joint_is_nearer_than_itself(pairs):
    chain = Skeleton("five", tuple("abcde"), (-1, 0, 1, 2, 3))
    labels = FrameLabels(0, np.ones((5, 2)), np.full(5, 2, np.int8), tuple(pairs))
    reach = np.zeros((5, 5), int)
    for a, b in pairs:
        reach[a, b] = 1
    circular = any(np.trace(np.linalg.matrix_power(reach, steps)) for steps in range(1, 6))
    if circular:
        with pytest.raises(LabelError, match="without circles"):
            check_labels(labels, chain, SIZE, FRAMES)
    else:
        check_labels(labels, chain, SIZE, FRAMES)


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
    found = read_labels(path, HAND21, SIZE, FRAMES)
    for one, wanted in zip(found, labels, strict=True):
        assert_same(one, wanted)


def test_the_file_is_coco_keypoints():
    hidden = three(frame=3, uv_px=((1.5, 2), (NAN, NAN), (5, 10)), flag=(2, 0, 1), nearer=((0, 2),))
    nobody = three(frame=4, uv_px=((NAN, NAN),) * 3, flag=(0, 0, 0))
    write_labels("labels.json", [hidden, nobody], THREE, SOURCES, SIZE)
    content = json.loads(Path("labels.json").read_text())
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
    (found,) = read_labels("labels.json", MSRA21, SIZE, FRAMES)
    for k, name in enumerate(HAND21.joints):
        np.testing.assert_array_equal(found.uv_px[MSRA21.joints.index(name)], labels.uv_px[k])
    names = [(MSRA21.joints[a], MSRA21.joints[b]) for a, b in found.nearer]
    assert names == [("little_tip", "thumb_ip"), ("thumb_cmc", "thumb_mcp")]


def test_images_without_labels_and_order_of_annotations_do_not_matter():
    content = coco()
    content["images"] += [{"id": 20, "frame": 4}, {"id": 30, "frame": 3}]
    content["annotations"].insert(0, {**content["annotations"][0], "image_id": 20})
    assert [one.frame for one in read(content)] == [0, 4]


def coco():
    return {
        "images": [{"id": 7, "frame": 0, "width": SIZE, "height": SIZE}],
        "annotations": [{"id": 1, "image_id": 7, "category_id": 9, "keypoints": [1, 2, 2, 3, 4, 2, 5, 6, 2]}],
        "categories": [{"id": 9, "name": "hand", "keypoints": ["root", "mid", "tip"]}],
    }


def read(content):
    Path("labels.json").write_text(json.dumps(content))
    return read_labels("labels.json", THREE, SIZE, FRAMES)


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
        (set_at("images", 0, "frame", 5), "annotation 0: Found labels of frame 5, wanted 0 to 4"),
        (set_at("images", 0, "frame", "0"), "image 7: found frame = '0', wanted a whole number"),
        (set_at("images", 0, {"id": 7}), "image 7: found frame = None"),
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
        (lambda content: content["annotations"].append(content["annotations"][0]), "found frame 0 labelled a second"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_file_is_said(change, message):
    content = coco()
    change(content)
    with pytest.raises(LabelError, match=message) as error:
        read(content)
    assert str(error.value).startswith("labels.json")


def test_what_is_no_file_of_labels_is_said(tmp_path):
    with pytest.raises(DatasetNotFoundError, match="No file none.json: found nothing"):
        read_labels("none.json", THREE, SIZE, FRAMES)
    with pytest.raises(DatasetNotFoundError, match="found a folder"):
        read_labels(tmp_path, THREE, SIZE, FRAMES)
    for text in (b"{", b"\xff\xfe\x00"):
        Path("labels.json").write_bytes(text)
        with pytest.raises(LabelError, match="labels.json is not JSON"):
            read_labels("labels.json", THREE, SIZE, FRAMES)
    with pytest.raises(LabelError, match="labels.json: found list, wanted an object"):
        read([])
