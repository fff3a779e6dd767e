"""How unlike the frames of a session are: descriptors are computed once and kept in its folder, distances never."""

import hashlib
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from refiner.annotate.references.codes import auto_encoder_codes
from refiner.annotate.references.descriptors import hog
from refiner.annotate.references.distances import CosineDistances
from refiner.annotate.references.maps import StoredMaps
from refiner.annotate.sessions.session import Session
from refiner.datasets.store import DepthStore
from refiner.files import write_atomically

Descriptor = Literal["codes", "hog"]


def distances_of(session: Session, descriptor: Descriptor, seed: int = 0) -> CosineDistances:
    """Give the distances of a session's frames.

    Args:
        session: With the sequence.
        descriptor: "codes" of an auto-encoder that is trained on the sequence, or "hog".
        seed: Of the auto-encoder.
    """
    store = session.store
    key = hashlib.sha256(f"{store.digest()} {descriptor} {seed}".encode()).hexdigest()[:16]
    path = session.path / f"{descriptor}-{key}.npy"
    if not path.exists():
        found = _descriptors(store, descriptor, seed)
        write_atomically(path, lambda file: np.save(file, found))
        del found
    return CosineDistances(np.load(path, mmap_mode="r"))


def _descriptors(store: DepthStore, descriptor: Descriptor, seed: int) -> NDArray[np.float32]:
    maps = StoredMaps(store)
    if descriptor == "hog":
        return hog(maps)
    return auto_encoder_codes(maps, store.read("centre_mm"), store.read("cube_mm"), seed=seed)
