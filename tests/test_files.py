import json
import os
from pathlib import Path

import pytest

from refiner.errors import OutputExistsError
from refiner.files import require_apart, write_atomically, write_json


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
