import re
import signal
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from killing import ENVIRONMENT
from labelled_sequence import write_sequence

from refiner.annotate.sessions import session_file
from refiner.annotate.sessions.labels import FrameLabels
from refiner.annotate.sessions.session import Session
from refiner.annotate.sessions.session_file import APPLICATION, VERSION, filesystem_of
from refiner.datasets.store import DepthStore
from refiner.errors import SessionError

WRITE = """
import sys
import numpy as np
from refiner.annotate.sessions.labels import FrameLabels
from refiner.annotate.sessions.session import Session

who, count = sys.argv[1], int(sys.argv[2])
with Session("s") as session:
    sys.stdin.readline()
    for k in range(count):
        labels = [FrameLabels(f, np.full((3, 2), k % 31 + f / 8), np.full(3, 2, np.int8)) for f in (k % 6, (k + 1) % 6)]
        session.put_labels(labels, who, str(k))
        print(k, flush=True)
"""


VERSION_1 = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT);
CREATE TABLE edits (edit INTEGER PRIMARY KEY AUTOINCREMENT, who TEXT NOT NULL, note TEXT NOT NULL);
CREATE TABLE versions (
    edit INTEGER NOT NULL REFERENCES edits, frame INTEGER NOT NULL, labels TEXT, before INTEGER,
    PRIMARY KEY (edit, frame)
);
CREATE TABLE shown (frame INTEGER PRIMARY KEY, edit INTEGER NOT NULL);
CREATE TABLE log (
    step INTEGER PRIMARY KEY AUTOINCREMENT, frame INTEGER NOT NULL, edit INTEGER, who TEXT NOT NULL,
    at TEXT NOT NULL, note TEXT NOT NULL
);
CREATE INDEX log_of_frame ON log (frame);
CREATE TABLE undone (
    step INTEGER PRIMARY KEY AUTOINCREMENT, who TEXT NOT NULL, edit INTEGER NOT NULL, frames TEXT NOT NULL
);
CREATE TABLE results (stage TEXT PRIMARY KEY, step INTEGER NOT NULL, info TEXT NOT NULL, arrays BLOB NOT NULL);
INSERT INTO edits (who, note) VALUES ('anna', 'first');
INSERT INTO versions VALUES
    (1, 2, '{"uv_px": [[1.5, 2.0], null, [3.0, 4.0]], "flag": [2, 0, 1], "nearer": [[0, 2]]}', NULL);
INSERT INTO shown VALUES (2, 1);
INSERT INTO log (frame, edit, who, at, note) VALUES (2, 1, 'anna', '2026-01-31T12:00:00.000+00:00', 'first');
PRAGMA user_version = 1;
"""

OPEN = """
import sys
from refiner.annotate.sessions.session import Session

sys.stdin.readline()
with Session("s") as session:
    session.checks.put(int(sys.argv[1]), "anna", session.store.read("joints_mm", 0, 1)[0])
    print(session.labelled_frames(), flush=True)
