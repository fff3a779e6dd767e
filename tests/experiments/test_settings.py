import json
from pathlib import Path

import pytest

from experiments.settings import claim, digest
from refiner import __version__

OUT = Path("runs/x")


def test_the_same_settings_go_on_and_others_are_refused(capsys):
    settings = {"camera": "first", "share": 1.0, "seeds": (1, 2)}
    claim(OUT, settings)
    assert json.loads((OUT / "settings.json").read_text()) == {
        "version": __version__, "camera": "first", "share": 1.0, "seeds": [1, 2],
    }  # fmt: skip
    (OUT / "job.json").write_text("{}")
    claim(OUT, settings)
    with pytest.raises(SystemExit) as error:
        claim(OUT, settings | {"camera": "second"})
    assert error.value.code == 2
    assert "(camera: found 'first', wanted 'second'). Give another --out" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        claim(OUT, {"camera": "first", "share": 1.0})  # one less
    assert "seeds: found [1, 2], wanted None" in capsys.readouterr().err


def test_results_without_settings_are_nobodys(capsys):
    OUT.mkdir(parents=True)
    claim(OUT, {})  # empty
    (OUT / "settings.json").unlink()
    (OUT / "job.json").write_text("{}")
    with pytest.raises(SystemExit):
        claim(OUT, {})
    assert "nobody knows what they were made with" in capsys.readouterr().err


def test_a_digest_sees_names_and_content_and_not_where_a_folder_lies():
    for folder, name, text in (("a", "x", "1"), ("b", "x", "1"), ("c", "y", "1"), ("d", "x", "2")):
        Path(folder).mkdir()
        Path(folder, name).write_text(text)
    same, copy, renamed, other = (digest(Path(folder)) for folder in "abcd")
    assert same == copy
    assert len({same, renamed, other}) == 3
    assert digest(Path("a/x")) != digest(Path("d/x"))
