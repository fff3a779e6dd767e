"""Say how alike the finest detail of a recording's frames is, in one sequence and between sequences.

    python -m experiments.same_hand SET.zarr --out FILE.json

Detail is what a Gaussian mean over 2 px leaves of a map, inside the hand. Two maps are laid on each other by the shift
of 3 px at most along each axis that makes them most alike. Noise would not be alike; creases, sinews and steps that
stay where they are would. A classifier that learns from some frames of a sequence can know such a hand again.
"""

import argparse
import json
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from experiments.smooth import mean_of_readings
from refiner.datasets.store import DepthStore
from refiner.files import write_json
from refiner.geometry.depth import to_mm

SMOOTH_PX, MOST_MM, SHIFT_PX = 2.0, 6.0, 3
"""Detail beyond `MOST_MM` is an edge between two fingers and does not count."""
FEWEST_PX, PAIRS = 60, 400
LAGS = (1, 5, 20)


def detail_mm(depth_mm: NDArray[np.float32]) -> NDArray[np.float32]:
    """Give what a Gaussian mean leaves of a map (H, W), NaN outside the hand, near its outline and at edges."""
    detail = depth_mm - mean_of_readings(depth_mm, SMOOTH_PX)[1]
    inner = cv2.erode((depth_mm > 0).astype(np.uint8), np.ones((7, 7), np.uint8)) > 0
    return np.where(inner & (np.abs(detail) < MOST_MM), detail, np.nan).astype(np.float32)


def likeness(first: NDArray[np.float32], second: NDArray[np.float32]) -> float:
    """Give the correlation of two maps of detail (H, W) at the shift where it is greatest; NaN where too few meet."""
    margin, best = SHIFT_PX, np.nan
    inner = first[margin:-margin, margin:-margin]
    height, width = inner.shape
    for y in range(2 * margin + 1):
        for x in range(2 * margin + 1):
            other = second[y : y + height, x : x + width]
            both = np.isfinite(inner) & np.isfinite(other)
            if both.sum() >= FEWEST_PX:
                best = np.fmax(best, np.corrcoef(inner[both], other[both])[0, 1])
    return float(best)


def likenesses(store: DepthStore, seed: int = 0) -> dict[str, dict[str, float]]:
    """Give median, lowest and highest quarter of the likeness of frames so far apart, and of other sequences."""
    details = [detail_mm(map_) for map_ in to_mm(store.read("depth"), store.depth_unit_mm)]
    sequence, rng = store.read("sequence"), np.random.default_rng((0x7368, seed))
    pairs: dict[str, list[tuple[int, int]]] = {}
    for lag in LAGS:
        items = np.flatnonzero(sequence[lag:] == sequence[:-lag])
        pairs[f"{lag} apart"] = [(int(k), int(k) + lag) for k in items]
    drawn = rng.integers(0, len(store), (2 * PAIRS, 2))
    pairs["other sequences"] = [(int(a), int(b)) for a, b in drawn if sequence[a] != sequence[b]]
    report: dict[str, dict[str, float]] = {}
    for name, all_pairs in pairs.items():
        if all_pairs:
            chosen = rng.permutation(len(all_pairs))[:PAIRS]
            found = [likeness(details[a], details[b]) for a, b in (all_pairs[k] for k in chosen)]
            low, middle, high = np.nanquantile(found, (0.25, 0.5, 0.75))
            report[name] = {"median": float(middle), "low": float(low), "high": float(high), "pairs": len(found)}
    return report


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("store", type=Path, help="camera maps, as `refiner prepare` writes")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    report = likenesses(DepthStore(options.store), options.seed)
    print(json.dumps(report, indent=2))
    if options.out is not None:
        write_json(options.out, report)


if __name__ == "__main__":
    main()
