"""Files that are whole or not there."""

import json
import os
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

from refiner.errors import OutputExistsError


def write_atomically(path: Path, write: Callable[[Any], None]) -> None:
    """Write a file so that `path` is at every moment absent, the old file, or the whole new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.partial")
    try:
        with temporary.open("wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    finally:
        temporary.unlink(missing_ok=True)


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
