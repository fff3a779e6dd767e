"""Labels and bone lengths of hands whose joints are known in 3D, as a careful person would give them."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from refiner.annotate.sessions.bones import check_bones
from refiner.annotate.sessions.labels import ABSENT, OCCLUDED, VISIBLE, FrameLabels, inside
from refiner.datasets.store import DepthStore
from refiner.errors import LabelError, StoreError
from refiner.geometry.camera import project
from refiner.hand.skeleton import HAND21, Skeleton

NEARER_MM = 10.0
"""Joints whose depths differ by less are in no order: a person could not say either."""


def labels_of_joints(
    frame: int,
    joints_mm: NDArray[np.floating],
    visible: NDArray[np.bool_],
    camera: NDArray[np.floating],
    skeleton: Skeleton,
    size: int,
) -> FrameLabels:
    """Say what a careful person would of joints that are known in 3D.

    Args:
        frame: Index in the session's store.
        joints_mm: (J, 3), NaN where unknown; those and joints outside the crop are absent.
        visible: (J,).
        camera: (4,) fx fy cx cy of the crop.
        skeleton: Each joint is compared with its parent, and said to be nearer or farther where they are more than
            10 mm apart in depth.
        size: Side of the crop in pixels.
    """
    joints_mm = np.asarray(joints_mm, dtype=np.float64)
    known = np.isfinite(joints_mm).all(axis=1) & (joints_mm[:, 2] > 0)
    uv_px = np.full((len(joints_mm), 2), np.nan)
    uv_px[known] = project(joints_mm[known], camera)
    known &= inside(uv_px, size)
    uv_px[~known] = np.nan
    flag = np.where(known, np.where(visible, VISIBLE, OCCLUDED), ABSENT).astype(np.int8)
    nearer = []
    for parent, child in skeleton.bones:
        behind_mm = joints_mm[child, 2] - joints_mm[parent, 2]
        if known[parent] and known[child] and abs(behind_mm) > NEARER_MM:
            nearer.append((parent, child) if behind_mm > 0 else (child, parent))
    return FrameLabels(frame, uv_px, flag, tuple(nearer))


def labels_of_store(store: DepthStore) -> Iterator[FrameLabels]:
    """Give the labels of every frame of a store with joints, in order.

    Raises:
        StoreError: It has no joints.
    """
    from refiner.render.visibility import seen_joints

    skeleton = _skeleton_of(store)
    offset_mm = surface_offset_mm(skeleton)
    for start, stop in store.chunk_ranges():
        joints_mm, camera = store.read("joints_mm", start, stop), store.read("camera", start, stop)
        if "visible" in store:
            visible = store.read("visible", start, stop)
        else:
            visible = seen_joints(store.read("depth", start, stop), store.depth_unit_mm, camera, joints_mm, offset_mm)
        for n in range(stop - start):
            yield labels_of_joints(start + n, joints_mm[n], visible[n], camera[n], skeleton, store.size)


def bones_of_store(store: DepthStore) -> NDArray[np.float64]:
    """Give the median length of each bone over the frames of a store with joints, (J,) mm, NaN at the root.

    Raises:
        StoreError: It has no joints.
        LabelError: A bone is in no frame, or impossible.
    """
    skeleton = _skeleton_of(store)
    lengths_mm = skeleton.bone_lengths(store.read("joints_mm").astype(np.float64))
    median_mm = np.full(len(skeleton), np.nan)
    for _, child in skeleton.bones:
        if (known := np.isfinite(lengths_mm[:, child])).any():
            median_mm[child] = np.median(lengths_mm[known, child])
    try:
        return check_bones(median_mm, skeleton)
    except LabelError as error:
        raise LabelError(f"{store.path}, medians over its frames: {error} Or give them (--bones).") from None


def surface_offset_mm(skeleton: Skeleton) -> NDArray[np.float64]:
    """Give the depth (J,) of each joint below the skin: the hand model's, or 0 for joints that it does not have."""
    from refiner.hand.model import load_hand

    if skeleton.joints == HAND21.joints:
        return np.asarray(load_hand().surface_offset_mm, dtype=np.float64)
    return np.zeros(len(skeleton))


def _skeleton_of(store: DepthStore) -> Skeleton:
    if store.skeleton is None:
        raise StoreError(f"{store.path} has no joints_mm, wanted known joints. Label the frames by hand.")
    return store.skeleton
