"""The labelled sequence that ships with the project, cut short, and what a careful person would click in it."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np

from refiner.annotate.solver.sequence import DepthSequence
from refiner.datasets.store import DepthStore
from refiner.geometry.camera import project
from refiner.hand.model import load_hand
from refiner.hand.skeleton import HAND21

STORE = Path(__file__).parents[2] / "data" / "sequence.zarr"


def shipped(frames=24):
    """Give the sequence, its true joints (N, 21, 3) and which are seen."""
    store = DepthStore(STORE)
    rows = {name: store.read(name, 0, frames) for name in ("depth", "camera", "centre_mm", "cube_mm")}
    starts = np.arange(frames) == 0
    sequence = DepthSequence(
        rows["depth"],
        store.depth_unit_mm,
        *(rows[n].astype(np.float64) for n in ("camera", "centre_mm", "cube_mm")),
        starts,
    )
    return sequence, store.read("joints_mm", 0, frames).astype(np.float64), store.read("visible", 0, frames)


def clicks(sequence, joints_mm, visible, frames, noise_px=0.0):
    """Give clicks upon true joints, with every bone's depth order beyond 10 mm."""
    labels = {}
    for n in frames:
        noise = np.random.default_rng(int(n)).normal(0, 1, (21, 2)) * noise_px
        z = joints_mm[n, :, 2]
        pairs = tuple((p, c) if z[p] < z[c] else (c, p) for p, c in HAND21.bones if abs(z[p] - z[c]) > 10)
        labels[int(n)] = SimpleNamespace(
            uv_px=project(joints_mm[n], sequence.camera[n]) + noise,
            flag=np.where(visible[n], 2, 1).astype(np.int8),
            nearer=pairs,
        )
    return labels


def offsets():
    """Give the depth of the model's joints below the skin, mm."""
    return load_hand().surface_offset_mm.astype(np.float64)


def error_mm(found_mm, joints_mm):
    """Give the mean distance."""
    return float(np.linalg.norm(found_mm - joints_mm, axis=-1).mean())
