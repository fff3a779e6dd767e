import errno
import fcntl
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from killing import ENVIRONMENT

from refiner.errors import OutputExistsError
from refiner.files import (
    partial_file,
    partial_folder,
    remove,
    remove_abandoned,
    require_apart,
    write_atomically,
    write_json,
)


def test_an_interrupted_write_leaves_the_old_file_whole(monkeypatch):
    path = Path("folder/file")
    write_atomically(path, lambda file: file.write(b"old"))

    def fail(file):
        file.write(b"ne")
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        write_atomically(path, fail)
    assert path.read_bytes() == b"old"
    assert [path.name for path in path.parent.iterdir()] == ["file"]
    order = []
    monkeypatch.setattr(os, "fsync", lambda _: order.append("sync"))
    replace = os.replace
    monkeypatch.setattr(os, "replace", lambda a, b: (order.append("replace"), replace(a, b)))
    write_atomically(path, lambda file: file.write(b"new"))
    assert order == ["sync", "replace", "sync"]  # content, name, folder
    assert path.read_bytes() == b"new"


def test_json_is_for_people_too():
    write_json(Path("a.json"), {"a": [1]})
    text = Path("a.json").read_text()
    assert json.loads(text) == {"a": [1]}
    assert text.count("\n") > 1
    assert text.endswith("}\n")


@pytest.mark.parametrize(
    ("out", "source", "inside", "harms"),
    [
        ("a", "a", False, True),
        ("a", "a", True, True),
        ("a", "a/b", True, True),
        ("a/b", "a", False, True),
        ("a/b", "a", True, False),
        ("ab", "a", False, False),
        ("b/../a", "a", False, True),
    ],
)
def test_an_output_must_not_lie_where_its_source_lies(out, source, inside, harms):
    if not harms:
        require_apart(Path(out), "the set", Path(source), inside=inside)
        return
    with pytest.raises(OutputExistsError, match=f"^{out} would lie where the set lies, {source}. Give another name.$"):
        require_apart(Path(out), "the set", Path(source), inside=inside)


def leave_partial(name):
    """Begin to write a file in a process that is killed there; give what it left."""
    script = (
        "import os, signal; from pathlib import Path; from refiner.files import partial_file\n"
        f"with partial_file(Path({name!r})) as file:\n"
        "    file.write(b'half'); file.flush(); os.kill(os.getpid(), signal.SIGKILL)"
    )
    assert subprocess.run([sys.executable, "-c", script], env=ENVIRONMENT).returncode == -signal.SIGKILL
    (left,) = (path for path in Path().iterdir() if path.name.startswith(f".{name}."))
    assert left.read_bytes() == b"half"
    return left


def test_what_a_killed_process_left_goes_and_what_is_being_written_stays():
    ours, other = leave_partial("a[1].json"), leave_partial("b.json")
    with partial_file(Path("a[1].json")) as file:  # in the middle of it another write of the same file begins and ends
        write_json(Path("a[1].json"), "other")
        file.write(b"mine")
    assert Path("a[1].json").read_bytes() == b"mine"
    assert not ours.exists()
    assert other.exists()  # of another file
    remove_abandoned(Path())
    assert [path.name for path in Path().iterdir()] == ["a[1].json"]


def test_where_locks_do_not_exist_nothing_is_taken_for_abandoned(monkeypatch):
    Path(".a.12345678.partial").write_bytes(b"whose?")

    def unsupported(*_):
        raise OSError(errno.ENOTSUP, "not supported")

    monkeypatch.setattr(fcntl, "flock", unsupported)
    write_json(Path("a"), 1)
    assert sorted(path.name for path in Path().iterdir()) == [".a.12345678.partial", "a"]


def test_a_folder_is_there_whole_or_not_at_all(tmp_path):
    with partial_folder(tmp_path / "deep/new") as folder:
        (folder / "a").write_text("a")
        assert not (tmp_path / "deep/new").exists()
    assert [path.name for path in (tmp_path / "deep/new").iterdir()] == ["a"]
    with pytest.raises(ZeroDivisionError), partial_folder(tmp_path / "deep/other"):
        _ = 1 / 0
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["new"]


def test_files_and_folders_are_removed(tmp_path):
    (tmp_path / "folder/below").mkdir(parents=True)
    (tmp_path / "file").touch()
    remove(tmp_path / "folder")
    remove(tmp_path / "file")
    assert not list(tmp_path.iterdir())
