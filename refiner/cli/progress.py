"""Progress of long work: a bar with rate and time left on a terminal, a plain line now and then when piped."""

import sys
import time
from types import TracebackType
from typing import Self

from tqdm import tqdm

SECONDS_BETWEEN_LINES = 10.0


class Progress:
    """A counter shown on stderr; `update` may be called from several threads.

    Example:
        with Progress(total=len(jobs), what="maps") as progress:
            work(on_progress=progress.update)
    """

    def __init__(self, total: int, what: str, start: int = 0) -> None:
        """Begin to show progress.

        Args:
            total: How many there are in all. Of none, nothing is shown.
            what: What is counted, in the plural.
            start: How many were done by an earlier run.
        """
        self._what, self._total = what, total
        self._done, self._start = start, start
        self._began = self._last_line = time.monotonic()
        self._bar = (
            tqdm(total=total, initial=start, unit=f" {what}", file=sys.stderr)
            if total and sys.stderr.isatty()
            else None
        )

    def update(self, count: int) -> None:
        """Count `count` more as done."""
        if self._bar is not None:
            self._bar.update(count)
            return
        self._done += count
        now = time.monotonic()
        if self._total and (now - self._last_line >= SECONDS_BETWEEN_LINES or self._done >= self._total):
            self._last_line = now
            rate = (self._done - self._start) / max(now - self._began, 1e-6)
            left = (self._total - self._done) / max(rate, 1e-6)
            print(f"{self._done} of {self._total} {self._what}, {rate:.0f}/s, {left:.0f} s left", file=sys.stderr)

    def close(self) -> None:
        """Stop showing."""
        if self._bar is not None:
            self._bar.close()

    def __enter__(self) -> Self:
        """Show until the end of the block."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop showing."""
        self.close()
