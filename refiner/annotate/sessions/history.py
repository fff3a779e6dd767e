"""Labels and how they came to be: every edit stays, and undo is a change like any other.

An edit is what one person changed at once, in one frame or many. Each has their own way back: undo takes back the
newest edit of one's own that a frame still shows, and leaves frames alone that someone else has changed since.
"""

import json
import sqlite3
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np

from refiner.annotate.sessions.labels import ABSENT, FrameLabels
from refiner.annotate.sessions.session_file import SessionFile


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


class History:
    """The labels of a session's frames and all that was ever done to them."""

    def __init__(self, file: SessionFile) -> None:
        self._file = file

    @property
    def revision(self) -> int:
        """Give a number that grows with every edit, undo and redo, and with every change of the bones."""
        return int(self._file.meta("revision"))

    def labels(self, frame: int) -> FrameLabels | None:
        """Give what a frame shows."""
        question = "SELECT labels FROM shown JOIN versions USING (edit, frame) WHERE frame = ?"
        rows = self._file.rows(question, int(frame))
        return from_text(frame, rows[0][0]) if rows else None

    def all_labels(self) -> list[FrameLabels]:
        """Give what all frames show, in order."""
        question = (
            "SELECT frame, labels FROM shown JOIN versions USING (edit, frame) WHERE labels NOT NULL ORDER BY frame"
        )
        return [found for row in self._file.rows(question) if (found := from_text(*row)) is not None]

    def labelled_frames(self) -> list[int]:
        """Give the frames that show labels, in order."""
        question = "SELECT frame FROM shown JOIN versions USING (edit, frame) WHERE labels NOT NULL ORDER BY frame"
        return [frame for (frame,) in self._file.rows(question)]

    def authors(self) -> Counter[str]:
        """Count the labelled frames by who labelled them last."""
        question = (
            "SELECT who, count(*) FROM shown JOIN versions USING (edit, frame) JOIN edits USING (edit) "
            "WHERE labels NOT NULL GROUP BY who"
        )
        return Counter(dict(self._file.rows(question)))

    def of_frame(self, frame: int) -> list[Edit]:
        """Give all that was done to a frame, the oldest first."""
        question = (
            "SELECT who, at, note, labels FROM log LEFT JOIN versions USING (edit, frame) WHERE frame = ? ORDER BY step"
        )
        rows = self._file.rows(question, int(frame))
        return [Edit(who, when, note, from_text(frame, labels)) for who, when, note, labels in rows]

    def put(self, changes: Iterable[tuple[int, FrameLabels | None]], who: str, note: str) -> None:
        """Make one edit: frames and what they hold from now on. It ends what `who` could redo."""
        texts = [(int(frame), labels and as_text(labels)) for frame, labels in changes]
        with self._file.transaction() as database:
            edit = database.execute("INSERT INTO edits (who, note) VALUES (?, ?)", (who, note)).lastrowid
            for frame, text in texts:
                shown = database.execute("SELECT edit FROM shown WHERE frame = ?", (frame,)).fetchone()
                before = shown[0] if shown else None
                database.execute("INSERT INTO versions VALUES (?, ?, ?, ?)", (edit, frame, text, before))
                _show(database, frame, edit, who, note)
            database.execute("DELETE FROM undone WHERE who = ?", (who,))
            bump(database)

    def undo(self, who: str) -> list[int]:
        """Take back the newest edit of `who` that a frame still shows; give the frames that changed."""
        newest = "SELECT max(edit) FROM shown JOIN edits USING (edit) WHERE who = ?"
        with self._file.transaction() as database:
            edit = database.execute(newest, (who,)).fetchone()[0]
            if edit is None:
                return []
            question = "SELECT frame, before FROM versions JOIN shown USING (edit, frame) WHERE edit = ? ORDER BY frame"
            rows = database.execute(question, (edit,)).fetchall()
            for frame, before in rows:
                _show(database, frame, before, who, f"undo: {_note(database, edit)}")
            frames = [frame for frame, _ in rows]
            database.execute("INSERT INTO undone (who, edit, frames) VALUES (?, ?, ?)", (who, edit, json.dumps(frames)))
            bump(database)
        return frames

    def redo(self, who: str) -> list[int]:
        """Make the edit again that `who` took back last, in the frames where they did; give the frames that changed.

        Frames that someone else has changed since stay as they are.
        """
        newest = "SELECT step, edit, frames FROM undone WHERE who = ? ORDER BY step DESC LIMIT 1"
        question = (
            "SELECT versions.frame FROM versions LEFT JOIN shown ON shown.frame = versions.frame "
            "WHERE versions.edit = ? AND shown.edit IS versions.before "
            "AND versions.frame IN (SELECT value FROM json_each(?)) ORDER BY versions.frame"
        )
        with self._file.transaction() as database:
            while (row := database.execute(newest, (who,)).fetchone()) is not None:
                step, edit, undone = row
                database.execute("DELETE FROM undone WHERE step = ?", (step,))
                frames = [frame for (frame,) in database.execute(question, (edit, undone)).fetchall()]
                for frame in frames:
                    _show(database, frame, edit, who, f"redo: {_note(database, edit)}")
                if frames:
                    bump(database)
                    return frames
        return []


def bump(database: sqlite3.Connection) -> None:
    """Raise the session's revision."""
    database.execute("UPDATE meta SET value = CAST(value + 1 AS TEXT) WHERE key = 'revision'")


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


def _show(database: sqlite3.Connection, frame: int, edit: int | None, who: str, note: str) -> None:
    if edit is None:
        database.execute("DELETE FROM shown WHERE frame = ?", (frame,))
    else:
        database.execute("INSERT OR REPLACE INTO shown VALUES (?, ?)", (frame, edit))
    at = datetime.now(UTC).isoformat(timespec="milliseconds")
    database.execute(
        "INSERT INTO log (frame, edit, who, at, note) VALUES (?, ?, ?, ?, ?)", (frame, edit, who, at, note)
    )


def _note(database: sqlite3.Connection, edit: int) -> str:
    return database.execute("SELECT note FROM edits WHERE edit = ?", (edit,)).fetchone()[0]
