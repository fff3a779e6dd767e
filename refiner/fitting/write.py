"""A set with the hand that was found in each of its maps: maps as they are, and pose, shape and joints beside them."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from refiner.datasets.store import DepthStore
from refiner.datasets.store_format import REQUIRED
from refiner.datasets.store_writer import CHUNK_ITEMS, StoreWriter
from refiner.fitting.settle import PlacedHand
from refiner.fitting.starts import Bank
from refiner.fitting.whole_set import fit_maps, maps_of
from refiner.hand.model import load_hand, pose_joints
from refiner.hand.skeleton import HAND21
from refiner.render.visibility import seen_joints

_COPIED = {"camera": (4,), "centre_mm": (3,), "cube_mm": (), "image_px": (4,), "source": (), "sequence": (),
           "frame": (), "subject": ()}  # fmt: skip
_FITTED = {"joints_mm": (21, 3), "visible": (21,), "side": (), "pose": (26,), "shape": (17,), "misfit_mm": ()}


def write_fitted(
    store: DepthStore,
    out: Path,
    bank: Bank,
    side: int,
    shape: NDArray[np.float64],
    provenance: Mapping[str, Any],
    *,
    window_px: int = 1,
    overwrite: bool = False,
    chunk_items: int = CHUNK_ITEMS,
    on_progress: Callable[[int], None] = lambda _done: None,
) -> NDArray[np.float32]:
    """Fit and write a set chunk by chunk, or the part of it that an interrupted run left out.

    Args:
        store: The set.
        out: Where to write.
        bank: Where fits begin.
        side: 0 right, 1 left.
        shape: (17,), the shared shape.
        provenance: See `refiner.datasets.store_writer.provenance`.
        window_px: Of the camera, see `refiner.sensors.window`.
        overwrite: Remove what lies at `out`.
        chunk_items: Maps in a chunk; neighbours help each other within one.
        on_progress: Called with the number of maps that are done since the last call.

    Returns:
        (N,) the misfits; NaN where a map has no reading.

    Raises:
        OutputExistsError: Something else lies at `out`.
    """
    copied = {name: axes for name, axes in _COPIED.items() if name in store}
    optional = {name: axes for name, axes in copied.items() if name not in REQUIRED}
    writer = StoreWriter(
        out, count=len(store), size=store.size, depth_unit_mm=store.depth_unit_mm, skeleton=HAND21,
        arrays=optional | _FITTED, provenance=provenance, sensor=store.sensor,
        overwrite=overwrite, chunk_items=chunk_items,
    )  # fmt: skip
    missing = writer.missing()
    on_progress(len(store) - sum(stop - start for start, stop in missing))
    for start, stop in missing:
        rows: dict[str, Any] = {name: store.read(name, start, stop) for name in ("depth", *copied)}
        maps = maps_of(rows, store.depth_unit_mm, window_px)
        hands = fit_maps(maps, bank, side, shape, on_progress)
        if "source" in copied:
            rows["source"] = rows["source"].tolist()
        writer.write(start, rows | _hand_rows(hands, side, rows, store.depth_unit_mm))
    writer.finish()
    return DepthStore(out).read("misfit_mm")


def _hand_rows(
    hands: list[PlacedHand | None], side: int, rows: Mapping[str, Any], unit_mm: float
) -> dict[str, NDArray[Any]]:
    count, model = len(hands), load_hand()
    pose, shape, wrist_mm = np.full((count, 26), np.nan), np.full((count, 17), np.nan), np.full((count, 3), np.nan)
    misfit_mm = np.full(count, np.nan)
    for n, hand in enumerate(hands):
        if hand is not None:
            pose[n], shape[n], wrist_mm[n], misfit_mm[n] = hand.pose, hand.shape, hand.wrist_mm, hand.misfit_mm
    known = np.flatnonzero(np.isfinite(misfit_mm))
    joints_mm = np.full((count, 21, 3), np.nan)
    sides = np.full(count, side, dtype=np.int32)
    joints_mm[known] = pose_joints(model, pose[known], shape[known], sides[known]) + wrist_mm[known, None]
    visible = seen_joints(rows["depth"], unit_mm, rows["camera"], joints_mm, model.surface_offset_mm)
    return {
        "joints_mm": joints_mm.astype(np.float32), "visible": visible, "side": sides,
        "pose": pose.astype(np.float32), "shape": shape.astype(np.float32), "misfit_mm": misfit_mm.astype(np.float32),
    }  # fmt: skip
