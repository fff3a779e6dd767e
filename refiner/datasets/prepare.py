"""Make a dataset of hand crops from a recording: find the hands, then cut, resize and store them.

`find_hands` is the first pass: it reads every frame and settles which of them hold a hand and where, so that the number
of items is known before anything is written. `write_crops` is the second: it reads those frames again and fills the
store chunk by chunk; run again after a kill, it goes on with the chunks that are missing. Both work in threads:
decoding files, finding and cropping all let go of the interpreter.
"""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from refiner.datasets.layouts import Camera, DepthMap, Frame
from refiner.datasets.locate import locate_hand
from refiner.datasets.store_writer import CHUNK_ITEMS, StoreWriter
from refiner.errors import DatasetNotFoundError, DepthFormatError, UsageError
from refiner.geometry.camera import unproject
from refiner.geometry.crop import crop_cube, refine_centre
from refiner.geometry.depth import to_units
from refiner.hand.skeleton import Skeleton

BLOCK_ITEMS = 256
"""Frames that wait in the threads' queue: bounds the memory of a million frames, and the wait after Ctrl-C."""

T = TypeVar("T")
R = TypeVar("R")


@dataclass
class Hands:
    """What the first pass found.

    Attributes:
        frames: The frames with a hand, in order.
        centres_mm: The hand's centre in each of them, (3,) in the frame of its camera.
        cameras: The camera of each.
        image_sizes: Columns and rows of each.
        step_mm: The finest depth step of these frames' files: the unit that stores them as they are.
        no_hand: Sources of the frames without a hand.
        unreadable: Sources of the files that could not be read, with the reason.
    """

    frames: list[Frame] = field(default_factory=list)
    centres_mm: list[NDArray[np.float64]] = field(default_factory=list)
    cameras: list[Camera] = field(default_factory=list)
    image_sizes: list[tuple[int, int]] = field(default_factory=list)
    step_mm: float = float("inf")
    no_hand: list[str] = field(default_factory=list)
    unreadable: dict[str, str] = field(default_factory=dict)

    def __len__(self) -> int:
        """Give the number of hands."""
        return len(self.frames)


def find_hands(
    frames: Sequence[Frame],
    *,
    cube_mm: float,
    near_far_mm: tuple[float, float] | None = None,
    roi: tuple[int, int, int, int] | None = None,
    centres: Mapping[str, tuple[float, float, float]] | None = None,
    on_error: Literal["skip", "stop"] = "skip",
    on_progress: Callable[[int], None] | None = None,
) -> Hands:
    """Find the hand in each frame (see `locate_hand`), or take the centre that its layout gives.

    Args:
        frames: The recording, at least one frame.
        cube_mm: Side of the cube that will be cut out.
        near_far_mm: Only readings within these depths can be the hand.
        roi: Only this part of the image is searched: x, y, width, height in pixels.
        centres: Where the hands are, by `Frame.source`: u, v in pixels and depth z in millimetres. They are taken as
            they stand; frames that are not in it, or whose cube holds no reading, count as without a hand.
        on_error: What a file that cannot be read does.
        on_progress: Called with the number of frames that were searched since the last call.

    Raises:
        DepthFormatError: No file, or with "stop" one file, could not be read.
        DatasetNotFoundError: No frame holds a hand.
        UsageError: The region lies outside a frame; a centre belongs to no frame.
    """
    _require_known(centres, frames)
    hands = Hands()

    def search(frame: Frame) -> tuple[DepthMap, NDArray[np.float64] | None] | DepthFormatError:
        try:
            depth = frame.read()
        except DepthFormatError as error:
            return error
        if centres is None and frame.centre_mm is not None:
            return depth, _if_in_view(depth, frame.centre_mm, cube_mm)
        if centres is None:
            return depth, locate_hand(depth.depth_mm, depth.camera, cube_mm=cube_mm, near_far_mm=near_far_mm, roi=roi)
        return depth, _given_centre(depth, centres.get(frame.source), cube_mm)

    for frame, result in _threaded(search, frames):
        if isinstance(result, DepthFormatError):
            if on_error == "stop":
                raise result
            hands.unreadable[frame.source] = str(result)
        elif result[1] is None:
            hands.no_hand.append(frame.source)
        else:
            hands.frames.append(frame)
            hands.centres_mm.append(result[1])
            hands.cameras.append(result[0].camera)
            hands.image_sizes.append(result[0].depth_mm.shape[::-1])
            hands.step_mm = min(hands.step_mm, result[0].step_mm)
        if on_progress is not None:
            on_progress(1)
    if not hands:
        _explain_nothing(hands, frames)
    return hands


