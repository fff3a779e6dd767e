"""Files that are whole or not there."""

import contextlib
import fcntl
import glob
import json
import os
import shutil
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

from refiner.errors import OutputExistsError

_PARTIAL = ".partial"


def write_atomically(path: Path, write: Callable[[Any], None]) -> None:
    """Write a file so that `path` is at every moment absent, the old file, or the whole new one.

    What a killed process left of the same file goes.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    remove_abandoned(path.parent, path.name)
    with partial_file(path) as file:
        write(file)
        file.flush()
        os.fsync(file.fileno())
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


@contextlib.contextmanager
def partial_file(path: Path) -> Iterator[BinaryIO]:
    """Open a file beside `path` that takes its place when the block ends, and goes where the block raises.

    It is locked meanwhile, which tells it from what a killed process left (see `remove_abandoned`).
    """
    temporary = _beside(path)
    try:
        with _opened_locked(temporary) as file:
            yield file
            file.flush()
            os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def partial_folder(path: Path) -> Iterator[Path]:
    """Make a folder beside `path` that takes its place when the block ends, and goes where the block raises.

    Nothing may lie at `path` then: a kill leaves there either nothing or the whole folder.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = _beside(path)
    temporary.mkdir()
    try:
        yield temporary
        temporary.rename(path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def remove(path: Path) -> None:
    """Remove a file or a folder, which is renamed first: a kill in the middle must not leave half of it there."""
    doomed = _beside(path)
    os.replace(path, doomed)
    if doomed.is_dir():
        shutil.rmtree(doomed)
    else:
        doomed.unlink()


def _beside(path: Path) -> Path:
    return path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}{_PARTIAL}")


def remove_abandoned(folder: Path, name: str = "") -> None:
    """Remove the partial files that killed processes left in a folder; those that are being written stay.

    Args:
        folder: Where to look.
        name: The file that they were to become; without it all are looked at.
    """
    for partial in folder.glob(f".{glob.escape(name) or '*'}.*{_PARTIAL}"):
        with contextlib.suppress(FileNotFoundError), partial.open("rb") as file:
            if _lock(file):  # its writer is gone
                partial.unlink(missing_ok=True)


def _opened_locked(path: Path) -> BinaryIO:
    while True:
        file = path.open("wb")
        # Between opening and locking another process may have taken it for abandoned, and removed it.
        if not _lock(file, wait=True) or path.exists():
            return file
        file.close()


def _lock(file: BinaryIO, *, wait: bool = False) -> bool:
    """Lock a file until it is closed or its process ends; False where another holds it, or locks do not exist."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def write_json(path: Path, content: Any) -> None:
    """Write plain values as JSON for people and programs, whole or not at all."""
    write_atomically(path, lambda file: file.write((json.dumps(content, indent=2) + "\n").encode()))


def require_apart(out: Path, what: str, source: Path, *, inside: bool = False) -> None:
    """Refuse an output whose writing, or the removal before it, would harm what it is made from.

    Args:
        out: What will be written.
        what: What the source is, for the message.
        source: The file or folder it is made from.
        inside: Whether `out` may lie in the folder `source`.

    Raises:
        OutputExistsError: One is the other, or lies in it.
    """
    target, kept = Path(out).resolve(), Path(source).resolve()
    if kept == target or target in kept.parents or (kept in target.parents and not inside):
        raise OutputExistsError(f"{out} would lie where {what} lies, {source}. Give another name.")
