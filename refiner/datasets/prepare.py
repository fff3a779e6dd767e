"""Make a dataset of hand crops from a recording: cut, resize and store what `hands.py` found.

The hands are found first, so that the number of items is known before anything is written. Then those frames are read
again, and the store is filled chunk by chunk; run again after a kill, it goes on with the chunks that are missing. Both
work in threads: decoding files, finding and cropping all let go of the interpreter.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from refiner.datasets.hands import Hands
from refiner.datasets.store_writer import CHUNK_ITEMS, StoreWriter
from refiner.geometry.crop import crop_cube
from refiner.geometry.depth import to_units
from refiner.hand.skeleton import Skeleton
from refiner.threads import in_threads


def write_crops(
    out: Path,
    hands: Hands,
    *,
    cube_mm: float,
    size: int,
    side: int | None,
    provenance: Mapping[str, Any],
    skeleton: Skeleton | None = None,
    sensor: Mapping[str, Any] | None = None,
    overwrite: bool = False,
    chunk_items: int = CHUNK_ITEMS,
    on_progress: Callable[[int], None] | None = None,
) -> None:
    """Cut the cube around each hand and write the store, or the part of it that an interrupted run left out.

    Args:
        out: Where the store will lie.
        hands: What `find_hands` returned.
        cube_mm: Side of the cube.
        size: Side of the crops in pixels.
        side: 0 right, 1 left; nothing leaves the array out. Left hands are stored as they are, not mirrored.
        provenance: See `refiner.datasets.store_writer.provenance`; equal provenance continues an interrupted run.
        skeleton: Joint set of the frames' labels, which are then stored.
        sensor: What `refiner.datasets.recorded_sensor.describe_recording` returned.
        overwrite: Remove what lies at `out`.
        chunk_items: Items in a chunk.
        on_progress: Called with the number of items that are done since the last call.

    Raises:
        OutputExistsError: Something else lies at `out`.
        DepthFormatError: A file changed since its hand was found.
    """
    arrays: dict[str, tuple[int, ...]] = {"source": (), "sequence": (), "frame": ()}
    if side is not None:
        arrays["side"] = ()
    if skeleton is not None:
        arrays["joints_mm"] = (len(skeleton), 3)
    image_px = image_edges(hands, cube_mm, size)
    borders_show = bool(cut_by_border(image_px, size).any())
    if borders_show:
        arrays["image_px"] = (4,)
    writer = StoreWriter(
        out,
        count=len(hands),
        size=size,
        depth_unit_mm=hands.step_mm,
        provenance=provenance,
        arrays=arrays,
        skeleton=skeleton,
        sensor=sensor,
        overwrite=overwrite,
        chunk_items=chunk_items,
    )
    missing = writer.missing()
    if on_progress is not None:
        on_progress(len(hands) - sum(stop - start for start, stop in missing))

    def cut(index: int) -> tuple[NDArray[np.uint16], NDArray[np.float64]]:
        depth = hands.frames[index].read()
        crop_mm, camera = crop_cube(depth.depth_mm, depth.camera, hands.centres_mm[index], cube_mm, size)
        if on_progress is not None:
            on_progress(1)
        return to_units(crop_mm, hands.step_mm), camera

    for start, stop in missing:
        crops = [crop for _, crop in in_threads(cut, range(start, stop))]
        frames = hands.frames[start:stop]
        rows: dict[str, Any] = {
            "depth": np.stack([depth for depth, _ in crops]),
            "camera": np.stack([camera for _, camera in crops]),
            "centre_mm": np.stack(hands.centres_mm[start:stop]),
            "cube_mm": np.full(stop - start, cube_mm),
            "source": [frame.source for frame in frames],
            "sequence": np.array([frame.sequence for frame in frames]),
            "frame": np.array([frame.frame for frame in frames]),
        }
        if skeleton is not None:
            rows["joints_mm"] = np.array([frame.joints_mm for frame in frames])
        if side is not None:
            rows["side"] = np.full(stop - start, side)
        if borders_show:
            rows["image_px"] = image_px[start:stop]
        writer.write(start, rows)
    writer.finish()


def image_edges(hands: Hands, cube_mm: float, size: int) -> NDArray[np.float64]:
    """Return where the recorded images end in the crops: left, top, right and bottom edge, (N, 4) px of the crops."""
    centre_mm, camera = np.array(hands.centres_mm), np.array(hands.cameras, dtype=np.float64)
    middle_px = camera[:, :2] * centre_mm[:, :2] / centre_mm[:, 2:] + camera[:, 2:]
    step_px = camera[:, :2] * cube_mm / size / centre_mm[:, 2:]
    edges = [(edge - middle_px) / step_px + (size - 1) / 2 for edge in (-0.5, np.array(hands.image_sizes) - 0.5)]
    return np.concatenate(edges, axis=1)


def cut_by_border(edges: NDArray[np.float64], size: int) -> NDArray[np.bool_]:
    """Return which crops reach beyond the recorded image, (N,), from its edges (see `image_edges`)."""
    return np.any(edges * [1, 1, -1, -1] > [-0.5, -0.5, 0.5 - size, 0.5 - size], axis=1)
