"""What each frame's result was made from, as one number, so that a correction is followed only as far as it reaches.

A labelled frame is made from its labels, the bone lengths and the options; any other from the frame it starts from and
the reference most like it, and so on back to labels, and then from its neighbours as far as the next labelled frames.
Two equal numbers mean: nothing of this has changed.
"""

import hashlib

import numpy as np
from numpy.typing import NDArray

from refiner.annotate.sessions.history import as_text
from refiner.annotate.sessions.labels import FrameLabels


def key_of(*parts: object) -> np.uint64:
    """Give a number of 64 bits that stands for some values."""
    return np.uint64(int.from_bytes(hashlib.sha256(repr(parts).encode()).digest()[:8], "little"))


def lift_keys(frames: int, labels: dict[int, FrameLabels], common: object) -> NDArray[np.uint64]:
    """Give the keys (N,) of labelled frames, 0 of the others; `common` is what all are made from."""
    keys = np.zeros(frames, dtype=np.uint64)
    for frame, one in labels.items():
        keys[frame] = key_of("lift", as_text(one), common)
    return keys


def propagate_keys(
    lifted: NDArray[np.uint64],
    order: tuple[NDArray[np.int64], NDArray[np.int64]],
    nearest: NDArray[np.int64],
    common: object,
) -> NDArray[np.uint64]:
    """Give the keys (N,) of frames that are solved in an order, each from one before it (see `propagation_order`)."""
    keys = np.where(lifted > 0, lifted, np.uint64(0))
    for frame, source in zip(*order, strict=True):
        like = int(nearest[frame])
        keys[frame] = key_of("propagate", int(keys[source]), int(source), int(keys[like]), like, common)
    return keys


def sweep_keys(
    propagated: NDArray[np.uint64], labelled: NDArray[np.bool_], starts: NDArray[np.bool_]
) -> NDArray[np.uint64]:
    """Give one key (N,) to all frames between two labelled frames or breaks, who are tried from one another."""
    keys, edge = propagated.copy(), starts | labelled
    edge[1:] |= labelled[:-1]
    gap = np.cumsum(edge)
    for number in np.unique(gap[~labelled]):
        at = np.flatnonzero(gap == number)
        first, after = at[0] - (not starts[at[0]] and at[0] > 0), at[-1] + 1
        after += after < len(keys) and not starts[after]
        keys[at] = key_of("sweep", [int(key) for key in propagated[first:after]])
    return keys


def optimize_keys(
    swept: NDArray[np.uint64], nearest: NDArray[np.int64], starts: NDArray[np.bool_], common: object
) -> NDArray[np.uint64]:
    """Give one key (N,) to all frames from one break to the next, whose joints hang together."""
    run = np.cumsum(starts)
    keys = np.zeros(len(run), dtype=np.uint64)
    for number in np.unique(run):
        at = np.flatnonzero(run == number)
        parts = [(int(swept[n]), int(swept[nearest[n]])) for n in at]
        keys[at] = key_of("optimize", parts, common)
    return keys


def unchanged(keys: NDArray[np.uint64], before: NDArray[np.uint64] | None) -> NDArray[np.bool_]:
    """Say which frames (N,) are made from the same as before."""
    return np.zeros(len(keys), dtype=bool) if before is None else (keys == before) & (keys > 0)
