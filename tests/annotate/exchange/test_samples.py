"""Files as other tools export them mean what was worked out by hand, and broken ones are refused with words."""

import json
import random
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from labelled_sequence import THREE
from make_samples import SAMPLES, samples

from refiner.annotate.exchange.reading import read_labels
from refiner.errors import DatasetNotFoundError, LabelError

NAN = float("nan")
SIZE = 32
SOURCES = [f"maps/{n:08d}.png" for n in range(5)]
TOOLS = {"cvat.xml": "CVAT for images", "label_studio.json": "Label Studio", "labelme": "labelme"}


def read(path):
    return read_labels(path, THREE, SIZE, SOURCES)


def written(content, name="labels"):
    data = content if isinstance(content, bytes) else json.dumps(content).encode()
    Path(name).write_bytes(data)
    return name


def test_samples_are_what_the_script_makes():
    found = {str(path.relative_to(SAMPLES)): path.read_text() for path in SAMPLES.rglob("*.*")}
    assert found == samples()


@pytest.mark.parametrize(("sample", "tool"), TOOLS.items())
def test_a_sample_means_what_it_says(sample, tool):
    found = read(SAMPLES / sample)
    assert (found.tool, found.centres, found.unknown, found.empty) == (tool, "half", ["cat.png"], 1) or (
        sample == "label_studio.json" and found.unknown == ["https://a.org/cat.png"]
    )
    first, second = found.labels
    assert (first.frame, second.frame) == (0, 2)
    np.testing.assert_array_equal(first.uv_px, [[4, 5], [9.75, 20], [NAN, NAN]])  # half a pixel less than in the tools
    np.testing.assert_array_equal(first.flag, [2, 1, 0])
    np.testing.assert_array_equal(second.uv_px, [[-0.5, 31.5], [NAN, NAN], [15.5, 7.5]])
    np.testing.assert_array_equal(second.flag, [2, 0, 1])
    assert (first.nearer, second.nearer) == ((), ((2, 0),))


def test_one_file_of_labelme_will_do():
    (found,) = read(SAMPLES / "labelme/crop_000002.json").labels
    assert (found.frame, found.flag.tolist()) == (2, [2, 0, 1])


def replaced(sample, *pairs):
    text = (SAMPLES / sample).read_text()
    for old, new in pairs:
        assert old in text
        text = text.replace(old, new, 1)
    return text.encode()


