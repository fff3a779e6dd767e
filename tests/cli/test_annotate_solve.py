"""From a sequence to a labelled set by the command line, on the frames that ship with the project."""

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from shipped_session import FRAMES, labelled_session, write_cut

from refiner.annotate.sessions.session import Session
from refiner.cli import annotate_solve
from refiner.cli.main import main
from refiner.cli.progress import Progress
from refiner.datasets.store import DepthStore

HOG = ("--descriptor", "hog")


def annotate(*words):
    return main(["annotate", *map(str, words)])


def lines(capsys):
    return capsys.readouterr().out.splitlines()


@pytest.fixture(scope="module")
def solved(tmp_path_factory):
    """A session of 20 frames, 5 of them labelled, that the command has solved."""
    path = labelled_session(tmp_path_factory.mktemp("solved"))
    assert annotate("solve", path, *HOG) == 0
    return path


@pytest.fixture
def copy(solved, tmp_path):
    return Path(shutil.copytree(solved, tmp_path / "session"))


def truth(solved):
    return solved.parent / "truth.zarr"


def test_the_whole_life(capsys):
    write_cut("truth.zarr")
    assert annotate("new", "s", "truth.zarr") == 0
    assert annotate("select", "s", "--budget", "0.2", *HOG) == 0
    *_, told, last = lines(capsys)
    chosen = json.loads(Path("s/references.json").read_text())
    assert last == "reference frames: " + " ".join(map(str, sorted(chosen["frames"])))
    assert told.startswith("s/references.json: 4 frames, ")
    assert len(chosen["coverage"]) == len(chosen["frames"]) == 4
    assert Path("s/references.png").stat().st_size > 1000
    assert annotate("next", "s") == 0
    assert lines(capsys)[-1] == f"next frame: {chosen['frames'][0]}"
    assert annotate("simulate", "s", "truth.zarr", "--noise-px", "0.5", *HOG) == 0
    assert lines(capsys)[-1] == "s: labels of 4 frames"
    assert annotate("bones", "s", "--out", "bones.json", "--overwrite") == 0
    *each, last = lines(capsys)
    assert last == "bones.json: lengths of 20 bones"
    assert len(each) == 20
    assert len(json.loads(Path("bones.json").read_text())) == 20
    assert annotate("solve", "s", *HOG) == 0
    assert lines(capsys)[-1] == f"s: solved lift, propagate, optimize of {FRAMES} frames"
    assert annotate("next", "s", "--count", "2", "--doubts", "3") == 0
    told = lines(capsys)
    assert sum(line.startswith("frame ") for line in told) <= 3
    assert told[-1].startswith("next frame: ")
    assert annotate("evaluate", "s", "truth.zarr", "--out", "e.json") == 0
    stages = json.loads(Path("e.json").read_text())["stages"]
    assert lines(capsys)[-1] == "e.json: 3 stages"
    assert stages["lift"]["frames"] == 4
    assert stages["optimize"]["frames"] == FRAMES
    assert stages["optimize"]["mean_mm"] < stages["propagate"]["closest_reference"]["mean_mm"]
    assert annotate("export", "s", "out.zarr") == 0
    assert lines(capsys)[-1] == f"out.zarr: {FRAMES} labelled frames"
    assert len(DepthStore("out.zarr")) == FRAMES


def test_equal_spacing_is_the_baseline(capsys):
    write_cut("truth.zarr")
    assert annotate("new", "s", "truth.zarr") == 0
    assert annotate("select", "s", "--descriptor", "equal", "--budget", "4", "--out", "r.json") == 0
    assert lines(capsys)[-1] == "reference frames: 2 7 12 17"
    assert annotate("select", "s", "--descriptor", "equal", "--budget", "4", "--out", "r.json") == 2
    assert "r.json exists" in capsys.readouterr().err


