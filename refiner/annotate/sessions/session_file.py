"""The SQLite file of a session: its tables, its transactions, and what to say where SQLite refuses.

Every change is one transaction that begins with the write lock and is on the disk when it is over, so that a kill at
any instant loses nothing that was reported. Many processes and threads may write; each waits up to 10 s for its turn.
"""

import os
import sqlite3
import sys
import threading
import weakref
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from refiner.errors import SessionError

NAME = "session.sqlite"
APPLICATION = 0x44524553  # "DRES", so that another program's SQLite file is not taken for a session
VERSION = 2
BUSY_S = 10.0

CHECKS = "checks"
"""Key in `meta` of the number of changes of `checked`."""

_CHECKED = (
    "(frame INTEGER PRIMARY KEY, who TEXT NOT NULL, at TEXT NOT NULL, joints_mm BLOB NOT NULL, step INTEGER NOT NULL)"
)

# What a frame shows is a version that an edit made: `shown` points to it, and undo points it back to the one `before`.
TABLES = f"""
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT);
CREATE TABLE edits (edit INTEGER PRIMARY KEY AUTOINCREMENT, who TEXT NOT NULL, note TEXT NOT NULL);
CREATE TABLE versions (
    edit INTEGER NOT NULL REFERENCES edits, frame INTEGER NOT NULL, labels TEXT, before INTEGER,
    PRIMARY KEY (edit, frame)
);
CREATE TABLE shown (frame INTEGER PRIMARY KEY, edit INTEGER NOT NULL);
CREATE TABLE log (
    step INTEGER PRIMARY KEY AUTOINCREMENT, frame INTEGER NOT NULL, edit INTEGER, who TEXT NOT NULL,
    at TEXT NOT NULL, note TEXT NOT NULL
);
CREATE INDEX log_of_frame ON log (frame);
CREATE TABLE undone (
    step INTEGER PRIMARY KEY AUTOINCREMENT, who TEXT NOT NULL, edit INTEGER NOT NULL, frames TEXT NOT NULL
);
CREATE TABLE checked {_CHECKED};
CREATE TABLE results (stage TEXT PRIMARY KEY, step INTEGER NOT NULL, info TEXT NOT NULL, arrays BLOB NOT NULL);
"""

# What a file of an older version lacks, by the version that brought it.
_NEWER = {2: (f"CREATE TABLE checked {_CHECKED}", f"INSERT INTO meta VALUES ('{CHECKS}', '0')")}

_REFUSALS = {
    sqlite3.SQLITE_BUSY: "another process has been writing for 10 s. Wait for it, then run the command again.",
    sqlite3.SQLITE_LOCKED: "another process has been writing for 10 s. Wait for it, then run the command again.",
    sqlite3.SQLITE_FULL: "the disk is full. What is committed is whole; make room, then run the command again.",
    sqlite3.SQLITE_READONLY: "it cannot be written. Mend the permissions, then run the command again.",
    sqlite3.SQLITE_CANTOPEN: "it or a file beside it cannot be opened. Mend the permissions, then try again.",
    sqlite3.SQLITE_IOERR: "the file system failed. Check the disk, then run the command again.",
    sqlite3.SQLITE_CORRUPT: "it is damaged. Restore it from a backup, or make a new session.",
    sqlite3.SQLITE_NOTADB: "it is not a database. Check the path, or make one with `refiner annotate new`.",
}

