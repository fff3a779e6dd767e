"""The way back and forth again: each person's own, through their edits of labels and the frames that they found right.

What is taken back lies in `undone` until its author makes a new change; of a check the frame and the joints that were
seen.
"""

import json
import sqlite3

import numpy as np

from refiner.annotate.sessions.log import CHECK, FOUND_RIGHT, note_of, now, show, write
from refiner.annotate.sessions.session_file import CHECKS, bump


def undo(database: sqlite3.Connection, who: str) -> list[int]:
    """Take back the newest change of `who` that a frame still shows; return the frames that changed."""
    edit, step = _newest_edit(database, who)
    checked = "SELECT step, frame FROM checked WHERE who = ? ORDER BY step DESC LIMIT 1"
    check = database.execute(checked, (who,)).fetchone()
    if check is not None and check[0] > step:
        return _uncheck(database, check[1], who)
    if edit is None:
        return []
    question = "SELECT frame, before FROM versions JOIN shown USING (edit, frame) WHERE edit = ? ORDER BY frame"
    rows = database.execute(question, (edit,)).fetchall()
    for frame, before in rows:
        show(database, frame, before, who, f"undo: {note_of(database, edit)}")
    frames = [frame for frame, _ in rows]
    _remember(database, who, edit, frames)
    bump(database)
    return frames


def redo(database: sqlite3.Connection, who: str) -> list[int]:
    """Make the change again that `who` took back last, where they took it back; return the frames that changed.

    Frames that someone else has changed since stay as they are.
    """
    newest = "SELECT step, edit, frames FROM undone WHERE who = ? ORDER BY step DESC LIMIT 1"
    question = (
        "SELECT versions.frame FROM versions LEFT JOIN shown ON shown.frame = versions.frame "
        "WHERE versions.edit = ? AND shown.edit IS versions.before "
        "AND versions.frame IN (SELECT value FROM json_each(?)) ORDER BY versions.frame"
    )
    while (row := database.execute(newest, (who,)).fetchone()) is not None:
        step, edit, undone = row
        database.execute("DELETE FROM undone WHERE step = ?", (step,))
        if edit == CHECK:
            frame, joints_mm = json.loads(undone)
            if frames := _check_again(database, frame, joints_mm, who):
                return frames
            continue
        frames = [frame for (frame,) in database.execute(question, (edit, undone)).fetchall()]
        for frame in frames:
            show(database, frame, edit, who, f"redo: {note_of(database, edit)}")
        if frames:
            bump(database)
            return frames
    return []


def put_check(database: sqlite3.Connection, frame: int, who: str, joints_mm: bytes, note: str = FOUND_RIGHT) -> None:
    """Keep that a person found a frame right with these joints, (J, 3) float32 little endian."""
    step = write(database, frame, CHECK, who, note)
    line = "INSERT OR REPLACE INTO checked VALUES (?, ?, ?, ?, ?)"
    database.execute(line, (frame, who, now(), joints_mm, step))
    bump(database, CHECKS)


def _newest_edit(database: sqlite3.Connection, who: str) -> tuple[int | None, int]:
    """Return the newest edit of a person that a frame still shows, and the line of the log in which it was made."""
    edit = database.execute("SELECT max(edit) FROM shown JOIN edits USING (edit) WHERE who = ?", (who,)).fetchone()[0]
    if edit is None:
        return None, 0
    return edit, database.execute("SELECT min(step) FROM log WHERE edit = ?", (edit,)).fetchone()[0]


def _uncheck(database: sqlite3.Connection, frame: int, who: str) -> list[int]:
    (data,) = database.execute("SELECT joints_mm FROM checked WHERE frame = ?", (frame,)).fetchone()
    database.execute("DELETE FROM checked WHERE frame = ?", (frame,))
    write(database, frame, CHECK, who, f"undo: {FOUND_RIGHT}")
    _remember(database, who, CHECK, [frame, np.frombuffer(data, "<f4").tolist()])
    bump(database, CHECKS)
    return [frame]


def _check_again(database: sqlite3.Connection, frame: int, joints_mm: list[float], who: str) -> list[int]:
    if database.execute("SELECT 1 FROM checked WHERE frame = ?", (frame,)).fetchone():
        return []  # somebody else has looked since
    put_check(database, frame, who, np.array(joints_mm, dtype="<f4").tobytes(), f"redo: {FOUND_RIGHT}")
    return [frame]


def _remember(database: sqlite3.Connection, who: str, edit: int, what: list) -> None:
    database.execute("INSERT INTO undone (who, edit, frames) VALUES (?, ?, ?)", (who, edit, json.dumps(what)))
