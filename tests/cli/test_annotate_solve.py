"""From a sequence to a labelled set by the command line, on the frames that ship with the project."""

import json
import shutil
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
        labels.uv_px[8] = 127 - labels.uv_px[8]
        session.put_labels([labels], "anna")
    assert annotate("solve", copy, "--stages", "lift", *HOG) == 0
    assert any(line.startswith("conflict frame 9 joint index_tip what click") for line in lines(capsys))


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
