"""Values with intervals: a bootstrap over runs of consecutive frames.

Every measure is a function of sums over frames, so that a resampled set costs a product of matrices and no pixel is
looked at twice. Neighbouring frames show nearly the same; runs of about sqrt(n) of n frames are drawn as one (Künsch,
"The jackknife and the bootstrap for general stationary observations", Annals of Statistics 1989).
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

_REPLICATES = 200
_FEWEST_FRAMES = 2


class Estimate(NamedTuple):
    """A value and the interval that holds it with 95 %.

    Attributes:
        value: Of all frames.
        low: Lower end of the interval, at most `value`.
        high: Upper end, at least `value`.
    """

    value: float
    low: float
    high: float


class Bootstrap:
    """The same resampled sets of frames for all measures.

    Attributes:
        weights: (1 + replicates, frames) how often each set holds each frame; the first set is the recording.
    """

    def __init__(self, frames: int, seed: int) -> None:
        rng = np.random.default_rng(seed)
        run = max(1, round(math.sqrt(frames)))
        starts = rng.integers(0, frames, (_REPLICATES, math.ceil(frames / run)))
        drawn = ((starts[:, :, None] + np.arange(run)) % frames).reshape(_REPLICATES, -1)[:, :frames]
        self.weights = np.ones((1 + _REPLICATES, frames))
        for weights, frame in zip(self.weights[1:], drawn, strict=True):
            weights[:] = np.bincount(frame, minlength=frames)

    def totals(self, sums: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the sums of each set, (1 + replicates, ...), from those of each frame, (frames, ...)."""
        return np.tensordot(self.weights, sums, axes=1)

    def estimate(
        self,
        sums: NDArray[np.float64],
        function: Callable[[NDArray[np.float64]], NDArray[np.float64]],
        counts: NDArray[np.float64],
        fewest: float,
    ) -> Estimate | None:
        """Return a value and its interval, or nothing where too little was seen.

        Args:
            sums: (frames, ...) sums of each frame.
            function: From totals (sets, ...) to values (sets,).
            counts: (frames,) how many observations each frame has.
            fewest: Observations that are needed in all; two frames must have some, too.
        """
        if counts.sum() < fewest or (counts > 0).sum() < _FEWEST_FRAMES:
            return None
        seen = self.weights @ counts > 0
        values = function(self.totals(sums)[seen])
        return interval(values[0], values[1:])


def interval(value: float, replicates: NDArray[np.float64]) -> Estimate | None:
    """Return a value with the middle 95 % of its replicates; nothing where the value is not finite."""
    replicates = replicates[np.isfinite(replicates)]
    if not np.isfinite(value) or not len(replicates):
        return None
    low, high = np.quantile(replicates, [0.025, 0.975])
    return Estimate(float(value), float(min(low, value)), float(max(high, value)))


def ratio(totals: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return totals[..., 0] / totals[..., 1]; not a number where the second is 0."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return totals[..., 0] / totals[..., 1]


def median_of(edges: NDArray[np.float64]) -> Callable[[NDArray[np.float64]], NDArray[np.float64]]:
    """Return a function from histograms (sets, bins) to medians (sets,), interpolated within bins of these edges."""

    def medians(histograms: NDArray[np.float64]) -> NDArray[np.float64]:
        below = np.pad(np.cumsum(histograms, axis=1), ((0, 0), (1, 0)))
        half = below[:, -1:] / 2
        at = np.argmax(below >= half, axis=1)
        rows = np.arange(len(below))
        left = np.maximum(at - 1, 0)
        share = (half[:, 0] - below[rows, left]) / np.maximum(below[rows, at] - below[rows, left], 1e-9)
        return edges[left] + share * (edges[at] - edges[left])

    return medians
