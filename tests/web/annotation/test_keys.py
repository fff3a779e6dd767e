import json

import pytest

from refiner.errors import UsageError
from refiner.web.annotation.keys import ACTIONS, KeyTables, mirrored, table_for


def keys_of(table):
    return {one.action: one.keys for one in table}


@pytest.mark.parametrize(
    ("key", "other"),
    [
        ("a", ";"), ("d", "k"), ("q", "p"), ("1", "0"), ("b", "n"), ("Shift+s", "Shift+l"), ("Shift+z", "?"),
        ("Ctrl+z", "Ctrl+z"), ("ArrowLeft", "ArrowLeft"), ("Enter", "Enter"), ("+", "+"), ("?", "?"),
    ],
)  # fmt: skip
def test_the_other_side_of_the_keyboard(key, other):
    assert mirrored(key) == other


@pytest.mark.parametrize("hand", ["left", "right"])
def test_no_key_does_two_things(hand):
    keys = [key for one in table_for(hand, {}) for key in one.keys]
    assert sorted({key for key in keys if keys.count(key) > 1}) == []


@pytest.mark.parametrize("hand", ["left", "right"])
def test_every_action_has_a_key(hand):
    assert [one.action for one in table_for(hand, {}) if not one.keys] == []


def test_a_person_keeps_their_keys_and_others_keep_theirs(tmp_path):
    KeyTables(tmp_path / "keys.json").set_hand("anna", "right")
    KeyTables(tmp_path / "keys.json").set_keys("anna", "undo", ["F2"])
    hand, table = KeyTables(tmp_path / "keys.json").of("anna")
    assert hand == "right"
    assert keys_of(table)["undo"] == ("F2",)
    assert keys_of(table)["next_frame"] == ("k",)
    assert KeyTables(tmp_path / "keys.json").of("bob") == ("left", ACTIONS)


def test_a_key_is_taken_from_the_action_that_had_it(tmp_path):
    tables = KeyTables(tmp_path / "keys.json")
    tables.set_keys("anna", "flip", ["d"])
    found = keys_of(tables.of("anna")[1])
    assert found["flip"] == ("d",)
    assert found["next_frame"] == ()
    tables.set_hand("anna", "left")
    assert tables.of("anna") == ("left", ACTIONS)


def test_unknown_actions_and_broken_files_are_refused(tmp_path):
    tables = KeyTables(tmp_path / "keys.json")
    with pytest.raises(UsageError, match="'dance'"):
        tables.set_keys("anna", "dance", ["d"])
    (tmp_path / "keys.json").write_text("{")
    with pytest.raises(UsageError, match="is not JSON"):
        tables.of("anna")


def test_the_file_lies_where_the_user_keeps_settings(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    KeyTables().set_keys("anna", "undo", ["u"])
    assert json.loads((tmp_path / "depth-refiner/keys.json").read_text()) == {
        "anna": {"hand": "left", "keys": {"undo": ["u"]}}
    }
