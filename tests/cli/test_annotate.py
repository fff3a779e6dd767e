import getpass
import json
import re
from pathlib import Path

import numpy as np
import pytest
from labelled_sequence import THREE, three_joints, write_sequence, write_unlabelled
from shipped_session import write_cut

from refiner.annotate.exchange.coco import write_labels
from refiner.annotate.sessions.session import Session, StageResult
from refiner.annotate.simulate import labels_of_truth
from refiner.cli.main import main
from refiner.datasets.store import DepthStore
from refiner.hand.skeleton import HAND21


def annotate(*words):
    return main(["annotate", *words])


def last_line(capsys):
    return capsys.readouterr().out.splitlines()[-1]


def write_file(path, frames, u=3, **changes):
    """LABELS.json of some frames, as another program may write it."""
    keypoints = [u, 2, 2, 3, 4, 1, 5, 6, 2]
    content = {
        "images": [{"id": n + 100, "frame": frame} for n, frame in enumerate(frames)],
        "annotations": [
            {"id": n + 1, "image_id": n + 100, "category_id": 1, "keypoints": keypoints} for n in range(len(frames))
        ],
        "categories": [{"id": 1, "name": "hand", "keypoints": list(THREE.joints)}],
    }
    Path(path).write_text(json.dumps(content | changes))


def session_of_three():
    write_sequence("a.zarr", source=np.array([f"clip.mkv:{n}" for n in range(6)], object))
    Path("bones.json").write_text('{"mid": 50, "tip": 30}')
    assert annotate("new", "s", "a.zarr", "--bones", "bones.json") == 0


def test_from_a_store_to_labels_and_back(capsys):
    session_of_three()
    assert last_line(capsys) == "s: session of 6 frames, 0 labelled"
    write_file("one.json", [4, 1])
    assert annotate("import", "s", "one.json") == 0
    assert last_line(capsys) == "s: labels of 2 frames, 0 of them labelled before"
    write_file("two.json", [4, 5], u=7)
    assert annotate("import", "s", "two.json", "--who", "anna") == 0
    assert last_line(capsys) == "s: labels of 2 frames, 1 of them labelled before"
    with Session("s") as session:
        np.testing.assert_array_equal(session.bones_mm, [np.nan, 50, 30])
        assert session.references() == [1, 4, 5]
        assert {one.frame: one.uv_px[0, 0] for one in session.all_labels()} == {1: 3, 4: 7, 5: 7}
        assert [(edit.who, edit.note, edit.labels.uv_px[0, 0]) for edit in session.history(4)] == [
            (getpass.getuser(), "import one.json", 3),
            ("anna", "import two.json", 7),
        ]
    assert annotate("labels", "s", "out.json") == 0
    assert last_line(capsys) == "out.json: labels of 3 frames"
    content = json.loads(Path("out.json").read_text())
    assert content["images"][0] == {"id": 1, "frame": 1, "file_name": "clip.mkv:1", "width": 32, "height": 32}
    assert annotate("new", "again", "a.zarr") == 0
    assert annotate("import", "again", "out.json") == 0
    assert annotate("labels", "again", "back.json") == 0
    assert Path("back.json").read_bytes() == Path("out.json").read_bytes()
    Path("out.json").write_text("mine")
    assert annotate("labels", "s", "out.json") == 2
    assert "out.json exists. Give another name, or --overwrite." in capsys.readouterr().err
    assert Path("out.json").read_text() == "mine"
    assert annotate("labels", "s", "out.json", "--overwrite") == 0
    assert Path("back.json").read_bytes() == Path("out.json").read_bytes()


def images(path, **image):
    """LABELS.json of one frame of the shipped sequence's cut, with its true joints and `image` in its record."""
    store = DepthStore("truth.zarr")
    labels = labels_of_truth(store, [5])
    write_labels(path, labels, HAND21, [""] * len(store), store.size)
    content = json.loads(Path(path).read_text())
    content["images"][0].update(image)
    return content


def index_tip_at(content, *values):
    content["annotations"][0]["keypoints"][24:27] = values
    Path("labels.json").write_text(json.dumps(content))


