"""Labels and how they came to be: every edit stays, and undo is a change like any other.

An edit is what one person changed at once, in one frame or many. Each has their own way back: undo takes back the
newest edit of one's own that a frame still shows, and leaves frames alone that someone else has changed since.
"""

import json
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from refiner.annotate.sessions.labels import ABSENT, FrameLabels
from refiner.annotate.sessions.log import CHECK, show
from refiner.annotate.sessions.session_file import SessionFile, bump
from refiner.annotate.sessions.undo import redo, undo


@dataclass(frozen=True, eq=False)
class Edit:
    """One change of one frame.

    Attributes:
        who: Who changed it.
        when: UTC, ISO 8601.
        note: What they said of it.
        labels: What the frame held after it, nothing where it held none.
    """

    who: str
    when: str
    note: str
    labels: FrameLabels | None


@dataclass(frozen=True, eq=False)
class Shown:
    """What a frame shows, and since which edit.

    Attributes:
        edit: Number of the edit; nothing where the frame was never labelled.
        who: Who made it.
        when: Since when it is shown: of the edit, or of the undo or redo that brought it back. UTC, ISO 8601.
        labels: Nothing where there are none, or they were deleted.
    """

    edit: int | None = None
    who: str = ""
    when: str = ""
    labels: FrameLabels | None = None


class Change(NamedTuple):
    """One edit, undo or redo of a frame, and the edit that the frame shows since; nothing where it has none."""

    frame: int
    edit: int | None
    who: str
    when: str


class History:
    """The labels of a session's frames and all that was ever done to them."""

    def __init__(self, file: SessionFile) -> None:
        self._file = file

    @property
    def revision(self) -> int:
        """Return a number that grows with every edit, undo and redo, and with every change of the bones."""
        return int(self._file.meta("revision"))

    def labels(self, frame: int) -> FrameLabels | None:
        """Return what a frame shows."""
        question = "SELECT labels FROM shown JOIN versions USING (edit, frame) WHERE frame = ?"
        rows = self._file.rows(question, int(frame))
        return from_text(frame, rows[0][0]) if rows else None

    def shown(self, frame: int) -> Shown:
        """Return what a frame shows, with the edit that made it."""
        question = (
            "SELECT edit, who, (SELECT at FROM log WHERE log.frame = shown.frame ORDER BY step DESC LIMIT 1), labels "
            "FROM shown JOIN versions USING (edit, frame) JOIN edits USING (edit) WHERE shown.frame = ?"
        )
        rows = self._file.rows(question, int(frame))
        if not rows:
            return Shown()
        edit, who, when, labels = rows[0]
        return Shown(edit, who, when, from_text(frame, labels))

    def version(self, frame: int, edit: int) -> FrameLabels | None:
        """Return what a frame held after an edit; nothing where the edit deleted its labels, or is none of it."""
        rows = self._file.rows("SELECT labels FROM versions WHERE frame = ? AND edit = ?", int(frame), int(edit))
        return from_text(frame, rows[0][0]) if rows else None

    def latest(self, count: int) -> list[Change]:
        """Return the newest changes of labels, the newest first."""
        question = "SELECT frame, edit, who, at FROM log WHERE edit IS NOT ? ORDER BY step DESC LIMIT ?"
        rows = self._file.rows(question, CHECK, int(count))
        return [Change(*row) for row in rows]

    def last_author(self, frame: int) -> str:
        """Return who changed a frame last, by an edit, undo or redo; nobody where it was never changed."""
        rows = self._file.rows(
            "SELECT who FROM log WHERE frame = ? AND edit IS NOT ? ORDER BY step DESC LIMIT 1", int(frame), CHECK
        )
        return rows[0][0] if rows else ""

    def all_labels(self) -> list[FrameLabels]:
        """Return what all frames show, in order."""
        question = (
            "SELECT frame, labels FROM shown JOIN versions USING (edit, frame) WHERE labels NOT NULL ORDER BY frame"
        )
        return [found for row in self._file.rows(question) if (found := from_text(*row)) is not None]

    def labelled_frames(self) -> list[int]:
        """Return the frames that show labels, in order."""
        question = "SELECT frame FROM shown JOIN versions USING (edit, frame) WHERE labels NOT NULL ORDER BY frame"
        return [frame for (frame,) in self._file.rows(question)]

    def partly_labelled_frames(self) -> list[int]:
        """Return the frames that show labels of some joints, and not of all, in order."""
        question = (
            "SELECT frame FROM shown JOIN versions USING (edit, frame) WHERE labels NOT NULL AND EXISTS "
            "(SELECT 1 FROM json_each(labels, '$.flag') WHERE value = 0) ORDER BY frame"
        )
        return [frame for (frame,) in self._file.rows(question)]

    def authors(self) -> Counter[str]:
        """Count the labelled frames by who labelled them last."""
        question = (
            "SELECT who, count(*) FROM shown JOIN versions USING (edit, frame) JOIN edits USING (edit) "
            "WHERE labels NOT NULL GROUP BY who"
        )
        return Counter(dict(self._file.rows(question)))

    def of_frame(self, frame: int) -> list[Edit]:
        """Return all that was done to a frame, the oldest first."""
        question = (
            "SELECT who, at, note, labels FROM log LEFT JOIN versions USING (edit, frame) WHERE frame = ? ORDER BY step"
        )
        rows = self._file.rows(question, int(frame))
        return [Edit(who, when, note, from_text(frame, labels)) for who, when, note, labels in rows]

    def put(self, changes: Iterable[tuple[int, FrameLabels | None]], who: str, note: str) -> None:
        """Make one edit: frames and what they hold from now on. It ends what `who` could redo."""
        texts = [(int(frame), labels and as_text(labels)) for frame, labels in changes]
        with self._file.transaction() as database:
            _put(database, texts, who, note)

    def change(
        self, frame: int, decide: Callable[[Shown], FrameLabels | None], who: str, note: str
    ) -> FrameLabels | None:
        """Make one edit of a frame that depends on what it shows; nobody else changes it in between.

        Args:
            frame: Which frame.
            decide: Is given what the frame shows, and returns what it is to show. Where it raises, nothing changes.
            who: Who changes it.
            note: What they say of it.

        Returns:
            What the frame shows now. Where that is what it showed before, there is no new edit.
        """
        with self._file.transaction() as database:
            before = self.shown(frame)
            after = decide(before)
            text = after and as_text(after)
            if text != (before.labels and as_text(before.labels)):
                _put(database, [(int(frame), text)], who, note)
        return after

    def undo(self, who: str) -> list[int]:
        """Take back the newest change of `who` that a frame still shows: an edit, or that they found it right.

        Returns:
            The frames that changed.
        """
        with self._file.transaction() as database:
            return undo(database, who)

    def redo(self, who: str) -> list[int]:
        """Make the change again that `who` took back last; return the frames that changed.

        Frames that someone else has changed since stay as they are.
        """
        with self._file.transaction() as database:
            return redo(database, who)


