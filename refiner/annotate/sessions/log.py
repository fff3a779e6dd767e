"""The log of a session: one line for each change of a frame, in order, that is never taken back."""

import sqlite3
from datetime import UTC, datetime

FOUND_RIGHT, CHECK = "found right", 0
"""What is noted where a person finds solved joints right, and the number that such a line has in place of an edit's."""


def now() -> str:
    """Return the time, UTC, ISO 8601."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def write(database: sqlite3.Connection, frame: int, edit: int | None, who: str, note: str) -> int:
    """Add a line, and return its number."""
    line = "INSERT INTO log (frame, edit, who, at, note) VALUES (?, ?, ?, ?, ?)"
    step = database.execute(line, (frame, edit, who, now(), note)).lastrowid
    assert step is not None, "SQLite numbers what was inserted"
    return step


def show(database: sqlite3.Connection, frame: int, edit: int | None, who: str, note: str) -> None:
    """Let a frame show what an edit made of it, nothing where it is none, and log that."""
    if edit is None:
        database.execute("DELETE FROM shown WHERE frame = ?", (frame,))
    else:
        database.execute("INSERT OR REPLACE INTO shown VALUES (?, ?)", (frame, edit))
    write(database, frame, edit, who, note)


def note_of(database: sqlite3.Connection, edit: int) -> str:
    """Return what was said of an edit."""
    return database.execute("SELECT note FROM edits WHERE edit = ?", (edit,)).fetchone()[0]