def test_labels_that_make_no_sense_are_named_and_kept_until_they_are_corrected(capsys):
    write_cut("truth.zarr", 8)
    content = images("labels.json")
    true = content["annotations"][0]["keypoints"][24:27]
    index_tip_at(content, 0, 0, 2)
    assert annotate("new", "s", "truth.zarr") == 0
    assert annotate("import", "s", "labels.json") == 0
    out, err = capsys.readouterr()
    first, last = err.splitlines()
    assert first.startswith(
        "refiner annotate import: frame 5 (truth.zarr/5), index_tip: visible, but the nearest reading"
    )
    assert "the bone from index_dip to index_tip would be at least" in first
    assert "1 joints and 0 whole images are in doubt; `bones` and `solve` do without 1 of these 1" in last
    assert out.splitlines()[-2] == "labels.json: COCO keypoints, pixel centres at integers, says info.pixel_centres"
    assert annotate("next", "s") == 0
    told = capsys.readouterr().out.splitlines()
    assert told[0].startswith("label of frame 5 index_tip: visible, but")
    assert told[-1] == "next frame: 5"
    assert annotate("labels", "s", "back.json") == 0
    written = json.loads(Path("back.json").read_text())
    assert written["annotations"][0]["keypoints"][24:27] == [0, 0, 2]
    index_tip_at(content, *true)
    capsys.readouterr()
    assert annotate("import", "s", "labels.json") == 0
    assert capsys.readouterr().err == ""


def test_a_file_of_exchanged_coordinates_is_refused_unless_forced(capsys):
    write_cut("truth.zarr", 8)
    content = images("labels.json", frame=None, file_name="truth.zarr/5")
    del content["info"]
    clicks = np.reshape(content["annotations"][0]["keypoints"], (-1, 3))
    content["annotations"][0]["keypoints"] = clicks[:, [1, 0, 2]].ravel().tolist()
    Path("labels.json").write_text(json.dumps(content))
    assert annotate("new", "s", "truth.zarr") == 0
    assert annotate("import", "s", "labels.json") == 2
    err = capsys.readouterr().err
    assert "labels.json: found 1 of 1 images whose labels do not fit" in err
    assert "with u and v exchanged" in err
    assert "or say --force to import it as it is" in err
    with Session("s") as session:
        assert session.labelled_frames() == []
    assert annotate("import", "s", "labels.json", "--force") == 0
    out, err = capsys.readouterr()
    assert "frame 5 (truth.zarr/5): its labels lie nearer to a hand with u and v exchanged" in err
    assert "0 joints and 1 whole images are in doubt" in err
    assert out.splitlines()[-2] == "labels.json: COCO keypoints, pixel centres at halves, as images have no `frame`"
    assert annotate("bones", "s") == 2
    assert "found labels of 1 frames and none that makes sense (frame 5: its labels lie" in capsys.readouterr().err


def test_images_of_other_sets_are_counted_and_named(capsys):
    session_of_three()
    write_file("one.json", [0, 1, 2])
    content = json.loads(Path("one.json").read_text())
    content["images"] = [{"id": 100 + n, "file_name": name} for n, name in enumerate(("cat", "clip.mkv:4", "dog"))]
    content["annotations"].append({"image_id": 101, "category_id": 1, "keypoints": []})
    Path("one.json").write_text(json.dumps(content))
    assert annotate("import", "s", "one.json") == 0
    out, err = capsys.readouterr()
    assert err == (
        "refiner annotate import: one.json: 2 images are no frame of this session and are left out: cat, dog\n"
    )
    assert out.splitlines()[-1] == (
        "s: labels of 1 frames, 0 of them labelled before, 2 images are none of this session"
    )
    content["images"][1]["file_name"] = "bird"
    Path("one.json").write_text(json.dumps(content))
    assert annotate("import", "s", "one.json") == 2
    assert "one.json holds no annotations of this session" in capsys.readouterr().err


def test_one_goes_back_and_forth(capsys):
    session_of_three()
    write_file("one.json", [0, 1, 2, 4])
    write_file("two.json", [4], u=7)
    assert annotate("import", "s", "one.json") == 0
    assert annotate("import", "s", "two.json", "--who", "anna") == 0
    assert annotate("undo", "s") == 0
    assert last_line(capsys) == "s: undo changed 3 frames, 0-2"  # the fourth is Anna's by now
    assert annotate("undo", "s") == 1
    assert last_line(capsys) == f"s: nothing of {getpass.getuser()} to undo; frames labelled last by: anna 1"
    assert annotate("undo", "s", "--who", "anna") == 0
    assert last_line(capsys) == "s: undo changed 1 frames, 4"
    assert annotate("redo", "s", "--who", "anna") == 0
    assert last_line(capsys) == "s: redo changed 1 frames, 4"
    assert annotate("redo", "s", "--who", "anna") == 1
    assert annotate("redo", "s") == 0
    assert last_line(capsys) == "s: redo changed 3 frames, 0-2"


def test_known_joints_are_taken(capsys):
    write_sequence("a.zarr", joints_mm=three_joints(6))
    assert annotate("new", "s", "a.zarr", "--init-from-labels") == 0
    assert last_line(capsys) == "s: session of 6 frames, 6 labelled"
    with Session("s") as session:
        np.testing.assert_allclose(session.bones_mm, [np.nan, 50, 30])