def test_stages_one_by_one(solved, copy, capsys):
    with Session(copy) as session, Session(solved) as first:
        session.set_bones(session.bones_mm)  # all is out of date
        for stage in ("lift", "propagate", "optimize"):
            assert annotate("solve", copy, "--stages", stage, *HOG) == 0
            assert lines(capsys)[-1] == f"{copy}: solved {stage} of {FRAMES} frames"
            np.testing.assert_array_equal(session.result(stage).joints_mm, first.result(stage).joints_mm)


def test_corrections_are_counted_and_better_it(copy, solved, capsys):
    assert annotate("simulate", copy, truth(solved), "--correct", "1", *HOG) == 0
    told = [line for line in lines(capsys) if "joints" in line and "moved in" in line]
    assert told[0].startswith("0 joints (0.00%) moved in 0 frames; more than 17 mm off are ")
    assert f"of {FRAMES * 21}" in told[0]
    assert len(told) <= 2


def test_conflicts_are_told_by_name(copy, capsys):
    with Session(copy) as session:
        labels = session.labels(9)
        labels.uv_px[8] += 12
        session.put_labels([labels], "anna")
    assert annotate("solve", copy, "--stages", "lift", *HOG) == 0
    told = [line for line in lines(capsys) if line.startswith("frame 9: the click on index_tip lies ")]
    (off,) = re.findall(r"lies (\d+\.\d) px from where the other labels, the depth and the bone lengths put it$", *told)
    assert 3 < float(off) < 25  # it was moved by 12 px each way; 4 deviations are 4 px or 6


def test_a_solve_of_what_is_solved_says_so(copy, capsys):
    assert annotate("solve", copy, *HOG) == 0
    said = capsys.readouterr()
    for stage in ("lift", "propagate", "optimize"):
        assert re.search(rf"^{stage}: .* s.*, nothing had to be solved anew$", said.out, re.MULTILINE), said.out
    assert "0 of 0" not in said.err


def test_next_after_a_change_says_why_no_joints_are_judged(copy, capsys):
    with Session(copy) as session:
        session.set_references([3], [1.0])
        session.put_labels([replace(session.labels(5), frame=6)], "anna")
    assert annotate("next", copy) == 0
    *told, last = lines(capsys)
    assert last == "next frame: 3"
    assert "no solved joints are judged, as the solve is out of date: made from revision" in "\n".join(told)
    assert f"`refiner annotate solve {copy}`" in told[-1]


def test_frames_that_fit_badly_are_named_in_words(copy, capsys):
    assert annotate("next", copy) == 0
    assert "no frame fits the labels and maps badly (at more than 3 times the usual cost)" in lines(capsys)
    with Session(copy) as session:
        result = session.result("optimize")
        result.numbers["cost"][[3, 7]] = np.array([4.0, 9.0]) * np.median(result.numbers["cost"])
        session.put_result(result)
    assert annotate("next", copy) == 0
    assert "frames whose joints fit the labels and maps badly, at more than 3 times the usual cost: 7 3" in lines(
        capsys
    )


def test_a_pose_that_was_looked_at_and_taken_back_is_exported(copy, capsys):
    with Session(copy) as session:
        session.put_labels([replace(session.labels(5), frame=6)], "anna")
    assert annotate("undo", copy, "--who", "anna") == 0
    assert annotate("export", copy, "out.zarr") == 0
    assert lines(capsys)[-1] == f"out.zarr: {FRAMES} labelled frames"


def test_the_sessions_own_labels_put_nothing_out_of_date(copy, capsys):
    assert annotate("pictures", copy, "pics") == 0
    assert annotate("import", copy, "pics") == 0  # the folder as it was written, with pixel centres at halves
    assert "COCO keypoints" in capsys.readouterr().out
    assert annotate("export", copy, "out.zarr") == 0


def test_labels_put_in_during_a_solve_are_told_of(copy, capsys, monkeypatch):
    class Meanwhile(Progress):
        def __enter__(self):
            with Session(copy) as other:
                other.delete_labels(5, "anna")
            return super().__enter__()

    monkeypatch.setattr(annotate_solve, "Progress", Meanwhile)
    assert annotate("solve", copy, *HOG) == 0
    *_, told, last = lines(capsys)
    with Session(copy) as session:
        now = session.revision
    assert told.startswith("labels or bones have changed meanwhile (made from revision ")
    assert told.endswith(f" are at {now}); solve again to follow the change")
    assert last == f"{copy}: solved lift, propagate, optimize of {FRAMES} frames"
    assert annotate("solve", copy, *HOG) == 0
    assert not any("meanwhile" in line for line in lines(capsys))