def _put(database: sqlite3.Connection, texts: list[tuple[int, str | None]], who: str, note: str) -> None:
    edit = database.execute("INSERT INTO edits (who, note) VALUES (?, ?)", (who, note)).lastrowid
    for frame, text in texts:
        shown = database.execute("SELECT edit FROM shown WHERE frame = ?", (frame,)).fetchone()
        before = shown[0] if shown else None
        database.execute("INSERT INTO versions VALUES (?, ?, ?, ?)", (edit, frame, text, before))
        show(database, frame, edit, who, note)
    database.execute("DELETE FROM undone WHERE who = ?", (who,))
    bump(database)


def as_text(labels: FrameLabels) -> str:
    """Write labels as JSON from which the same numbers are read."""
    known = np.asarray(labels.flag) != ABSENT
    uv_px = [pixel if there else None for pixel, there in zip(np.asarray(labels.uv_px).tolist(), known, strict=True)]
    nearer = [[int(joint) for joint in pair] for pair in labels.nearer]
    return json.dumps({"uv_px": uv_px, "flag": np.asarray(labels.flag).astype(int).tolist(), "nearer": nearer})


def from_text(frame: int, text: str | None) -> FrameLabels | None:
    """Read what `as_text` wrote; nothing where a frame's labels were deleted."""
    if text is None:
        return None
    content: dict[str, Any] = json.loads(text)
    uv_px = np.array([(np.nan, np.nan) if pixel is None else pixel for pixel in content["uv_px"]], dtype=np.float64)
    nearer = tuple((a, b) for a, b in content["nearer"])
    return FrameLabels(int(frame), uv_px.reshape(-1, 2), np.array(content["flag"], dtype=np.int8), nearer)
