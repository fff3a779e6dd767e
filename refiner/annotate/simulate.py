"""A simulated annotator, who knows the true joints.

Oberweger et al. 2016 measured their method so: clicks with noise, visibility from the depth map, order in depth beyond
10 mm.
"""

from collections.abc import Iterable

import numpy as np

from refiner.annotate.sessions.labels import FrameLabels
from refiner.annotate.sessions.truth import labels_of_store
from refiner.datasets.store import DepthStore
from refiner.errors import StoreError


def labels_of_truth(
    store: DepthStore, frames: Iterable[int], noise_px: float = 0.0, seed: int = 0
) -> list[FrameLabels]:
    """Label frames as a careful person would; item by item the same for a seed.

    Args:
        store: With joints.
        frames: Which.
        noise_px: Deviation of each click along u and v.
        seed: Of the noise.
    """
    wanted = set(frames)
    found = []
    for labels in labels_of_store(store):
        if labels.frame in wanted:
            noise = np.random.default_rng((seed, labels.frame)).standard_normal(labels.uv_px.shape)
            uv_px = np.clip(labels.uv_px + noise_px * noise, -0.5, store.size - 0.5)
            found.append(FrameLabels(labels.frame, uv_px, labels.flag, labels.nearer))
    return found


def check_same_frames(store: DepthStore, truth: DepthStore) -> None:
    """Refuse a truth of other frames.

    Raises:
        StoreError: The numbers of frames or their cubes differ, or it has no joints.
    """
    if truth.skeleton is None:
        raise StoreError(f"{truth.path} has no joints_mm, wanted true joints of {store.path}.")
    same = len(store) == len(truth) and np.allclose(store.read("centre_mm"), truth.read("centre_mm"), atol=0.5)
    if not same:
        raise StoreError(
            f"{truth.path} holds {len(truth)} frames, {store.path} {len(store)}, or their cubes differ; wanted the "
            "same frames in the same order."
        )