def test_status_says_what_is_there_and_what_is_stale(capsys):
    write_sequence("a.zarr", frame=[0, 1, 2, 5, 6, 7])
    assert annotate("new", "s", "a.zarr") == 0
    assert annotate("status", "s") == 0
    out = capsys.readouterr().out
    for line in ("6 frames in 2 unbroken sequences, joints of three", "0 frames, revision 0", "not known", "lift +not"):
        assert re.search(line, out), out
    write_file("one.json", [4, 1])
    assert annotate("import", "s", "one.json", "--who", "anna") == 0
    joints_mm = np.ones((6, 3, 3), np.float32)
    with Session("s") as session:
        session.set_references([1, 2, 3, 0], [0.5, 0.6, 0.7, 0.8])
        session.set_bones([0, 50, 30])
        session.put_result(StageResult("propagate", joints_mm, {}, {"revision": 2}))
        joints_mm[2, 1, 0] = np.nan
        session.put_result(StageResult("lift", joints_mm, {}, {"revision": 1}))
    capsys.readouterr()
    assert annotate("status", "s") == 0
    out = capsys.readouterr().out
    for line in (
        r"labels +2 frames \(anna 2\), revision 2",
        "chosen +4 frames, still to be labelled: 0 2-3",
        "bones +30.0 to 50.0 mm",
        "lift +5 frames, STALE: made from revision 1, and the labels and bones are at 2",
        "propagate +6 frames, STALE: made before lift",
        "optimize +not solved",
    ):
        assert re.search(line, out), out
    assert out.splitlines()[-1] == "s: 2 of 6 frames labelled"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "Found 'nothing', wanted one of new, import, labels, pictures, undo, redo, status"),
        (["label"], "Found 'label', wanted one of new"),
        (["new", "s", "a.zarr"], "s exists"),
        (["new", "t", "none.zarr"], "No dataset at none.zarr"),
        (["new", "t", "a.zarr", "--bones", "none.json"], "No file none.json"),
        (["new", "t", "a.zarr", "--bones", "short.json"], r"short.json: Found the bone lengths tip 1 mm"),
        (["new", "t", "bare.zarr", "--bones", "bones.json"], r"\['mid', 'tip'\], wanted names of 'hand21'"),
        (["new", "t", "bare.zarr", "--init-from-labels"], "bare.zarr has no joints_mm"),
        (["new", "t", "mixed.zarr"], "mixed.zarr is in no order"),
        (["import", "none", "one.json"], "none is not a session: found nothing"),
        (["import", "a.zarr", "one.json"], "a.zarr is not a session: found a folder without it"),
        (["import", "s", "none.json"], "No file none.json"),
        (["import", "s", "far.json"], "far.json: image 100: Found labels of frame 6, wanted 0 to 5"),
        (["import", "s", "empty.json"], "empty.json holds no annotations"),
        (["import", "s", "one.json", "--who", ""], "empty --who"),
        (["labels", "s", "out.json"], "s has no labels yet"),
        (["status", "none"], "none is not a session"),
        (["undo"], "session"),
    ],
)  # fmt: skip
def test_mistakes_are_explained(capsys, words, message):
    session_of_three()
    write_unlabelled("bare.zarr", skeleton=HAND21)
    write_unlabelled("mixed.zarr", frame=[0, 1, 1, 2, 3, 4])
    Path("short.json").write_text('{"mid": 50, "tip": 1}')
    write_file("one.json", [0])
    write_file("far.json", [6])
    write_file("empty.json", [0], annotations=[])
    assert annotate(*words) == 2
    err = capsys.readouterr().err
    assert re.search(message, err), err
    assert "Traceback" not in err
    assert not Path("t").exists()
    assert not Path("out.json").exists()


def test_help_lists_the_words(capsys):
    assert annotate("--help") == 0
    out = capsys.readouterr().out
    assert re.search(r"  import +Label frames with a file", out)
    assert main(["--help"]) == 0
    assert re.search(r"  annotate +Label a few frames", capsys.readouterr().out)


def test_a_user_without_a_name_is_a_number(monkeypatch, capsys):
    def nameless():
        raise KeyError("getpwuid(): uid not found: 4242")

    session_of_three()
    write_file("one.json", [0])
    monkeypatch.setattr(getpass, "getuser", nameless)
    monkeypatch.setattr("os.getuid", lambda: 4242)
    assert annotate("import", "s", "one.json") == 0
    with Session("s") as session:
        assert [edit.who for edit in session.history(0)] == ["4242"]
