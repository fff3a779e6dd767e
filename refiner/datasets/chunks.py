"""Whether the chunks of a store are on disk and whole.

Zarr reads a chunk that is not on disk as zeros: a legal map of no readings, and a legal joint at the camera. This
program writes every chunk, so in a store of its own a missing chunk was lost, as half-finished copies lose them. Other
programs may leave out chunks of zeros.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from zarr.codecs import Crc32cCodec, ZstdCodec

CODECS = (ZstdCodec(level=1), Crc32cCodec())
"""How this program writes chunks: compressed, with a checksum. Its first stores have no checksum."""
DAMAGE = (ValueError, RuntimeError, TypeError, EOFError, OSError)
"""What Zarr's codecs raise on a chunk that is cut short or does not match its checksum."""


def is_written_here(array: Any) -> bool:
    """Return whether this program wrote an array: who copies a part keeps the attributes, not the codecs."""
    return tuple(array.compressors) in (CODECS, CODECS[:1])


def lost_chunks(array: Any, folder: Path) -> Iterator[str]:
    """Find the chunks of an array that are missing or empty, without reading any.

    Args:
        array: A Zarr array that is chunked along its first axis.
        folder: Where it lies.

    Yields:
        A description of each, with its items and its file.
    """
    for index in range(_count(array)):
        file = folder / "c" / "/".join([str(index), *"0" * (array.ndim - 1)])
        try:
            empty = file.stat().st_size == 0
        except (FileNotFoundError, NotADirectoryError):
            yield _describe(array, folder, index, "is missing")
            continue
        if empty:
            yield _describe(array, folder, index, "is empty")


def damaged_chunks(array: Any, folder: Path, start: int = 0, stop: int | None = None) -> Iterator[str]:
    """Read the chunks of an array that hold the rows [start, stop), and describe those that cannot be decoded."""
    length, stop = int(array.chunks[0]), int(array.shape[0]) if stop is None else stop
    for index in range(start // length, -(-stop // length)):
        try:
            np.asarray(array[index * length : (index + 1) * length])
        except DAMAGE as error:
            reason = str(error).partition(". ")[0] or type(error).__name__  # without the checksums themselves
            yield _describe(array, folder, index, f"is damaged ({reason})")


def _count(array: Any) -> int:
    return -(-array.shape[0] // array.chunks[0])


def _describe(array: Any, folder: Path, index: int, what: str) -> str:
    length = int(array.chunks[0])
    last = min((index + 1) * length, array.shape[0]) - 1
    return f"chunk {index} of {folder.name} (items {index * length} to {last}) {what}"
