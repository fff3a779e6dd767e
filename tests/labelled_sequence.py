"""A small depth sequence with joints, for tests of annotation: a plate at 700 mm, and a hand before and behind it."""

from pathlib import Path

import numpy as np

from refiner.datasets.store_writer import StoreWriter
from refiner.hand.skeleton import HAND21, Skeleton

CAMERA = (100.0, 100.0, 15.5, 15.5)
SIZE = 32
THREE = Skeleton("three", ("root", "mid", "tip"), (-1, 0, 1))


def three_joints(count):
    """Joints of `THREE`: bones of 50 and 30 mm, the tip 18 mm behind the middle, all within the crop."""
    return np.tile(np.float32([[0, 0, 700], [30, 40, 700], [30, 16, 718]]), (count, 1, 1))


def write_sequence(path, *, count=6, skeleton=THREE, joints_mm=None, command="make", **arrays):
    """Write a store of flat maps; further arrays, such as frame=[0, 1, 2], stand as they are given."""
    if skeleton is THREE and joints_mm is None:
        joints_mm = three_joints(count)
    rows = {name: np.asarray(values) for name, values in arrays.items()}
    if joints_mm is not None:
        rows["joints_mm"] = np.asarray(joints_mm, np.float32)
    store = StoreWriter(
        path, count=count, size=SIZE, depth_unit_mm=1.0, provenance={"command": command}, skeleton=skeleton,
        arrays={name: values.shape[1:] for name, values in rows.items()},
    )  # fmt: skip
    rows |= {
        "depth": np.full((count, SIZE, SIZE), 700, np.uint16),
        "camera": np.tile(np.float32(CAMERA), (count, 1)),
        "centre_mm": np.tile(np.float32([0, 0, 700]), (count, 1)),
        "cube_mm": np.full(count, 260, np.float32),
    }
    if count:
        store.write(0, rows)
    store.finish()
    return Path(path)


def write_unlabelled(path, *, count=6, skeleton=HAND21, **arrays):
    """Write maps without joints."""
    return write_sequence(path, count=count, skeleton=skeleton, **arrays)
