"""Renders as items of a dataset: hand, view, map, noise, centre, crop, labels; and the dataset of them.

Item i of a seed is the same bytes whatever is rendered with it, in whatever order, by however many threads. A render
passes through the very functions that a camera map passes through: `locate_hand` finds the palm on the camera's own
pixels, where the sensor's noise falls too, and `crop_cube` cuts the cube out. Labels are those of the model:
`joints_mm` exact, `visible` by the rule of `visibility` on the clean map cut by the same cube.
"""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from refiner.datasets.store_writer import CHUNK_ITEMS, StoreWriter
from refiner.geometry.crop import crop_cube, seen_pixels
from refiner.geometry.depth import to_mm, to_units
from refiner.hand.limits import sample_hands
from refiner.hand.model import HandModel, load_hand, pose_hands
from refiner.hand.skeleton import HAND21
from refiner.render.settings import CLEAN_UNIT_MM, RenderSettings
from refiner.render.view import View, draw_view, given_view
from refiner.render.visibility import visible_joints
from refiner.threads import cores


def generate(
    out: Path,
    settings: RenderSettings,
    *,
    count: int,
    seed: int,
    provenance: Mapping[str, Any],
    overwrite: bool = False,
    workers: int | None = None,
    chunk_items: int = CHUNK_ITEMS,
    on_progress: Callable[[int], None] | None = None,
) -> None:
    """Write a dataset of the items 0 to count - 1, or the part of it that an interrupted run left out.

    Args:
        out: Where the dataset will lie.
        settings: What to render.
        count: Number of items.
        seed: Not negative.
        provenance: See `refiner.datasets.store_writer.provenance`; equal provenance continues an interrupted run.
        overwrite: Remove what lies at `out`.
        workers: Threads, each with whole chunks; as many as there are cores to use where nothing is given.
        chunk_items: Items in a chunk.
        on_progress: Called with the number of items that are done since the last call.

    Raises:
        OutputExistsError: Something else lies at `out`.
        StoreError: A hand cannot be shown (see `render_hands`).
    """
    model = load_hand()
    writer = StoreWriter(
        out,
        count=count,
        size=settings.size,
        depth_unit_mm=settings.depth_unit_mm,
        provenance=provenance,
        arrays={
            "joints_mm": (len(HAND21), 3),
            "visible": (len(HAND21),),
            "source": (),
            "side": (),
            "pose": (len(model.pose_names),),
            "shape": (len(model.shape_names) if settings.poses is None else settings.poses.shape.shape[1],),
        },
        skeleton=HAND21,
        overwrite=overwrite,
        chunk_items=chunk_items,
    )
    missing = writer.missing()
    if on_progress is not None:
        on_progress(count - sum(stop - start for start, stop in missing))

    def work(start: int, stop: int) -> int:
        writer.write(start, render_hands(settings, seed=seed, items=np.arange(start, stop)))
        return stop - start

    with ThreadPoolExecutor(workers or cores()) as pool:
        try:
            for done in as_completed([pool.submit(work, *chunk) for chunk in missing]):
                if on_progress is not None:
                    on_progress(done.result())
                else:
                    done.result()
        except BaseException:
            # Chunks that have not begun; else an error or Ctrl-C would wait for all of them.
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    writer.finish()


def render_hands(settings: RenderSettings, *, seed: int, items: Sequence[int] | NDArray[np.int_]) -> dict[str, Any]:
    """Render items of a seed.

    Args:
        settings: What to render.
        seed: Not negative.
        items: (N,) numbers of items, not negative.

    Returns:
        Rows for a store by array name: depth (N, size, size) uint16 in `settings.depth_unit_mm`, camera, centre_mm,
        cube_mm, joints_mm, visible, pose, shape, side, and source.

    Raises:
        StoreError: No view shows a hand, or a given one lies outside the image.
    """
    model = load_hand()
    items = np.asarray(items, dtype=np.int64)
    pose, shape, side = _hands(model, settings, seed, items)
    unturned = pose.copy()
    unturned[:, :3] = 0.0
    vertices, joints = pose_hands(model, unturned, shape, side)
    count, size = len(items), settings.size
    rows: dict[str, Any] = {
        "depth": np.empty((count, size, size), dtype=np.uint16),
        "camera": np.empty((count, 4), dtype=np.float32),
        "centre_mm": np.empty((count, 3), dtype=np.float32),
        "cube_mm": np.empty(count, dtype=np.float32),
        "joints_mm": np.empty((count, 21, 3), dtype=np.float32),
        "visible": np.empty((count, 21), dtype=np.bool_),
        "pose": np.empty(pose.shape, dtype=np.float32),
        "shape": shape.astype(np.float32),
        "side": side.astype(np.int32),
        "source": [_source(settings, seed, int(item)) for item in items],
    }
    rotations = np.empty((count, 3, 3))
    for n, item in enumerate(items):
        if settings.poses is not None and item < len(settings.poses.names):
            turn = pose[n, :3]
            view = given_view(settings, settings.poses, turn, vertices[n], joints[n], int(side[n]), seed, int(item))
        else:
            view = draw_view(settings, vertices[n], joints[n], int(side[n]), seed, int(item))
        rotations[n] = view.rotation
        _cut(settings, model, view, rows, n)
    rows["pose"][:] = pose
    rows["pose"][:, :3] = Rotation.from_matrix(rotations).as_rotvec()
    return rows


def _hands(
    model: HandModel, settings: RenderSettings, seed: int, items: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int32]]:
    if settings.poses is None:
        sample = sample_hands(model, seed, items, settings.prior)
        return sample.pose, sample.shape, sample.side
    chosen = items % len(settings.poses.names)
    return settings.poses.pose[chosen], settings.poses.shape[chosen], settings.poses.side[chosen]


def _source(settings: RenderSettings, seed: int, item: int) -> str:
    words = f"render seed={seed} item={item}"
    return words if settings.poses is None else f"{words} of {settings.poses.names[item % len(settings.poses.names)]}"


def _cut(settings: RenderSettings, model: HandModel, view: View, rows: dict[str, Any], n: int) -> None:
    """Crop a view and write it with its labels to row n."""
    seen, camera = crop_cube(view.seen_mm, view.camera, view.centre_mm, view.cube_mm, settings.size)
    beyond = None if view.image is None else ~seen_pixels(view.image * settings.size - 0.5, settings.size)
    if beyond is not None:
        seen[beyond] = 0.0
    rows["depth"][n] = to_units(seen, settings.depth_unit_mm)
    rows["camera"][n], rows["centre_mm"][n], rows["cube_mm"][n] = camera, view.centre_mm, view.cube_mm
    # The crop's camera is that of the whole image: only the window was shifted, and points were not.
    rows["joints_mm"][n] = view.joints_mm
    clean = rows["depth"][n]
    if settings.sensor.model is not None:
        clean_mm, _ = crop_cube(view.clean_mm, view.camera, view.centre_mm, view.cube_mm, settings.size)
        if beyond is not None:
            clean_mm[beyond] = 0.0
        clean = to_units(clean_mm, CLEAN_UNIT_MM)
    rows["visible"][n] = visible_joints(
        to_mm(clean, CLEAN_UNIT_MM), rows["camera"][n], rows["joints_mm"][n], model.surface_offset_mm
    )