BOMB = b'<!DOCTYPE a [<!ENTITY b "x"><!ENTITY c "&b;&b;&b;">]><annotations>&c;</annotations>'
FILE = b'<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><annotations>&b;</annotations>'


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (BOMB, "found the document type 'a', wanted none, as entities may be declared there. Remove"),
        (FILE, "found the document type 'a', wanted none"),
        (b"<annotations>", "labels is not XML"),
        (b'<?xml version="1.0" encoding="no such"?><annotations/>', "labels is not XML"),
        (b'<?xml version="1.0" encoding="shift_jis"?><annotations/>', "labels is not XML: multi-byte encodings"),
        (b"<View/>", "found <View>, wanted <annotations>"),
        (b"<annotations><track/></annotations>", "found <track>.*Export it as CVAT for images"),
        (b"<annotations><image/></annotations>", "image 0: found <image> without `name`"),
        (replaced("cvat.xml", (' label="mid"', "")), r"image 0 \(crop_000000.png\): found <points> without `label`"),
        (replaced("cvat.xml", ('label="mid"', 'label="palm"')), r"the joints \['palm'\], wanted names of 'three'"),
        (replaced("cvat.xml", ('"4.50,5.50"', '"4.5,5.5;1,2"')), "root: found points = '4.5,5.5;1,2', wanted one"),
        (replaced("cvat.xml", ('"4.50,5.50"', '"4.5"')), "wanted one point"),
        (replaced("cvat.xml", ('"4.50,5.50"', '"four,5"')), "wanted one point"),
        (replaced("cvat.xml", ('"4.50,5.50"', '"nan,5"')), r"frame 0: found root at \(nan, 4.5\) px"),
        (replaced("cvat.xml", ('"4.50,5.50"', '"40,5"')), r"frame 0: found root at \(39.5, 4.5\) px"),
        (replaced("cvat.xml", ('occluded="1"', 'occluded="yes"')), "mid: found occluded = 'yes', wanted 0 or 1"),
        (replaced("cvat.xml", ('width="32"', 'width="64"')), "found the width 64, wanted 32.*another store"),
        (replaced("cvat.xml", ('width="32"', 'width="wide"')), "found the width 'wide', wanted 32"),
        (replaced("cvat.xml", (">root<", ">mid<")), "found tip nearer than mid, but mid is absent"),
        (replaced("cvat.xml", (">root<", ">palm<")), r"found the joints \['palm'\]"),
        (replaced("cvat.xml", ("crop_000002", "crop_000000")), "found root of frame 0 at .* wanted it once"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_xml_is_said(data, message):
    with pytest.raises(LabelError, match=message) as error:
        read(written(data))
    assert str(error.value).startswith("labels")


def changed(sample, *place_and_value):
    *place, last, value = place_and_value
    content = json.loads((SAMPLES / sample).read_text())
    at = content
    for key in place:
        at = at[key]
    at[last] = value
    return content


def task(*place_and_value):
    return changed("label_studio.json", *place_and_value)


def shape(*place_and_value):
    return changed("labelme/crop_000002.json", *place_and_value)


LATEST = (0, "annotations", 1, "result")
SECOND = (1, "annotations", 0, "result")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([3], "task 0: found no list of `annotations`.*not as JSON-MIN"),
        ([{"image": "crop_000000.png", "joint": []}], "task 0: found no list of `annotations`"),
        (task(0, "annotations", 0, 3), "task 0, annotation 0: found int, wanted an object"),
        (task(0, "annotations", 0, "result", None), "task 0, annotation 0: found result = None, wanted a list"),
        (task(0, "annotations", 0, "updated_at", "soon"), "annotation 0: found updated_at = 'soon', wanted a date"),
        (task(0, "annotations", 0, "updated_at", None), "annotation 0: found updated_at = None"),
        (task(0, "data", None), "task 0, annotation 1: found data = None, wanted an object"),
        (task(3, "data", {"left": "a.png", "right": "b.png"}), "found no image in `data` and no `file_upload`"),
        (task(*LATEST, 0, 3), "result 0: found int, wanted an object"),
        (task(*LATEST, 0, "type", None), "result 0: found type = None, wanted text"),
        (task(*LATEST, 0, "value", []), r"result 0: found value = \[\], wanted an object"),
        (task(*LATEST, 0, "value", "keypointlabels", []), r"found keypointlabels = \[\], wanted the name of one joint"),
        (task(*LATEST, 0, "value", "keypointlabels", ["palm"]), r"found the joints \['palm'\]"),
        (task(*LATEST, 0, "value", "x", "4"), "result 0: found x = '4', wanted a number"),
        (task(*LATEST, 0, "value", "x", 101), r"frame 0: found root at \(31.82, 5\) px"),
        (task(*LATEST, 0, "original_width", None), "found original_width = None, wanted a number"),
        (task(*LATEST, 0, "original_width", 64), "found images of the sizes .*, wanted one"),
        (task(*LATEST, 0, "image_rotation", 90), "found image_rotation = 90, wanted 0"),
        (task(*LATEST, 2, "id", None), "result 2: found id = None, wanted text"),
        (task(*LATEST, 2, "value", "choices", ["hidden"]), r"found the visibility \['hidden'\], wanted one of visible"),
        (task(*LATEST, 2, "value", "choices", []), r"found the visibility \[\]"),
        (task(*SECOND, 4, "from_id", "none"), "found 'nearer' between .*, wanted ids of two points"),
        (task(*SECOND, 4, "to_id", 3), "found to_id = 3, wanted text"),
        (task(*SECOND, 4, "direction", "bi"), "found the direction 'bi' of 'nearer', wanted right or left"),
        (shape("imagePath", None), "found imagePath = None, wanted text"),
        (shape("imageWidth", 64), "found the width 64, wanted 32"),
        (shape("shapes", {}), "found shapes = {}, wanted a list"),
        (shape("shapes", 0, 3), "shape 0: found int, wanted an object"),
        (shape("shapes", 1, "label", 3), "shape 1: found label = 3, wanted text"),
        (shape("shapes", 1, "label", "palm"), r"found the joints \['palm'\]"),
        (shape("shapes", 1, "points", [[1, 2], [3, 4]]), r"shape 1 \(root\): found points = .*, wanted one point"),
        (shape("shapes", 1, "points", [[1, None]]), "wanted one point"),
        (shape("shapes", 1, "points", [3]), "wanted one point"),
        (shape("shapes", 1, "flags", {"occluded": "yes"}), "found the flag occluded = 'yes', wanted true or false"),
        (shape("shapes", 1, "flags", 3), "found the flag occluded = 3"),
        (shape("shapes", 2, "nearer_than", "root"), "found nearer_than = 'root', wanted a list"),
        (shape("shapes", 2, "nearer_than", [3]), "found 3 in `nearer_than`, wanted names of joints"),
        (shape("shapes", 2, "nearer_than", ["palm"]), r"found the joints \['palm'\]"),
        ({"labels": 3}, r"found an object with \['labels'\], wanted COCO keypoints .*, or CVAT for images 1.1"),
        (3, "found int, wanted COCO keypoints"),
        (b"{", "labels is not JSON"),
        (b"", "labels is not JSON"),
        (b"\xff\xfe\x00", "labels is not JSON"),
        (b"PK\x03\x04and so on", "labels is a ZIP archive, wanted what is in it. Unpack it"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_json_is_said(content, message):
    with pytest.raises(LabelError, match=message) as error:
        read(written(content))
    assert str(error.value).startswith("labels")


def test_what_is_no_labels_is_said(tmp_path):
    with pytest.raises(DatasetNotFoundError, match="No file none.json: found nothing"):
        read("none.json")
    with pytest.raises(DatasetNotFoundError, match=r"No labels in the folder .*: found no \*.json"):
        read(tmp_path)
    written({"images": []}, "coco.json")
    with pytest.raises(LabelError, match=r"coco.json: found no `shapes`, wanted labelme's files alone"):
        read(tmp_path)
    assert read(written([])).labels == []


@pytest.mark.parametrize("start", [b"[" * 10**5, b'{"shapes": ' * 10**5])
def test_brackets_without_end_are_refused(start):
    with pytest.raises(LabelError):
        read(written(start))


@pytest.mark.parametrize("depth", range(100, 1100, 50))
def test_a_value_of_any_depth_can_be_told(depth):
    nested = "[" * depth + "]" * depth
    with pytest.raises(LabelError):
        read(written(f'{{"images": [], "categories": [], "info": {{"pixel_centres": {nested}}}}}'.encode()))


def refused_or_read(path):
    """Read a file, which may raise the one error alone; it names the file."""
    try:
        read(path)
    except LabelError as error:
        return str(error).startswith(str(path))
    return True


@given(st.sampled_from(sorted(samples())), st.integers(0, 2**32))
def test_broken_files_raise_nothing_else(tmp_path_factory, sample, seed):
    """Pieces of a sample are exchanged, removed and doubled."""
    chance, text = random.Random(seed), samples()[sample]
    for _ in range(chance.randint(1, 4)):
        start, other = (chance.randrange(len(text)) for _ in range(2))
        pieces = [text[other : other + chance.randint(0, 40)], "", "null", "-1e999", '"', "9", "[]", "\ud800"]
        text = text[:start] + chance.choice(pieces) + text[start + chance.randint(0, 40) :]
    path = tmp_path_factory.mktemp("broken") / "labels"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    assert refused_or_read(path)


def places(content, at=()):
    """The way to every value in lists and objects."""
    keys = content if isinstance(content, dict) else range(len(content)) if isinstance(content, list) else ()
    for key in keys:
        yield (*at, key)
        yield from places(content[key], (*at, key))


STRANGE = (
    None,
    True,
    -1,
    3.5,
    1e308,
    NAN,
    float("inf"),
    10**400,
    "",
    "root",
    "\ud800",
    [],
    ["root"],
    [[1]],
    {},
    {"a": 1},
)


@pytest.mark.parametrize("sample", [name for name in samples() if name.endswith("json")])
def test_a_value_of_any_kind_anywhere_raises_nothing_else(sample):
    for place in places(json.loads(samples()[sample])):
        for value in STRANGE:
            assert refused_or_read(written(changed(sample, *place, value))), (place, value)


def test_any_text_in_any_attribute_raises_nothing_else():
    for start, end in [match.span(1) for match in re.finditer('"([^"]*)"', samples()["cvat.xml"])]:
        for text in ("", " ", "root", "-1", "1e999", "nan", "9" * 5000, "1,2", "1,2;3,4", ",", "&amp;", "&a;", "<"):
            data = samples()["cvat.xml"][:start] + text + samples()["cvat.xml"][end:]
            assert refused_or_read(written(data.encode())), (start, text)
