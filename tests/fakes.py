"""Small stores of balls before nothing, and networks with random weights, for tests that only need the right kind."""

from pathlib import Path

import numpy as np
import torch

from refiner.datasets.store_format import REQUIRED
from refiner.datasets.store_writer import StoreWriter
from refiner.nets.refiner import ComposedRefiner, Growth, LightLoss, MapNoise, PixelLoss

PARTS = {"light": LightLoss, "loss": PixelLoss, "growth": Growth, "measurement": MapNoise}

CAMERA = {
    "name": None, "image_px": [640, 480], "camera": [400.0, 400.0, 320.0, 240.0], "unit_mm": 1.0, "given": {},
    "frames": 12, "measured": {
        "step_mm_at_1m": {"value": 2.9, "low": 2.8, "high": 3.0},
        "step_exponent": {"value": 2.0, "low": 2.0, "high": 2.0},
        "rows_alternate_mm": {"value": -2.0, "low": -2.1, "high": -1.9},
    },
}  # fmt: skip
"""An attribute `sensor`."""


def write_balls(path, *, count=40, size=16, unit_mm=0.1, cube_mm=260.0, seed=0, noisy=False, complete=True,
                sensor=None):  # fmt: skip
    """Write balls at about 700 mm; noisy ones have holes and a rough surface, as a camera's."""
    rng = np.random.default_rng(seed)
    v, u = np.mgrid[:size, :size]
    maps = np.zeros((count, size, size), np.float32)
    for map_ in maps:
        centre, radius = rng.uniform(0.4, 0.6, 2) * size, rng.uniform(0.25, 0.4) * size
        square = radius**2 - (u - centre[0]) ** 2 - (v - centre[1]) ** 2
        map_[:] = np.where(square > 0, 720 - 3 * np.sqrt(np.maximum(square, 0)), 0)
        if noisy:
            map_[map_ > 0] += rng.normal(0, 3, int((map_ > 0).sum()))
            map_[rng.random(map_.shape) < 0.1] = 0
    return write_maps(path, maps, unit_mm=unit_mm, cube_mm=cube_mm, complete=complete, sensor=sensor)


def write_maps(path, depth_mm, *, unit_mm=1.0, cube_mm=260.0, complete=True, sensor=None, **arrays):
    """Write maps (n, size, size) about 700 mm; arrays of one number an item beside them, or in place of the usual."""
    count, size = depth_mm.shape[:2]
    store = StoreWriter(
        path, count=count, size=size, depth_unit_mm=unit_mm, provenance={"command": "remake"},
        arrays=dict.fromkeys(set(arrays) - set(REQUIRED), ()), sensor=sensor,
    )  # fmt: skip
    rows = {
        "depth": np.rint(depth_mm / unit_mm).astype(np.uint16),
        "camera": np.ones((count, 4), np.float32),
        "centre_mm": np.tile(np.float32([0, 0, 700]), (count, 1)),
        "cube_mm": np.full(count, cube_mm, np.float32),
        **arrays,
    }
    for start, stop in store.missing():
        store.write(start, {name: values[start:stop] for name, values in rows.items()})
    if complete:
        store.finish()
    return Path(path)


def awake(network, seed=0):
    """Give every weight a random value, so that the network is not the identity."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for weights in network.parameters():
            weights.copy_(0.3 * torch.randn(weights.shape, generator=generator))
    return network


def small_refiner(channels=8, **parts):
    """A refiner of one block with every part, but for those that are given, none among them."""
    kinds = {name: kind() for name, kind in PARTS.items() if name not in parts}
    return ComposedRefiner(channels, 1, **(kinds | parts))
