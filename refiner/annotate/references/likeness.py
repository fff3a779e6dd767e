"""How unlike the frames of a session are: descriptors are computed once and kept in its folder."""

import hashlib
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from refiner.annotate.references.codes import auto_encoder_codes
from refiner.annotate.references.descriptors import cosine_distances, hog
from refiner.annotate.sessions.session import Session
from refiner.files import write_atomically

Descriptor = Literal["codes", "hog"]


def distances_of(session: Session, descriptor: Descriptor, seed: int = 0) -> NDArray[np.float32]:
    """Give the distance of every two frames, (N, N).

    Args:
        session: With the sequence.
        descriptor: "codes" of an auto-encoder that is trained on the sequence, or "hog".
        seed: Of the auto-encoder.
    """
    store = session.store
    key = hashlib.sha256(f"{store.digest()} {descriptor} {seed}".encode()).hexdigest()[:16]
    path = session.path / f"{descriptor}-{key}.npy"
    if path.exists():
        return cosine_distances(np.load(path))
    depth_mm = store.read("depth") * np.float32(store.depth_unit_mm)
    if descriptor == "hog":
        found = hog(depth_mm)
    else:
        found = auto_encoder_codes(depth_mm, store.read("centre_mm"), store.read("cube_mm"), seed=seed)
    write_atomically(path, lambda file: np.save(file, found))
    return cosine_distances(found)