def test_a_joint_that_makes_no_sense_is_not_believed_and_named(copy, solved, capsys):
    true_mm = DepthStore(truth(solved)).read("joints_mm")[9]
    with Session(copy) as session:
        labels = session.labels(9)
        labels.uv_px[[8, 12]], labels.flag[[8, 12]] = 0.0, 2  # as tools write joints that nobody clicked
        session.put_labels([labels], "anna")
        before = session.result("lift").joints_mm[9]
    assert annotate("solve", copy, "--stages", "lift", *HOG) == 0
    told = lines(capsys)
    for name in ("index_tip", "middle_tip"):
        assert any(line.startswith(f"not believed frame 9 {name}: visible, but the nearest reading") for line in told)
    assert any(
        line.startswith("lift: ") and line.endswith(", 0 conflicts of labels, 2 labels not believed") for line in told
    )
    with Session(copy) as session:
        result = session.result("lift")
        assert [(one["frame"], one["joint"]) for one in result.info["not_believed"]] == [
            (9, "index_tip"),
            (9, "middle_tip"),
        ]
        assert session.labels(9).uv_px[8, 0] == 0  # it stays as the person put it in
    others = [k for k in range(21) if k not in (8, 12)]
    error_mm = np.linalg.norm(result.joints_mm[9] - true_mm, axis=-1)
    # Without the two clicks the other joints are as before; with them they were pulled to the corner, 130 mm away.
    assert error_mm[others].mean() < np.linalg.norm(before - true_mm, axis=-1)[others].mean() + 1
    assert error_mm[[8, 12]].max() < 49  # the last bones are 24.2 mm: wherever they point, twice that is the most


def test_bones_do_not_believe_them_either(copy, capsys):
    def lengths():
        assert annotate("bones", copy, "--out", "bones.json", "--overwrite") == 0
        return json.loads(Path("bones.json").read_text())

    before = lengths()
    with Session(copy) as session:
        changed = [session.labels(frame) for frame in session.labelled_frames()[:3]]
        for labels in changed:
            labels.uv_px[8], labels.flag[8] = 0.0, 2
        session.put_labels(changed, "anna")
    after = lengths()
    assert abs(after["index_tip"] - before["index_tip"]) < 4  # from two frames instead of five
    assert {name: length for name, length in after.items() if name != "index_tip"} == {
        name: length for name, length in before.items() if name != "index_tip"
    }


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("solve", "SESSION", "--stages", "polish"), "Found the stages polish, wanted some of lift,propagate,optimize"),
        (("solve", "nowhere"), "is not a session"),
        (("evaluate", "SESSION", "nowhere.zarr", "--out", "e.json"), "nowhere.zarr"),
        (("evaluate", "SESSION", "TRUTH", "--out", "exists"), "exists. Give another name"),
        (("export", "SESSION", "exists"), "exists"),
        (("bones", "SESSION"), "has bone lengths already"),
        (("select", "SESSION", "--budget", "0"), "Found a budget of 0"),
    ],
)
def test_what_is_refused_is_said(words, message, copy, solved, capsys):
    Path("exists").mkdir()
    words = [{"SESSION": copy, "TRUTH": truth(solved)}.get(word, word) for word in words]
    assert annotate(*words) == 2
    assert message in capsys.readouterr().err


def test_an_out_of_date_session_is_not_exported(copy, capsys):
    with Session(copy) as session:
        session.delete_labels(5, "anna")
    assert annotate("export", copy, "out.zarr") == 2
    assert "out of date" in capsys.readouterr().err
    assert annotate("next", copy) == 2
    assert not Path("out.zarr").exists()
