"""How unlike the frames of a session are: descriptors are computed once and kept in its folder, distances never."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from refiner.annotate.references.descriptors import hog
from refiner.annotate.references.distances import CosineDistances
from refiner.annotate.references.maps import StoredMaps
from refiner.annotate.sessions.session import Session
from refiner.datasets.store import DepthStore
from refiner.files import write_atomically

Descriptor = Literal["codes", "hog"]


OnUpdate = Callable[[int, int], None]

UPDATES = 1200
"""Of the auto-encoder; it stands here so that it is known before torch is, which takes seconds to import."""


def distances_of(
    session: Session,
    descriptor: Descriptor,
    seed: int = 0,
    on_update: OnUpdate = lambda done, of: None,  # noqa: ARG005
) -> CosineDistances:
    """Return the distances of a session's frames.

    Args:
        session: With the sequence.
        descriptor: "codes" of an auto-encoder that is trained on the sequence, or "hog".
        seed: Of the auto-encoder.
        on_update: Is given how much of the training is done, and of how much.
    """
    path = _path(session, descriptor, seed)
    if not path.exists():
        found = _descriptors(session.store, descriptor, seed, on_update)
        write_atomically(path, lambda file: np.save(file, found))
        del found
    return CosineDistances(np.load(path, mmap_mode="r"))


def known_distances(session: Session, descriptor: Descriptor, seed: int = 0) -> CosineDistances | None:
    """Return the distances where they were computed before, else nothing; arguments as for `distances_of`."""
    path = _path(session, descriptor, seed)
    return CosineDistances(np.load(path, mmap_mode="r")) if path.exists() else None


def _path(session: Session, descriptor: Descriptor, seed: int) -> Path:
    key = hashlib.sha256(f"{session.digest} {descriptor} {seed}".encode()).hexdigest()[:16]
    return session.path / f"{descriptor}-{key}.npy"


def _descriptors(store: DepthStore, descriptor: Descriptor, seed: int, on_update: OnUpdate) -> NDArray[np.float32]:
    maps = StoredMaps(store)
    if descriptor == "hog":
        return hog(maps)
    on_update(0, UPDATES)
    from refiner.annotate.references.codes import auto_encoder_codes  # who only reads codes needs no torch

    return auto_encoder_codes(
        maps, store.read("centre_mm"), store.read("cube_mm"), seed=seed,
        on_update=lambda done, _error_mm: on_update(done, UPDATES),
    )  # fmt: skip