# One host's write-ahead log means nothing to another that has the same folder mounted.
_SHARED = {"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "ceph", "lustre", "gpfs", "beegfs", "fuse.sshfs"}


class SessionFile:
    """A session's database, opened."""

    def __init__(self, folder: Path) -> None:
        """Open the database of a session.

        Raises:
            SessionError: There is none, or one of another program or a newer version.
        """
        self.path = folder / NAME
        if not self.path.is_file():
            found = "a folder without it" if folder.is_dir() else "a file" if folder.exists() else "nothing"
            raise SessionError(
                f"{folder} is not a session: found {found}, wanted a folder with {NAME}. Check the path, or make one "
                "with `refiner annotate new`."
            )
        # Used from one thread at a time, by the lock.
        self._connection = sqlite3.connect(self.path, timeout=BUSY_S, isolation_level=None, check_same_thread=False)
        self._lock = threading.RLock()
        self.close = weakref.finalize(self, self._connection.close)
        application, version = (self.rows(f"PRAGMA {name}")[0][0] for name in ("application_id", "user_version"))
        if application != APPLICATION or version < 1:
            raise SessionError(
                f"{self.path} is not a session: found a database of another program. Check the path, or make a session "
                "with `refiner annotate new`."
            )
        if version > VERSION:
            raise SessionError(
                f"{self.path}: found a session of format {version}, wanted {VERSION} or older. Update depth-refiner."
            )
        self.rows("PRAGMA synchronous = FULL")
        self._settle_journal()
        if version < VERSION:
            self._bring_up()

    @classmethod
    def create(cls, folder: Path, meta: Mapping[str, str | None]) -> None:
        """Write the database of a new session into an existing folder."""
        connection = sqlite3.connect(folder / NAME, isolation_level=None)
        try:
            connection.execute(f"PRAGMA journal_mode = {_journal(folder)}")
            connection.executescript(TABLES)
            connection.executemany("INSERT INTO meta VALUES (?, ?)", meta.items())
            connection.execute(f"PRAGMA user_version = {VERSION}")
            connection.execute(f"PRAGMA application_id = {APPLICATION}")
        finally:
            connection.close()

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Change the database: all that is done inside is committed at the end, or nothing where it fails.

        Raises:
            SessionError: The database cannot be written; the message says why.
        """
        with self._lock, self._explained():
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
                self._connection.execute("COMMIT")
            finally:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Read several times from one state of the database, even if others write meanwhile. Nothing is changed.

        Inside another one, or inside a transaction, it is the state of that one.
        """
        with self._lock, self._explained():
            if self._connection.in_transaction:  # of this thread: others wait for the lock
                yield
                return
            self._connection.execute("BEGIN")
            try:
                yield
            finally:
                self._connection.execute("ROLLBACK")

    def rows(self, question: str, *values: Any) -> list[tuple[Any, ...]]:
        """Run a query and return all rows."""
        with self._lock, self._explained():
            return self._connection.execute(question, values).fetchall()

    def meta(self, key: str) -> Any:
        """Return one of the session's own values."""
        return self.rows("SELECT value FROM meta WHERE key = ?", key)[0][0]

    def _bring_up(self) -> None:
        with self.transaction() as database:
            # Asked again: another process may have done it meanwhile, even one of a newer version.
            version = database.execute("PRAGMA user_version").fetchone()[0]
            for number in range(version + 1, VERSION + 1):
                for change in _NEWER[number]:
                    database.execute(change)
                database.execute(f"PRAGMA user_version = {number}")

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.DatabaseError as error:
            reason = _REFUSALS.get(getattr(error, "sqlite_errorcode", 0) & 0xFF)  # above: details
            if reason is None:
                raise
            raise SessionError(f"{self.path}: {error}: {reason}") from error

    def _settle_journal(self) -> None:
        if self.rows(f"PRAGMA journal_mode = {_journal(self.path)}")[0][0] != "wal":
            print(
                f"{self.path}: this file system cannot keep a write-ahead log; readers and writers will wait for each "
                "other.",
                file=sys.stderr,
            )


def bump(database: sqlite3.Connection, key: str = "revision") -> None:
    """Raise one of the session's own numbers by 1."""
    database.execute("UPDATE meta SET value = CAST(value + 1 AS TEXT) WHERE key = ?", (key,))


def _journal(path: Path) -> str:
    return "delete" if filesystem_of(path) in _SHARED else "wal"


def filesystem_of(path: Path, mounts: Path = Path("/proc/self/mounts")) -> str:
    """Name the type of the file system that a path is on, as the kernel does; nothing where it does not say."""
    if not mounts.is_file():
        return ""
    place, best = os.fspath(path.resolve()), ("", "")
    for line in mounts.read_text().splitlines():
        _, mounted, kind, *_ = line.split(" ")
        mounted = mounted.replace("\\040", " ")
        inside = place == mounted or place.startswith(mounted.rstrip("/") + "/")
        if inside and len(mounted) >= len(best[0]):  # the later one of two lies on top
            best = (mounted, kind)
    return best[1]
