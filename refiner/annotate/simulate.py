"""A simulated annotator, who knows the true joints: labels, and the corrections that a person would make.

Oberweger et al. 2016 measured their method so: clicks with noise, visibility from the depth map, order in depth beyond
10 mm. A frame is corrected where a joint is too far off; the authors' code asks for 10 px of its crop (17 mm) and then
replaces the whole frame's labels, while it counts only the joints that were off.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from refiner.annotate.labels import FrameLabels
from refiner.annotate.truth import labels_of_store
from refiner.datasets.store import DepthStore
from refiner.errors import StoreError

NEAR_MM, FAR_MM = 10.0, 17.0
"""Joints farther off than these are counted; frames with one beyond the second are corrected."""


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


@dataclass(frozen=True)
class Corrections:
    """Joints that a person would move.

    Attributes:
        near: How many are more than 10 mm off, in frames without labels.
        far: More than 17 mm.
        joints: How many there are in all frames.
        frames: Frames with one more than 17 mm off, the worst first.
    """

    near: int
    far: int
    joints: int
    frames: list[int]


def corrections(
    joints_mm: NDArray[np.floating], truth_mm: NDArray[np.floating], labelled: Iterable[int]
) -> Corrections:
    """Count the joints (N, J, 3) that are too far from the truth, in frames that nobody labelled."""
    off_mm = np.linalg.norm(joints_mm.astype(np.float64) - truth_mm, axis=-1)
    off_mm[list(labelled)] = 0.0
    off_mm = np.nan_to_num(off_mm)
    worst = off_mm.max(axis=1)
    order = np.argsort(-worst, kind="stable")
    return Corrections(
        int((off_mm > NEAR_MM).sum()), int((off_mm > FAR_MM).sum()), off_mm.size,
        [int(n) for n in order if worst[n] > FAR_MM],
    )  # fmt: skip


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
