"""A store of five small items, and its writing, step by step."""

import numpy as np

from refiner.datasets.store_writer import StoreWriter, provenance
from refiner.hand.skeleton import HAND21


def writer(path, count=5, seed=0, **options):
    record = provenance("refiner render out.zarr --count 5", {"size": 8}, seed, [])
    arrays = {"joints_mm": (21, 3), "visible": (21,), "source": ()}
    return StoreWriter(
        path, count=count, size=8, depth_unit_mm=0.5, provenance=record, arrays=arrays, skeleton=HAND21, chunk_items=2,
        **options,
    )  # fmt: skip


def rows(start, stop):
    items = np.arange(start, stop)
    return {
        "depth": (items[:, None, None] + np.ones((1, 8, 8))).astype(np.uint16),
        "camera": np.ones((len(items), 4), np.float32),
        "centre_mm": np.tile(np.float32([0, 0, 600]), (len(items), 1)),
        "cube_mm": np.full(len(items), 260, np.float32),
        "joints_mm": (np.arange(63).reshape(21, 3) + [0, 0, 600] + items[:, None, None]).astype(np.float32),
        "visible": np.ones((len(items), 21), bool),
        "source": [f"item {i}" for i in items],
    }


def write_all(out):
    for start, stop in out.missing():
        out.write(start, rows(start, stop))
    out.finish()
