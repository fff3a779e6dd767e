"""On which side of a nearer surface readings are missing.

A projector, or a second camera, that stands b beside the camera does not see a strip of f b (1/z_front - 1/z_back)
pixels behind an edge, on the side away from it. Rows are read from left to right; where depth jumps from one reading to
the next, be there a gap between them or not, one side of the nearer surface is seen.

The shadow of a narrow thing lies apart from it, and at the border of the window a shadow may go on. Edges are looked at
only where a projector 100 mm away would throw a shadow that lies in the window and begins at the edge; gaps that are
wider than that shadow are none.
"""

import numba
import numpy as np
from numpy.typing import NDArray

from refiner.sensors.measure.estimates import Bootstrap, Estimate, median_of
from refiner.sensors.measure.window import Hand

WHERE = ("hand", "background")
_JUMP_MM, _FARTHEST_MM = 25.0, 100.0
_FEWEST_EDGES = 40
_NARROW_PX = 0.5
_EDGES_MM = np.arange(0.0, 2 * _FARTHEST_MM + 1)
_GAP, _COUNT, _BASELINES = 0, 1, 2


@numba.njit(nogil=True, cache=True)
def _edges(depth, hand, filled, focal_px, jump_mm, farthest_mm, sums):
    rows, columns = depth.shape
    for v in range(rows):
        last = -1
        for u in range(columns):
            z = depth[v, u]
            if z <= 0.0:
                continue
            if last >= 0 and abs(z - depth[v, last]) > jump_mm:
                # The nearer surface on the left: what is missing lies to its right.
                right = 1 if depth[v, last] < z else 0
                front, back = (last, u) if right == 1 else (u, last)
                if hand[v, front]:
                    gap = u - last - 1
                    per_mm = focal_px * (1.0 / depth[v, front] - 1.0 / depth[v, back])
                    inwards = -1 if right == 1 else 1
                    width, at = 0, front
                    while 0 <= at < columns and filled[v, at]:
                        width += 1
                        at += inwards
                    shadow = per_mm * farthest_mm
                    ends = front - inwards * shadow
                    if width >= shadow and 0 <= ends < columns and gap <= shadow + 2.0:
                        where = 0 if hand[v, back] else 1
                        sums[where, right, 0] += gap
                        sums[where, right, 1] += 1.0
                        sums[where, right, 2 + min(int(gap / per_mm), sums.shape[2] - 3)] += 1.0
            last = u


def shadow_sums(hand: Hand) -> NDArray[np.float64]:
    """Return (2, 2, 202) sums over one hand.

    The first axis tells edges before the hand itself from those before the background, the second the left side of the
    nearer surface from the right. Sums are of missing pixels, of edges, and a histogram of the baselines in mm that
    would make the gaps.
    """
    sums = np.zeros((2, 2, _BASELINES + len(_EDGES_MM) - 1))
    focal_px = float(np.asarray(hand.window.camera)[0])
    _edges(hand.window.depth_mm, hand.readings, hand.filled, focal_px, _JUMP_MM, _FARTHEST_MM, sums)
    return sums


def _widths(totals: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return mean gaps at the left and at the right, (sets, 2) px."""
    return totals[:, :, _GAP] / np.maximum(totals[:, :, _COUNT], 1)


def _asymmetry(totals: NDArray[np.float64]) -> NDArray[np.float64]:
    left, right = _widths(totals).T
    # Gaps that are narrower than half a pixel on average are no shadows, and their side means little.
    return (right - left) / np.maximum(right + left, _NARROW_PX)


def _excess(totals: NDArray[np.float64]) -> NDArray[np.float64]:
    left, right = _widths(totals).T
    return np.abs(right - left)


def _baseline(totals: NDArray[np.float64]) -> NDArray[np.float64]:
    median = median_of(_EDGES_MM)
    return median(totals[:, 0, _BASELINES:]) - median(totals[:, 1, _BASELINES:])


def measure_shadows(sums: NDArray[np.float64], bootstrap: Bootstrap) -> dict[str, Estimate | None]:
    """Return asymmetry and width of shadows, and the baseline that makes them.

    Args:
        sums: (frames, 2, 2, 202), see `shadow_sums`.
        bootstrap: The resampled sets.
    """
    result = {}
    for index, where in enumerate(WHERE):
        part = sums[:, index]
        # Both sides must have been seen.
        fewer = part[:, np.argmin(part[:, :, _COUNT].sum(axis=0)), _COUNT]
        for name, function in (
            (f"shadow_{where}_asymmetry", _asymmetry),
            (f"shadow_{where}_px", _excess),
            (f"shadow_{where}_baseline_mm", _baseline),
        ):
            result[name] = bootstrap.estimate(part, function, fewer, _FEWEST_EDGES)
    return result
