"""Which key does what on the annotation page: the table, its mirror for the other hand, and each person's own.

Keys are named as the browser names them (`KeyboardEvent.key`), with what is held before them: "Shift+c", "Ctrl+z". The
table is made for a left hand on the keys, while the right one holds the mouse; mirrored it is for the other way round.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from refiner.errors import UsageError
from refiner.files import write_json

Hand = Literal["left", "right"]
"""The hand that lies on the keys."""


@dataclass(frozen=True)
class Action:
    """Something that a key does.

    Attributes:
        action: Its name, for the page and in files.
        group: Under which head it is shown.
        does: What it does, in words.
        keys: The keys that do it.
    """

    action: str
    group: str
    does: str
    keys: tuple[str, ...]


ACTIONS: tuple[Action, ...] = (
    Action("done", "Go on", "go on to the next frame that needs a person; a solved one is found right", ("Enter", "g")),
    Action("unchecked", "Go on", "a frame that was found right is not", ("Shift+Enter",)),
    Action("next_frame", "Go on", "next frame", ("d",)),
    Action("previous_frame", "Go on", "frame before", ("a",)),
    Action("next_reference", "Go on", "next chosen frame without labels", ("r",)),
    Action("next_doubt", "Go on", "next frame in doubt, the worst first", ("t",)),
    Action("next_unlabelled", "Go on", "next frame without labels", ("w",)),
    Action("last_edited", "Go on", "frame edited last", ("q",)),
    Action("jump", "Go on", "go to a frame by its number", ("Shift+g",)),
    Action("doubts", "Go on", "list of doubts", ("Shift+t",)),
    Action("visibility", "Joint", "visible, hidden, absent in turn", ("e",)),
    Action("visible", "Joint", "visible", ("1",)),
    Action("hidden", "Joint", "hidden", ("2",)),
    Action("absent", "Joint", "absent", ("3", "Backspace")),
    Action("flip", "Joint", "nearer or farther than its parent", ("f",)),
    Action("skip", "Joint", "skip the joint that is next", ("s",)),
    Action("next_joint", "Joint", "choose the next joint that has a place", ("Tab",)),
    Action("previous_joint", "Joint", "choose the joint before", ("Shift+Tab",)),
    Action("left", "Joint", "move it half a pixel to the left", ("ArrowLeft",)),
    Action("right", "Joint", "to the right", ("ArrowRight",)),
    Action("up", "Joint", "up", ("ArrowUp",)),
    Action("down", "Joint", "down", ("ArrowDown",)),
    Action("copy_previous", "Frame", "start from the pose of the frame before", ("c",)),
    Action("copy_reference", "Frame", "start from the labelled frame most like it", ("v",)),
    Action("copy_solved", "Frame", "start from what the solver found", ("x",)),
    Action("copy_from", "Frame", "start from the pose of any frame", ("Shift+c",)),
    Action("clear", "Frame", "remove the labels of this frame", ("Delete",)),
    Action("history", "Frame", "what was done to this frame, and by whom", ("Shift+h",)),
    Action("undo", "Work", "undo", ("z", "Ctrl+z")),
    Action("redo", "Work", "redo", ("Shift+z", "Ctrl+y", "Ctrl+Shift+z")),
    Action("choose", "Work", "choose frames that are worth labelling", ("Shift+r",)),
    Action("solve", "Work", "solve the sequence", ("Shift+s",)),
    Action("help", "Work", "this table", ("?", "F1")),
    Action("lines", "See", "hide and show all that is drawn upon the map", ("Space", "h")),
    Action("colours", "See", "next colour map", ("b",)),
    Action("relief", "See", "shaded relief", ("Shift+b",)),
    Action("window", "See", "stretch the colours to the hand again", ("Shift+w",)),
    Action("fit", "See", "show the whole crop", ("0",)),
    Action("zoom_in", "See", "zoom in", ("+", "=")),
    Action("zoom_out", "See", "zoom out", ("-",)),
)

_ROWS = ("12345", "qwert", "asdfg", "zxcvb"), ("09876", "poiuy", ";lkjh", "/.,mn")
_MIRROR = {a: b for left, right in zip(*_ROWS, strict=True) for a, b in zip(left, right, strict=True)}
_MIRROR |= {b: a for a, b in _MIRROR.items()}


def mirrored(key: str) -> str:
    """Return the key on the other side of the keyboard, as an American one has it; some have no other side."""
    held, plus, letter = key.rpartition("+")
    if not plus or not letter:  # "+" itself, and keys alone
        held, letter = "", key
    other = _MIRROR.get(letter, letter) if held in ("", "Shift") else letter
    # With Shift held, keys that are no letters have other names.
    if held and not other.isalpha():
        other, held = {";": ":", "/": "?", ".": ">", ",": "<"}.get(other, other), ""
    return f"{held}+{other}" if held else other


def table_for(hand: Hand, own: Mapping[str, list[str]]) -> tuple[Action, ...]:
    """Return the table of a person: the usual one or its mirror, with their own keys in place of those."""
    if hand == "left":
        table = ACTIONS
    else:
        taken = {key for one in ACTIONS for key in one.keys if mirrored(key) == key}
        table = tuple(
            replace(one, keys=tuple(k for k in map(mirrored, one.keys) if k in one.keys or k not in taken))
            for one in ACTIONS
        )
    return tuple(replace(one, keys=tuple(own.get(one.action, one.keys))) for one in table)


class KeyTables:
    """Each person's keys, in one file of the user of this computer."""

    def __init__(self, path: Path | None = None) -> None:
        """Use the file of the user; `path` is another one."""
        home = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
        self._path = path or Path(home) / "depth-refiner" / "keys.json"

    def of(self, who: str) -> tuple[Hand, tuple[Action, ...]]:
        """Return the hand and the table of a person."""
        own = self._read().get(who, {})
        hand: Hand = "right" if own.get("hand") == "right" else "left"
        return hand, table_for(hand, own.get("keys", {}))

    def set_hand(self, who: str, hand: Hand) -> None:
        """Lay a person's keys under one hand; their own keys are forgotten."""
        self._write(who, {"hand": hand, "keys": {}})

    def set_keys(self, who: str, action: str, keys: list[str]) -> None:
        """Give an action other keys; they are taken from the actions that had them.

        Raises:
            UsageError: There is no such action.
        """
        hand, table = self.of(who)
        if action not in {one.action for one in table}:
            raise UsageError(f"Found the action {action!r:.40}, wanted one of {', '.join(o.action for o in table)}.")
        own = {one.action: [key for key in one.keys if key not in keys] for one in table}
        own[action] = list(dict.fromkeys(keys))
        usual = {one.action: list(one.keys) for one in table_for(hand, {})}
        self._write(who, {"hand": hand, "keys": {name: found for name, found in own.items() if found != usual[name]}})

    def _read(self) -> dict[str, Any]:
        if not self._path.exists():
            return {}
        try:
            content = json.loads(self._path.read_text())
        except ValueError as error:
            raise UsageError(f"{self._path} is not JSON: {error}. Mend it, or remove it.") from None
        return content if isinstance(content, dict) else {}

    def _write(self, who: str, own: dict[str, Any]) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        write_json(self._path, {**self._read(), who: own})
