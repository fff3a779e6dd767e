import json
import shutil
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import zarr
from killing import ENVIRONMENT
from labelled_sequence import CAMERA, THREE, three_joints, write_sequence, write_unlabelled

from refiner.annotate.sessions.labels import FrameLabels
from refiner.annotate.sessions.session import Session
from refiner.annotate.sessions.session_file import VERSION
from refiner.datasets.store import DepthStore, store_digest
from refiner.datasets.store_writer import StoreWriter
from refiner.errors import (
    DatasetNotFoundError,
    IncompleteStoreError,
    LabelError,
    OutputExistsError,
    SessionError,
    StoreError,
)
from refiner.hand.skeleton import HAND21

NAN = np.nan
BONES = [NAN, 50.0, 30.0]


def at(frame, u=3.0):
    return FrameLabels(frame, np.array([(u, 2), (NAN, NAN), (5, 6)]), np.array([2, 0, 1], np.int8), ((0, 2),))


@pytest.fixture
def session():
    write_sequence("a.zarr")
    with Session.create("s", "a.zarr", BONES) as made:
        yield made


def test_a_session_knows_its_store(session):
    with Session("s") as opened:
        assert opened.store.path == Path("a.zarr").absolute()
        assert (opened.path, opened.frames, opened.skeleton, opened.revision) == (Path("s"), 6, THREE, 0)
        assert opened.cameras.dtype == np.float64
        np.testing.assert_allclose(opened.cameras, [CAMERA] * 6)
        assert opened.depth_mm(5).dtype == np.float32
        np.testing.assert_array_equal(opened.depth_mm(5), np.full((32, 32), 700))
        np.testing.assert_array_equal(opened.bones_mm, BONES)
        assert (opened.labels(0), opened.all_labels(), opened.references()) == (None, [], [])
    assert sorted(path.name for path in Path().iterdir()) == ["a.zarr", "s"]


def test_it_can_be_opened_from_another_folder(session, tmp_path, monkeypatch):
    Path("elsewhere").mkdir()
    monkeypatch.chdir("elsewhere")
    with Session(tmp_path / "s") as opened:
        assert opened.frames == 6


def test_bones_may_come_later(session):
    with Session.create("other", "a.zarr") as other:
        assert other.bones_mm is None
        other.set_bones([99, 40, 20])
        assert other.revision == 1
        with pytest.raises(LabelError, match="tip 2 mm"):
            other.set_bones([NAN, 40, 2])
    with Session("other") as other:
        np.testing.assert_array_equal(other.bones_mm, [NAN, 40, 20])
        assert other.revision == 1


def test_known_joints_become_labels_and_lengths():
    joints_mm = three_joints(4)
    joints_mm[1, 2] = NAN
    write_sequence("a.zarr", count=4, joints_mm=joints_mm)
    with Session.create("s", "a.zarr", from_labels=True) as session:
        np.testing.assert_allclose(session.bones_mm, BONES)
        assert session.labelled_frames() == session.references() == [0, 1, 2, 3]
        first, second = session.labels(0), session.labels(1)
        np.testing.assert_allclose(first.uv_px[0], CAMERA[2:])
        np.testing.assert_array_equal(first.flag, [2, 2, 1])
        assert first.nearer == ((1, 2),)
        np.testing.assert_array_equal(second.flag, [2, 2, 0])
        assert [edit.who for edit in session.history(0)] == ["store"]
    with Session.create("given", "a.zarr", [NAN, 40, 20], from_labels=True) as session:
        np.testing.assert_array_equal(session.bones_mm, [NAN, 40, 20])


def test_frames_chosen_or_labelled_are_references(session):
    session.set_references([4, 1], [0.5, 1.0])
    assert json.loads(Path("s/references.json").read_text()) == {"frames": [4, 1], "coverage": [0.5, 1.0]}
    session.put_labels([at(2), at(4)], "anna")
    assert session.references() == [1, 2, 4]
    assert session.chosen() == [4, 1]
    session.delete_labels(2, "anna")
    assert Session("s").references() == [1, 4]
    with pytest.raises(SessionError, match=r"found the frames \[6\], wanted 0 to 5"):
        session.set_references([0, 6], [0.5, 1.0])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[1, 2]", r"found \[1, 2\], wanted"),
        ('{"frames": [1.5]}', r"found {'frames': \[1.5\]}, wanted"),
        ('{"frames": [9]}', r"found the frames \[9\], wanted 0 to 5"),
        ("frames", "not JSON"),
    ],
)
def test_a_broken_choice_is_said(session, text, message):
    Path("s/references.json").write_text(text)
    with pytest.raises((SessionError, LabelError), match=message):
        session.references()


@pytest.mark.parametrize(
    "ask", [lambda s: s.labels(6), lambda s: s.history(-1), lambda s: s.depth_mm(6), lambda s: s.delete_labels(7, "a")]
)
def test_frames_that_do_not_exist_are_refused(session, ask):
    with pytest.raises(SessionError, match="s: found the frames .*wanted 0 to 5"):
        ask(session)


