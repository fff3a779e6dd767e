"""Work on many frames at once: numba and OpenCV let go of Python's lock, so that threads share it out."""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from threadpoolctl import threadpool_limits

Item = TypeVar("Item")
Result = TypeVar("Result")

MOST_THREADS = 4

BLOCK_ITEMS = 256
"""Items that wait in the threads' queue: bounds the memory of a million frames, and the wait after Ctrl-C."""

_SOME = 16
"""So many frames of a range are one thread's work at a time."""


def cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def threads() -> int:
    """Give how many threads may work: as many as this process has cores, `MOST_THREADS` at most."""
    return min(MOST_THREADS, cores())


def in_threads(function: Callable[[Item], Result], items: Sequence[Item]) -> Iterator[tuple[Item, Result]]:
    """Call a function with each item in as many threads as there are cores to use, and yield both in order."""
    with ThreadPoolExecutor(cores()) as pool:
        for start in range(0, len(items), BLOCK_ITEMS):
            block = items[start : start + BLOCK_ITEMS]
            yield from zip(block, pool.map(function, block), strict=True)


def map_frames(function: Callable[..., Result], *rows: Iterable[object]) -> list[Result]:
    """Call a function with each frame's values, and give its results in order; the first error is raised.

    BLAS works with one thread meanwhile: on the few unknowns of a frame more of them wait for each other, and for the
    frames' own threads (fitting 24 hands on two cores: 0.29 maps/s with two, 1.62 with one).
    """
    with threadpool_limits(1, user_api="blas"), ThreadPoolExecutor(threads()) as pool:
        return list(pool.map(function, *rows))


def map_ranges(function: Callable[[int, int], Result], count: int) -> list[Result]:
    """Call a function with the (start, stop) of ranges that make up `count` frames, and give its results in order."""
    if 0 < count <= _SOME:
        return [function(0, count)]  # a pool would take longer than the work
    starts = range(0, count, _SOME)
    return map_frames(function, starts, [min(start + _SOME, count) for start in starts])
