"""How fast random maps of a store reach training, and whether memory stays flat.

    python -m experiments.bench.reading [--maps 8192] [--size 128] [--out FILE.json]

Writes a store of random hands into a temporary folder, decodes it, and reads it in shuffled order: single maps as they
are stored, and whole training batches (both stores, dequantised, as network depth).
"""

import argparse
import os
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from experiments.bench.timing import report, row
from refiner.datasets.cache import decode_store
from refiner.datasets.store import DepthStore
from refiner.datasets.store_writer import StoreWriter
from refiner.datasets.unpaired import UnpairedDepth

BATCH = 32


def write_store(path: Path, count: int, size: int, unit_mm: float) -> None:
    """Write noisy discs at 700 mm."""
    rng = np.random.default_rng(0)
    axis = np.arange(size) - size / 2
    hand = np.hypot(axis[:, None], axis[None, :]) < size / 4
    writer = StoreWriter(path, count=count, size=size, depth_unit_mm=unit_mm, provenance={}, arrays={})
    for start, stop in writer.missing():
        n = stop - start
        depth = np.where(hand, rng.integers(680, 720, (n, size, size)) / unit_mm, 0)
        writer.write(
            start,
            {
                "depth": depth.astype(np.uint16),
                "camera": np.ones((n, 4), np.float32),
                "centre_mm": np.tile(np.array([0, 0, 700], np.float32), (n, 1)),
                "cube_mm": np.full(n, 260, np.float32),
            },
        )
    writer.finish()


def resident_mb() -> float:
    """Give this process's resident memory."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--maps", type=int, default=8192)
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        os.environ["DEPTH_REFINER_CACHE"] = f"{folder}/cache"
        for name, unit_mm in (("a", 0.1), ("b", 1.0)):
            write_store(Path(folder, f"{name}.zarr"), options.maps, options.size, unit_mm)
        store = DepthStore(Path(folder, "b.zarr"))
        start = time.perf_counter()
        maps = decode_store(store)
        rows.append(row("decode once", [options.maps / (time.perf_counter() - start)], "maps/s"))
        order = np.random.default_rng(1).permutation(options.maps).reshape(-1, BATCH)
        maps.read(order[0])
        before, rates = resident_mb(), []
        for _ in range(options.rounds):
            start = time.perf_counter()
            for items in order:
                maps.read(items)
            rates.append(options.maps / (time.perf_counter() - start))
        rows.append(row("stored maps, shuffled", rates, "maps/s", ">= 5000"))
        batches = UnpairedDepth(Path(folder, "a.zarr"), Path(folder, "b.zarr"), batch_size=BATCH).training_batches()
        batches.batch(0)
        rates = []
        for turn in range(options.rounds):
            start = time.perf_counter()
            for step in range(50):
                batches.batch(50 * turn + step)
            rates.append(2 * BATCH * 50 / (time.perf_counter() - start))
        rows.append(row("training batches (network depth)", rates, "maps/s", ">= 5000"))
        rows.append(row("resident memory grown by", [resident_mb() - before], "MB", "flat"))
        rows.append(row("decoded file", [maps.path.stat().st_size / 2**20], "MB"))
    report(rows, options.out)


if __name__ == "__main__":
    main()