def test_labels_that_make_no_sense_change_nothing(session):
    session.put_labels([at(0)], "anna")
    wild = FrameLabels(1, np.full((3, 2), 40.0), np.full(3, 2, np.int8))
    for labels, message in (([at(1), wild], "40, 40"), ([at(1), at(1)], r"two labels of the frames \[1\]")):
        with pytest.raises(LabelError, match=message):
            session.put_labels(labels, "anna")
    assert (session.labelled_frames(), session.revision) == ([0], 1)
    session.put_labels([], "anna")
    assert session.revision == 1


def test_nothing_is_overwritten(session):
    Path("notes").write_text("years")
    for path in ("s", "notes", "a.zarr"):
        with pytest.raises(OutputExistsError, match=f"{path} exists"):
            Session.create(path, "a.zarr")
    assert Path("notes").read_text() == "years"


def test_a_session_that_cannot_be_made_leaves_nothing():
    write_unlabelled("a.zarr")
    with pytest.raises(LabelError, match=r"shape \(3,\), wanted \(21,\)"):
        Session.create("s", "a.zarr", BONES)
    with pytest.raises(StoreError, match="no joints_mm"):
        Session.create("s", "a.zarr", from_labels=True)
    with pytest.raises(StoreError, match="no joints_mm"):
        Session.create("s", "a.zarr", np.full(21, 30), from_labels=True)
    with pytest.raises(DatasetNotFoundError):
        Session.create("s", "none.zarr")
    assert [path.name for path in Path().iterdir()] == ["a.zarr"]


def test_a_kill_while_it_is_made_leaves_nothing_by_its_name():
    write_sequence("a.zarr")
    script = (
        "import os, pathlib, signal\n"
        "from refiner.annotate.sessions.session import Session\n"
        "pathlib.Path.rename = lambda *_: os.kill(os.getpid(), signal.SIGKILL)\n"
        "Session.create('s', 'a.zarr', from_labels=True)"
    )
    done = subprocess.run([sys.executable, "-c", script], env=ENVIRONMENT, check=False)
    assert done.returncode == -signal.SIGKILL
    assert not Path("s").exists()
    with Session.create("s", "a.zarr", from_labels=True) as session:
        assert len(session.labelled_frames()) == 6


def test_stores_that_are_not_ready_are_refused():
    writer = StoreWriter("half.zarr", count=4, size=8, depth_unit_mm=1, provenance={"command": "make"}, arrays={})
    assert writer.missing()
    with pytest.raises(IncompleteStoreError, match="make"):
        Session.create("s", "half.zarr")
    write_unlabelled("a.zarr", frame=[0, 1, 2, 4, 3, 5])
    with pytest.raises(StoreError, match="in no order"):
        Session.create("s", "a.zarr")


def test_a_store_without_joints_says_which_it_is_meant_for():
    write_sequence("three.zarr", joints_mm=None, skeleton=THREE)
    del zarr.open_group("three.zarr", mode="r+")["joints_mm"]
    assert Session.create("s", "three.zarr").skeleton == THREE
    write_unlabelled("a.zarr", skeleton=None)
    assert Session.create("t", "a.zarr").skeleton == HAND21


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: None, "s is not a session: found nothing"),
        (lambda: Path("s").write_text("text"), "s is not a session: found a file"),
        (lambda: Path("s").mkdir(), "s is not a session: found a folder without it"),
        (lambda: database(b"text " * 1000), "session.sqlite: file is not a database: it is not a database"),
        (lambda: database(b""), "found a database of another program"),
        (lambda: foreign(), "found a database of another program"),
    ],
)
def test_what_is_no_session_is_said(make, message):
    make()
    with pytest.raises(SessionError, match=message):
        Session("s")


def database(content):
    Path("s").mkdir()
    Path("s/session.sqlite").write_bytes(content)


def foreign():
    Path("s").mkdir()
    connection = sqlite3.connect("s/session.sqlite")
    connection.execute("CREATE TABLE cookies (name TEXT)")
    connection.execute("PRAGMA user_version = 1")
    connection.close()


def test_a_session_of_a_newer_version_is_refused(session):
    session.close()
    connection = sqlite3.connect("s/session.sqlite")
    connection.execute(f"PRAGMA user_version = {VERSION + 1}")
    connection.close()
    with pytest.raises(SessionError, match=f"found a session of format {VERSION + 1}, wanted {VERSION} or older. Up"):
        Session("s")


def test_a_store_that_moved_is_missed_until_it_is_back(session):
    shutil.move("a.zarr", "b.zarr")
    with pytest.raises(SessionError, match=r"found nothing at .*a.zarr, wanted the store.*symbolic link"):
        Session("s")
    Path("a.zarr").symlink_to("b.zarr")
    with Session("s") as opened:
        assert opened.frames == 6


def test_a_store_that_changed_is_refused(session):
    was = store_digest(Path("a.zarr"))
    shutil.rmtree("a.zarr")
    write_sequence("a.zarr", command="make otherwise")
    now = DepthStore("a.zarr").digest()
    with pytest.raises(SessionError, match=f"digest {now}, wanted {was}: the store has changed"):
        Session("s")
    shutil.rmtree("a.zarr")
    write_sequence("a.zarr")
    assert Session("s").frames == 6
