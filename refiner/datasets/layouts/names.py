"""Names of files: in which order they come, and how they are kept where only text can be."""

import os
import re
from decimal import Decimal
from pathlib import PurePath

_NUMBER = re.compile(r"(?<![\d.])\d+\.\d+(?![\d.])|\d+")
"""Digits, with decimals where there is one point: `1551915398.95` is a number, the date `2020.11.03` is three."""


def natural_key(name: str) -> list[tuple[bool, Decimal, str]]:
    """Return the key by which names are sorted: frame_2 before frame_10, and 9.95 before 9.953."""
    key: list[tuple[bool, Decimal, str]] = []
    end = 0
    for number in _NUMBER.finditer(name):
        key += [(False, Decimal(0), name[end : number.start()]), (True, Decimal(number.group()), "")]
        end = number.end()
    # The name itself comes last, so that a1 and a01 have one order everywhere.
    return [*key, (False, Decimal(0), name[end:]), (False, Decimal(0), name)]


def file_key(name: str) -> tuple[list[tuple[bool, Decimal, str]], str]:
    """Return the key by which files are sorted: by their names without the suffix, whose point is no decimal one."""
    path = PurePath(name)
    return natural_key(path.stem), path.suffix


def stored_name(path: PurePath) -> str:
    r"""Return a path as text, with slashes.

    Bytes that are no UTF-8, as archives from elsewhere leave them, become `\xca`: the file is found again by the
    bytes that the escapes stand for.
    """
    return os.fsencode(path.as_posix()).decode("utf-8", "backslashreplace")