def write_crops(
    out: Path,
    hands: Hands,
    *,
    cube_mm: float,
    size: int,
    side: int | None,
    provenance: Mapping[str, Any],
    skeleton: Skeleton | None = None,
    overwrite: bool = False,
    chunk_items: int = CHUNK_ITEMS,
    on_progress: Callable[[int], None] | None = None,
) -> None:
    """Cut the cube around each hand and write the store, or the part of it that an interrupted run left out.

    Args:
        out: Where the store will lie.
        hands: What `find_hands` gave.
        cube_mm: Side of the cube.
        size: Side of the crops in pixels.
        side: 0 right, 1 left; nothing leaves the array out. Left hands are stored as they are, not mirrored.
        provenance: See `refiner.datasets.store_writer.provenance`; equal provenance continues an interrupted run.
        skeleton: Joint set of the frames' labels, which are then stored.
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
    borders_show = bool((image_px[:, :2] > -0.5).any() or (image_px[:, 2:] < size - 0.5).any())
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
        crops = [crop for _, crop in _threaded(cut, range(start, stop))]
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
    """Give where the recorded images end in the crops: left, top, right and bottom edge, (N, 4) px of the crops."""
    centre_mm, camera = np.array(hands.centres_mm), np.array(hands.cameras, dtype=np.float64)
    middle_px = camera[:, :2] * centre_mm[:, :2] / centre_mm[:, 2:] + camera[:, 2:]
    step_px = camera[:, :2] * cube_mm / size / centre_mm[:, 2:]
    edges = [(edge - middle_px) / step_px + (size - 1) / 2 for edge in (-0.5, np.array(hands.image_sizes) - 0.5)]
    return np.concatenate(edges, axis=1)


def _given_centre(
    depth: DepthMap, uvz: tuple[float, float, float] | None, cube_mm: float
) -> NDArray[np.float64] | None:
    if uvz is None:
        return None
    return _if_in_view(depth, unproject(uvz[:2], uvz[2], depth.camera), cube_mm)


def _if_in_view(depth: DepthMap, centre: NDArray[np.float64], cube_mm: float) -> NDArray[np.float64] | None:
    # One round of refinement, of which only whether there is anything in the cube is used.
    return centre if refine_centre(depth.depth_mm, depth.camera, centre, cube_mm, iterations=1) is not None else None


def _threaded(function: Callable[[T], R], items: Sequence[T]) -> Iterator[tuple[T, R]]:
    """Apply a function in as many threads as there are cores to use, keeping the order."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    with ThreadPoolExecutor(cores) as pool:
        for start in range(0, len(items), BLOCK_ITEMS):
            block = items[start : start + BLOCK_ITEMS]
            yield from zip(block, pool.map(function, block), strict=True)


def _require_known(centres: Mapping[str, Any] | None, frames: Sequence[Frame]) -> None:
    unknown = sorted(set(centres or {}) - {frame.source for frame in frames})
    if unknown:
        raise UsageError(
            f"The centres name {len(unknown)} files that the recording does not hold, the first is {unknown[0]!r}; "
            f"wanted paths relative to it, like {frames[0].source!r}. Correct the file given with --centres."
        )


def _explain_nothing(hands: Hands, frames: Sequence[Frame]) -> None:
    if not hands.no_hand:
        reason = next(iter(hands.unreadable.values()))
        raise DepthFormatError(f"None of the {len(frames)} files can be read as a depth map. The first: {reason}")
    first = next(frame for frame in frames if frame.source == hands.no_hand[0])
    readings = (depth_mm := first.read().depth_mm)[depth_mm > 0]
    low, high = np.percentile(readings, [1, 99])
    raise DatasetNotFoundError(
        f"No hand in any of the {len(hands.no_hand)} frames that could be read ({len(hands.unreadable)} could not): "
        f"found depths of {low:.0f} to {high:.0f} mm in {first.path}, wanted a hand nearer to the camera than anything "
        "else of its size. If these millimetres are wrong, give --depth-unit-mm; if other things are nearer, give "
        "--range near,far, --roi x,y,w,h or --centres FILE; if the camera is not the right one, --camera fx,fy,cx,cy."
    )