"""


@pytest.fixture
def session():
    write_sequence("a.zarr")
    with Session.create("s", "a.zarr") as made:
        yield made


def at(frame, u):
    return FrameLabels(frame, np.full((3, 2), float(u)), np.full(3, 2, np.int8))


def writer(who, count):
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    return subprocess.Popen([sys.executable, "-c", WRITE, who, str(count)], env=ENVIRONMENT, **pipes)


def start(process):
    process.stdin.write("go\n")
    process.stdin.flush()


@pytest.mark.parametrize("lines", [1, 7, 40])
def test_a_kill_loses_nothing_that_was_reported(session, lines):
    with writer("anna", 100_000) as process:
        start(process)
        for _ in range(lines):
            process.stdout.readline()
        process.send_signal(signal.SIGKILL)
        reported = lines + len(re.findall(r"\d+\n", process.stdout.read()))
        assert process.wait() == -signal.SIGKILL
    with Session("s") as opened:
        done = opened.revision
        assert done in (reported, reported + 1)  # killed between the commit and the report, at most one
        for frame in range(6):
            edits = opened.history(frame)
            assert [int(edit.note) for edit in edits] == [k for k in range(done) if frame in (k % 6, (k + 1) % 6)]
            for edit in edits:
                np.testing.assert_array_equal(edit.labels.uv_px, np.full((3, 2), int(edit.note) % 31 + frame / 8))
        assert opened.edits._file.rows("PRAGMA integrity_check") == [("ok",)]
        opened.undo("anna")
        assert opened.revision == done + 1


def test_two_write_at_once(session):
    count = 60
    with writer("anna", count) as anna, writer("ben", count) as ben:
        start(anna), start(ben)
        for process in (anna, ben):
            assert process.stdout.read().split() == [str(k) for k in range(count)]
            assert process.wait() == 0
    assert session.revision == 2 * count
    for who in ("anna", "ben"):
        notes = sorted(int(edit.note) for frame in range(6) for edit in session.history(frame) if edit.who == who)
        assert notes == sorted([*range(count)] * 2)


def test_threads_share_a_session(session):
    def write(who):
        for k in range(20):
            session.put_labels([at(k % 6, k)], who)
            assert session.labels(k % 6) is not None

    threads = [threading.Thread(target=write, args=(who,)) for who in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert session.revision == 80


def test_questions_together_are_asked_of_one_state(session):
    with Session("s") as other:
        with session.reading():
            assert session.revision == 0  # the first question takes the state
            other.put_labels([at(0, 1)], "anna")
            assert (session.revision, session.labelled_frames()) == (0, [])
        assert (session.revision, session.labelled_frames()) == (1, [0])
        with pytest.raises(ArithmeticError), session.reading():
            raise ArithmeticError
        session.put_labels([at(1, 1)], "ben")  # it may be changed again
        assert other.revision == 2


def test_what_fails_inside_changes_nothing(session):
    def fail():
        with session._file.transaction() as database:
            database.execute("UPDATE meta SET value = '9' WHERE key = 'revision'")
            raise ArithmeticError

    with pytest.raises(ArithmeticError):
        fail()
    assert session.revision == 0
    session.put_labels([at(0, 1)], "anna")
    assert session.revision == 1


def test_waiting_for_another_writer_ends(session, monkeypatch):
    monkeypatch.setattr(session_file, "BUSY_S", 0.05)
    with Session("s") as second, session._file.transaction():
        assert second.labels(0) is None  # who reads does not wait
        with pytest.raises(SessionError, match="database is locked: another process has been writing"):
            second.put_labels([at(0, 1)], "anna")
    assert session.labelled_frames() == []


def test_a_damaged_file_is_said(session):
    session.put_labels([at(0, 1)], "anna")
    session.close()
    file = Path("s/session.sqlite")
    content = file.read_bytes()
    file.write_bytes(content[:4096] + b"\xff" * (len(content) - 4096))
    with pytest.raises(SessionError, match=r"session.sqlite: .*it is damaged. Restore it"):
        Session("s").all_labels()


def test_the_log_is_written_ahead_and_folded_away(session, capsys):
    assert session._file.rows("PRAGMA journal_mode") == [("wal",)]
    assert session._file.rows("PRAGMA synchronous") == [(2,)]
    session.put_labels([at(0, 1)], "anna")
    session.close()
    assert [path.name for path in Path("s").iterdir()] == ["session.sqlite"]
    assert capsys.readouterr().err == ""


def without_shared_memory(monkeypatch):
    connect = sqlite3.connect
    monkeypatch.setattr(
        session_file.sqlite3, "connect", lambda path, **more: connect(f"file:{path}?vfs=unix-dotfile", uri=True, **more)
    )


def on_a_network(monkeypatch):
    monkeypatch.setattr(session_file, "filesystem_of", lambda _: "nfs4")


@pytest.mark.parametrize("there", [without_shared_memory, on_a_network])
def test_where_no_log_can_be_written_ahead_it_works_and_says_so(there, monkeypatch, capsys):
    there(monkeypatch)
    write_sequence("a.zarr")
    with Session.create("s", "a.zarr") as session:
        assert session._file.rows("PRAGMA journal_mode") == [("delete",)]
        session.put_labels([at(0, 1)], "anna")
    assert "s/session.sqlite: this file system cannot keep a write-ahead log" in capsys.readouterr().err
    with Session("s") as session:
        assert session.labelled_frames() == [0]


def test_the_innermost_mount_counts(tmp_path):
    mounts = tmp_path / "mounts"
    lab, deep, spaced = tmp_path / "lab", tmp_path / "lab/scratch/s", tmp_path / "a b"
    mounts.write_text(
        f"/dev/sda / ext4 rw 0 0\nserver:/lab {lab} nfs4 rw 0 0\n/dev/sdb {lab}/scratch xfs rw 0 0\n"
        f"//win/share {str(spaced).replace(' ', chr(92) + '040')} cifs rw 0 0\n"
    )
    assert [filesystem_of(path, mounts) for path in (lab, lab / "x", deep, tmp_path / "laboratory", spaced)] == [
        "nfs4", "nfs4", "xfs", "ext4", "cifs",
    ]  # fmt: skip
    assert filesystem_of(lab, tmp_path / "none") == ""


@pytest.fixture
def old():
    """A session as the first version left it."""
    write_sequence("a.zarr")
    Path("s").mkdir()
    connection = sqlite3.connect("s/session.sqlite")
    connection.execute("PRAGMA journal_mode = wal")
    connection.executescript(VERSION_1)
    meta = {"store": str(Path("a.zarr").absolute()), "digest": DepthStore("a.zarr").digest(), "revision": "1"}
    connection.executemany("INSERT INTO meta VALUES (?, ?)", (meta | {"bones_mm": None}).items())
    connection.execute(f"PRAGMA application_id = {APPLICATION}")
    connection.commit()
    connection.close()


def test_a_session_of_the_first_version_is_brought_up(old):
    for _ in range(2):
        with Session("s") as session:
            assert session._file.rows("PRAGMA user_version") == [(VERSION,)]
            assert (session.labelled_frames(), session.revision, session.bones_mm) == ([2], 1, None)
            labels = session.labels(2)
            np.testing.assert_array_equal(labels.uv_px, [(1.5, 2), (np.nan, np.nan), (3, 4)])
            assert (labels.flag.tolist(), labels.nearer) == ([2, 0, 1], ((0, 2),))
            assert [(edit.who, edit.note) for edit in session.history(2)] == [("anna", "first")]
    with Session("s") as session:
        assert (session.checks.all(), session.checks.revision) == ([], 0)
        session.checks.put(2, "ben", np.zeros((3, 3)))
        assert session.undo("anna") == 2
    with Session("s") as session:
        assert ([one.who for one in session.checks.all()], session.checks.revision) == (["ben"], 1)
    fresh = Session.create("fresh", "a.zarr")
    tables = "SELECT name, sql FROM sqlite_master WHERE name NOT LIKE 'sqlite%' ORDER BY name"
    with Session("s") as session, fresh:  # as if it had always been of this version
        assert session._file.rows(tables) == fresh._file.rows(tables)
        assert [key for (key,) in session._file.rows("SELECT key FROM meta ORDER BY key")] == [
            key for (key,) in fresh._file.rows("SELECT key FROM meta ORDER BY key")
        ]


def test_two_processes_bring_it_up_at_once(old):
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    both = [subprocess.Popen([sys.executable, "-c", OPEN, str(k)], env=ENVIRONMENT, **pipes) for k in range(2)]
    for process in both:
        start(process)
    for process in both:
        assert (process.communicate(timeout=60)[0], process.returncode) == ("[2]\n", 0)
    with Session("s") as session:
        assert [one.frame for one in session.checks.all()] == [0, 1]
        assert session.checks.revision == 2


def test_threads_bring_it_up_at_once(old):
    begin, found = threading.Barrier(4), []

    def bring_up():
        begin.wait()
        with Session("s") as session:
            found.append(session.labelled_frames())

    threads = [threading.Thread(target=bring_up) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [[2]] * 4


def test_a_file_that_a_newer_version_has_brought_up_meanwhile_is_left_alone(session):
    with Session("s") as other:
        other._file.rows(f"PRAGMA user_version = {VERSION + 1}")
        session._file._bring_up()
        assert other._file.rows("PRAGMA user_version") == [(VERSION + 1,)]


def test_a_failed_step_up_is_taken_back_whole(old, monkeypatch):
    changes = {2: ("CREATE TABLE checked (frame INTEGER)", "INSERT INTO nowhere VALUES (1)")}
    with monkeypatch.context() as patched:
        patched.setattr(session_file, "_NEWER", changes)
        with pytest.raises(sqlite3.OperationalError, match="nowhere"):
            Session("s")
    with Session("s") as session:
        assert (session.labelled_frames(), session.checks.all()) == ([2], [])
