"""Estimated joints: find them in a whole dataset, write them down, score them from the file.

A file of estimates is NumPy's npz: `joints_mm` (N, J, 3) float32 in the camera frame, and `record`, a JSON text with
the joint set, the dataset's digest and the checkpoint's.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from refiner.datasets.store import DepthStore
from refiner.errors import OutputExistsError, StoreError
from refiner.files import write_atomically
from refiner.geometry.depth import to_mm as depth_to_mm
from refiner.hand.skeleton import Skeleton, map_joints
from refiner.pose.checkpoint import TrainedEstimator, load_estimator
from refiner.pose.coordinates import to_mm
from refiner.pose.metrics import score

BATCH = 64
"""Maps the network sees at a time: always as many, so that the estimates do not depend on how the set was cut."""


def estimate(
    trained: TrainedEstimator, store: DepthStore, *, device: str = "cpu", on_maps: Callable[[int], None] | None = None
) -> NDArray[np.float32]:
    """Find the joints of every item.

    Args:
        trained: The estimator.
        store: Any dataset of its map size.
        device: Where the network runs.
        on_maps: Told how many maps are done.

    Returns:
        (N, J, 3) mm in the camera frame.

    Raises:
        StoreError: The maps have another size.
    """
    size = trained.codec.size
    if store.size != size:
        raise StoreError(
            f"{store.path} holds maps of {store.size} px, but the estimator was trained on {size} px. Render or "
            f"prepare the set with --size {size}, or train on {store.size} px."
        )
    network, parts = trained.network.to(device), []
    for start in range(0, len(store), BATCH):
        stop = min(start + BATCH, len(store))
        camera, centre_mm, cube_mm = (store.read(name, start, stop) for name in ("camera", "centre_mm", "cube_mm"))
        depth_mm = depth_to_mm(store.read("depth", start, stop), store.depth_unit_mm)
        padded = np.ones((BATCH, 1, size, size), np.float32)
        padded[: stop - start, 0] = trained.codec.encode(depth_mm, centre_mm[:, 2], cube_mm)
        with torch.inference_mode():
            depth = torch.from_numpy(padded).to(device)
            joints = network.joints(network.stages(depth)[-1], depth).float().cpu().numpy()  # pyright: ignore[reportCallIssue]
        parts.append(to_mm(joints[: stop - start], camera, centre_mm, cube_mm, size))
        if on_maps is not None:
            on_maps(stop - start)
    return np.concatenate(parts)


def predict(
    checkpoint: Path,
    src: Path,
    out: Path,
    *,
    device: str = "cpu",
    overwrite: bool = False,
    on_maps: Callable[[int], None] | None = None,
) -> int:
    """Write the estimated joints of a dataset; give the number of maps.

    Raises:
        OutputExistsError: Something lies at `out`.
    """
    if out.exists() and not overwrite:
        raise OutputExistsError(f"{out} exists. Give another name, or --overwrite.")
    trained, store = load_estimator(checkpoint), DepthStore(src)
    joints_mm = estimate(trained, store, device=device, on_maps=on_maps)
    record = make_record(trained, checkpoint, store, src)
    write_atomically(out, lambda file: np.savez(file, joints_mm=joints_mm, record=np.array(json.dumps(record))))
    return len(joints_mm)


def make_record(trained: TrainedEstimator, checkpoint: Path, store: DepthStore, src: Path) -> dict[str, Any]:
    """Say which estimator found which joints in which dataset, in plain types."""
    return {
        "skeleton": trained.skeleton.to_attrs(),
        "store": {"path": str(src), "digest": store.digest()},
        "estimator": {"checkpoint": str(checkpoint), **trained.facts},
    }


def are_estimates_of(path: Path, checkpoint: Path, src: Path) -> bool:
    """Say whether a file holds this checkpoint's estimates of this dataset, as an interrupted command leaves them."""
    if not path.exists():
        return False
    record = make_record(load_estimator(checkpoint), checkpoint, DepthStore(src), src)
    return read_estimates(path)[1] == json.loads(json.dumps(record))


def read_estimates(path: Path) -> tuple[NDArray[np.float32], dict[str, Any]]:
    """Read a file of estimates: joints and record.

    Raises:
        StoreError: It is something else.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            return file["joints_mm"], json.loads(str(file["record"]))
    except (OSError, ValueError, KeyError) as error:
        raise StoreError(
            f"{path} holds no estimated joints ({error}); wanted a file of `refiner pose predict`."
        ) from error


def evaluate(estimates: Path, src: Path, *, pck_size_px: int | None = None, seed: int = 0) -> dict[str, Any]:
    """Score a file of estimates against the labels of a dataset (see `metrics.score`).

    Labels of hand21 are mapped to the estimator's joint set where that is another.

    Raises:
        StoreError: The dataset has no labels, other items, or joints that do not fit.
    """
    joints_mm, record = read_estimates(estimates)
    store = DepthStore(src)
    if store.skeleton is None or "joints_mm" not in store.names:
        raise StoreError(f"{src} has no joints_mm to measure against, wanted a labelled set.")
    if record["store"]["digest"] != store.digest():
        raise StoreError(
            f"{estimates} was made from {record['store']['path']}, which is not what lies at {src}. Predict again."
        )
    skeleton = Skeleton.from_attrs(record["skeleton"])
    true_mm = labels_as(store.read("joints_mm"), store.skeleton, skeleton, src)
    result = score(
        joints_mm, true_mm, store.read("camera"), skeleton, size_px=store.size, pck_size_px=pck_size_px, seed=seed
    )
    return result | {"skeleton": skeleton.name, "store": record["store"], "estimator": record["estimator"]}


def labels_as(joints_mm: NDArray[np.float32], found: Skeleton, wanted: Skeleton, src: Path) -> NDArray[np.float32]:
    """Give labels in another joint set.

    Raises:
        StoreError: There is no map from the one to the other.
    """
    if found.joints == wanted.joints:
        return joints_mm
    if found.name == "hand21":
        return map_joints(joints_mm, wanted.name)
    raise StoreError(
        f"{src} is labelled with {found.name}, but the estimator finds {wanted.name}; wanted the same, or hand21."
    )
