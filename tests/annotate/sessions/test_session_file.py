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
from refiner.annotate.sessions.session_file import filesystem_of
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
