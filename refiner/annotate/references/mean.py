"""The mean of more maps than memory holds, to the bit that torch gives for all of them at once."""

import numpy as np
from numpy.typing import NDArray

_LEVELS = 4


class Mean:
    """A mean in single precision by cascaded sums: so many maps are added, then the sums of so many sums, and so on.

    The error grows with the fourth root of the number of maps and not with the number. This is the order in which
    torch's CPU kernel sums along the first axis (ATen `SumKernel.cpp`, `multi_row_sum`).
    """

    def __init__(self, count: int) -> None:
        """Begin; `count` is how many maps there will be."""
        self._count, self._done = count, 0
        self._power = max(4, (count - 1).bit_length() // _LEVELS)
        self._sums: list[NDArray[np.float32]] = []

    def add(self, maps: NDArray[np.float32]) -> None:
        """Add the next maps (n, ...)."""
        if not self._sums:
            self._sums = [np.zeros(maps.shape[1:], np.float32) for _ in range(_LEVELS)]
        step = 1 << self._power
        for one in maps:
            self._sums[0] += one
            self._done += 1
            if self._done % step == 0:
                self._carry(step - 1)

    def value(self) -> NDArray[np.float32]:
        """Return the mean of all that were added."""
        total = self._sums[0].copy()
        for upper in self._sums[1:]:
            total += upper
        return total / np.float32(self._count)

    def _carry(self, mask: int) -> None:
        for level in range(1, _LEVELS):
            self._sums[level] += self._sums[level - 1]
            self._sums[level - 1][:] = 0
            if self._done & (mask << (level * self._power)):
                break
