"""What the maps of a store are to an annotation: which joints they are labelled with, and their order in time."""

import numpy as np
import zarr
from numpy.typing import NDArray

from refiner.datasets.store import DepthStore
from refiner.errors import StoreError
from refiner.hand.skeleton import Skeleton


def skeleton_of(store: DepthStore) -> Skeleton:
    """Give the joints that a store is to be labelled with: those it names, else hand21."""
    # A store without joints_mm may say all the same which ones it is meant for.
    return store.skeleton or Skeleton.from_attrs(zarr.open_group(store.path, mode="r").attrs.get("skeleton"))  # pyright: ignore


def starts_of(store: DepthStore) -> NDArray[np.bool_]:
    """Say where a new sequence begins, (N,).

    Raises:
        StoreError: There are no items, or they are in no order of time.
    """
    count = len(store)
    if not count:
        raise StoreError(f"{store.path} holds no items, wanted at least one frame.")
    sequence = store.read("sequence") if "sequence" in store else np.zeros(count, dtype=np.int32)
    starts = np.ones(count, dtype=np.bool_)
    starts[1:] = sequence[1:] != sequence[:-1]
    if "frame" not in store:
        return starts
    frame = store.read("frame").astype(np.int64)
    starts[1:] |= frame[1:] != frame[:-1] + 1
    last: dict[int, tuple[int, int]] = {}
    for item, (number, index) in enumerate(zip(sequence.tolist(), frame.tolist(), strict=True)):
        before, at = last.get(number, (-1, -1))
        if at >= 0 and index <= before:
            raise StoreError(
                f"{store.path} is in no order: found frame {before} of sequence {number} as item {at} and frame "
                f"{index} of it as item {item}, wanted frames to rise within a sequence. Sort the items, or give the "
                "sequences different numbers."
            )
        last[number] = (index, item)
    return starts


def sources_of(store: DepthStore) -> list[str]:
    """Say where each map came from: as the store does, else its place there."""
    if "source" in store:
        return [str(source) for source in store.read("source")]
    return [f"{store.path.name}/{item}" for item in range(len(store))]
