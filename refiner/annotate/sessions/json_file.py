"""JSON that a person or another program wrote: anything may be in it, and what is wrong is said."""

import json
from pathlib import Path
from typing import Any

from refiner.errors import DatasetNotFoundError, LabelError


def read_json(path: str | Path) -> Any:
    """Read a file.

    Raises:
        DatasetNotFoundError: There is no such file.
        LabelError: It is not JSON.
    """
    if not Path(path).is_file():
        found = "a folder" if Path(path).is_dir() else "nothing"
        raise DatasetNotFoundError(f"No file {path}: found {found}, wanted JSON. Check the path.")
    try:
        return json.loads(Path(path).read_bytes())
    except (ValueError, RecursionError) as error:  # the second where brackets lie in brackets by the thousand
        raise LabelError(f"{path} is not JSON: {error}. Write it again.") from error


def is_number(value: Any) -> bool:
    """Say whether what a file holds can be read as a float."""
    return isinstance(value, float) or (isinstance(value, int) and not isinstance(value, bool) and abs(value) < 1e300)


_WORDS = {list: "a list", int: "a whole number", str: "text", dict: "an object"}


def field(record: Any, key: str, kind: type, where: str) -> Any:
    """Take a value of a known kind out of an object.

    Args:
        record: The object.
        key: Name of the value.
        kind: list, int, str or dict.
        where: For the message: which file, and where in it.

    Raises:
        LabelError: It is something else, or absent.
    """
    found = _value(record, key, where)
    if not isinstance(found, kind) or isinstance(found, bool):
        raise LabelError(f"{where}: found {key} = {found!r:.40}, wanted {_WORDS[kind]}.")
    return found


def number(record: Any, key: str, where: str) -> float:
    """Take a number out of an object.

    Raises:
        LabelError: It is something else, or absent.
    """
    found = _value(record, key, where)
    if not is_number(found):
        raise LabelError(f"{where}: found {key} = {found!r:.40}, wanted a number.")
    return float(found)


def _value(record: Any, key: str, where: str) -> Any:
    if not isinstance(record, dict):
        raise LabelError(f"{where}: found {type(record).__name__}, wanted an object.")
    return record.get(key)
