import errno

import pytest

from refiner.cli import main as cli
from refiner.cli.main import main
from refiner.errors import UsageError


def test_help_lists_every_verb(capsys):
    assert main(["--help"]) == 0
    shown = capsys.readouterr().out
    assert all(f"  {verb} " in shown for verb in cli.VERBS)


@pytest.mark.parametrize("verb", [name for name, verb in cli.VERBS.items() if not verb.own_parser])
def test_each_verb_explains_each_option(verb, capsys):
    with pytest.raises(SystemExit) as stop:
        main([verb, "--help"])
    assert stop.value.code == 0
    shown = capsys.readouterr().out
    assert "_" not in "".join(word for word in shown.split() if word.startswith("--"))
    assert "--overwrite" in shown


def test_version(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("depth-refiner ")


def test_no_words_is_a_usage_error(capsys):
    assert main([]) == 2
    assert "VERB" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["fly"], "Found the verb 'fly', wanted one of render, prepare"),
        (["render"], "out"),
        (["render", "a.zarr", "--cuont", "3"], "--cuont"),
        (["render", "a.zarr", "--count", "many"], "count"),
        (["inspect", "none.zarr"], "No dataset at none.zarr: found nothing"),
    ],
)
def test_bad_usage_is_one_paragraph_and_status_2(words, message, capsys):
    assert main(words) == 2
    captured = capsys.readouterr()
    assert message in captured.err
    assert captured.err.startswith(f"refiner {words[0]}: ")
    assert captured.err.count("\n") == 1
    assert captured.out == ""


def test_debug_shows_the_traceback():
    with pytest.raises(UsageError):
        main(["fly", "--debug"])


def _raise(error):
    raise error


def test_a_full_disk_is_explained(monkeypatch, capsys):
    monkeypatch.setattr(
        cli, "_run_verb", lambda *_: _raise(OSError(errno.ENOSPC, "No space left on device", "a/depth"))
    )
    assert main(["render", "a.zarr"]) == 2
    shown = capsys.readouterr().err
    assert "cannot write: No space left on device (a/depth)" in shown
    assert "run the same command again" in shown


def test_a_fault_of_the_program_keeps_its_traceback(monkeypatch):
    monkeypatch.setattr(cli, "_run_verb", lambda *_: _raise(KeyError("x")))
    with pytest.raises(KeyError):
        main(["render", "a.zarr"])
