"""A session of the first frames of the shipped sequence, labelled as a careful person would."""

from pathlib import Path

import numpy as np
from shipped_sequence import STORE

from refiner.annotate.sessions.session import Session
from refiner.annotate.sessions.truth import bones_of_store
from refiner.annotate.simulate import labels_of_truth
from refiner.datasets.store import DepthStore
from refiner.datasets.store_writer import StoreWriter

FRAMES = 20
REFERENCES = (1, 5, 9, 13, 17)
NAMES = ("depth", "camera", "centre_mm", "cube_mm", "joints_mm", "visible", "sequence", "frame")


def write_cut(path, frames=FRAMES, break_at=None):
    """Write the first frames as a store of its own; from `break_at` on another sequence."""
    store = DepthStore(STORE)
    rows = {name: store.read(name, 0, frames) for name in NAMES if name in store}
    rows["sequence"] = np.zeros(frames, np.int32)
    rows["frame"] = np.arange(frames, dtype=np.int32)
    if break_at is not None:
        rows["sequence"][break_at:] = 1
    writer = StoreWriter(
        path, count=frames, size=store.size, depth_unit_mm=store.depth_unit_mm, provenance={}, skeleton=store.skeleton,
        arrays={n: rows[n].shape[1:] for n in ("joints_mm", "visible", "sequence", "frame")},
    )  # fmt: skip
    writer.write(0, rows)
    writer.finish()
    return Path(path)


def labelled_session(folder, frames=FRAMES, references=REFERENCES, break_at=None):
    """Make a session in a folder, with labels of some frames and the bone lengths; it is left closed."""
    truth = DepthStore(write_cut(Path(folder) / "truth.zarr", frames, break_at))
    path = Path(folder) / "session"
    with Session.create(path, truth.path) as session:
        session.put_labels(labels_of_truth(truth, references), "simulated")
        session.set_bones(bones_of_store(truth))
    return path
