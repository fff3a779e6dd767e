import json
from pathlib import Path

import numpy as np
import pytest
from labelled_sequence import THREE

from refiner.annotate.sessions.bones import check_bones, read_bones, write_bones
from refiner.errors import DatasetNotFoundError, LabelError

NAN = float("nan")


def read(content):
    Path("bones.json").write_text(json.dumps(content))
    return read_bones("bones.json", THREE)


def test_lengths_are_read_by_name():
    np.testing.assert_array_equal(read({"tip": 30.5, "mid": 50}), [NAN, 50, 30.5])


def test_what_is_written_is_read():
    write_bones("bones.json", np.array([NAN, 50.1, 3.0]), THREE)
    assert json.loads(Path("bones.json").read_text()) == {"mid": 50.1, "tip": 3.0}
    np.testing.assert_array_equal(read_bones("bones.json", THREE), [NAN, 50.1, 3.0])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"mid": 50}, r"lacks the bones to \['tip'\]"),
        ({"mid": 50, "tip": 30, "palm": 3}, r"found the joints \['palm'\], wanted names of 'three'.*: mid, tip"),
        ({"root": 0, "mid": 50, "tip": 30}, r"found the joints \['root'\], .* without its root 'root'"),
        ({"mid": 50, "tip": "30"}, "found tip = '30', wanted a length in mm"),
        ({"mid": 50, "tip": True}, "found tip = True"),
        ({"mid": 2.9, "tip": 200.1}, "found the bone lengths mid 2.9 mm, tip 200.1 mm, wanted 3 to 200 mm"),
        ({"mid": 50, "tip": 10**400}, "found tip = 1000"),
        ({"mid": 50, "tip": NAN}, "found the bone lengths tip nan mm"),
        ({"mid": -50, "tip": 30}, "found the bone lengths mid -50 mm"),
        ([50, 30], "found list, wanted"),
    ],
)
def test_what_is_wrong_is_said(content, message):
    with pytest.raises(LabelError, match=f"(?i){message}") as error:
        read(content)
    assert str(error.value).startswith("bones.json")


def test_other_files_are_refused():
    with pytest.raises(DatasetNotFoundError, match="No file none.json"):
        read_bones("none.json", THREE)
    Path("bones.json").write_text("mid: 50")
    with pytest.raises(LabelError, match="not JSON"):
        read_bones("bones.json", THREE)


def test_the_root_has_no_bone_and_the_callers_array_stays():
    given = np.array([7.0, 50, 30])
    np.testing.assert_array_equal(check_bones(given, THREE), [NAN, 50, 30])
    assert given[0] == 7
    check_bones([NAN, 3, 200], THREE)
    with pytest.raises(LabelError, match=r"of shape \(2,\), wanted \(3,\)"):
        check_bones([NAN, 3], THREE)
