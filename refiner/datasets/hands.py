"""Find the hands of a recording: which of its frames hold one, and where."""

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from refiner.datasets.layouts import ASSUMED_UNIT_MM, Camera, DepthMap, Frame
from refiner.datasets.locate import FoundHand, find_hand
from refiner.datasets.plausible import (
    SAMPLED,
    likely_units_mm,
    require_one_size,
    require_plausible_camera,
    require_plausible_sizes,
    why_no_depth,
    why_no_hand,
)
from refiner.errors import DatasetNotFoundError, DepthFormatError, UsageError
from refiner.geometry.camera import unproject
from refiner.geometry.crop import refine_centre
from refiner.threads import in_threads

CLUTTER_MM = 60.0
"""The hand begins this far behind the nearest surface: something nearer was taken for no hand."""


class SeenMap(NamedTuple):
    """What is kept of a depth map that was searched; the map itself would be megabytes for each waiting frame.

    Attributes:
        camera: fx fy cx cy, px.
        image_px: Columns and rows.
        step_mm: Millimetres between two neighbouring depths that the source can tell apart.
    """

    camera: Camera
    image_px: tuple[int, int]
    step_mm: float


@dataclass
class Hands:
    """What was found in a recording.

    Attributes:
        frames: The frames with a hand, in order.
        centres_mm: The hand's centre in each of them, (3,) in the frame of its camera.
        cameras: The camera of each.
        image_sizes: Columns and rows of each.
        step_mm: The finest depth step of these frames' files: the unit that stores them as they are.
        no_hand: Sources of the frames without a hand.
        unreadable: Sources of the files that could not be read, with the reason.
        implausible: Sources of the maps that can be no depth map of a hand, with the reason.
        unlisted: Sources of the frames that the given centres do not name; nobody looked for hands there.
        others: Sources of the frames with another part of a hand's size as near; the likeliest was taken.
        clutter: Sources of the frames in which something nearer was taken for no hand.
        lone_readings: Sources of the frames whose hand was found behind sprinkled false readings.
        warnings: What is doubtful about the recording as a whole.
    """

    frames: list[Frame] = field(default_factory=list)
    centres_mm: list[NDArray[np.float64]] = field(default_factory=list)
    cameras: list[Camera] = field(default_factory=list)
    image_sizes: list[tuple[int, int]] = field(default_factory=list)
    step_mm: float = float("inf")
    no_hand: list[str] = field(default_factory=list)
    unreadable: dict[str, str] = field(default_factory=dict)
    implausible: dict[str, str] = field(default_factory=dict)
    unlisted: list[str] = field(default_factory=list)
    others: list[str] = field(default_factory=list)
    clutter: list[str] = field(default_factory=list)
    lone_readings: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def __len__(self) -> int:
        """Return the number of hands."""
        return len(self.frames)

    @property
    def left_out(self) -> int:
        """How many frames were searched and left out."""
        return len(self.no_hand) + len(self.unreadable) + len(self.implausible)

    def add(self, frame: Frame, seen: SeenMap, found: FoundHand | NDArray[np.float64]) -> None:
        """Add a frame with its hand, or with the centre that was given for it."""
        centre_mm = found
        if isinstance(found, FoundHand):
            centre_mm = found.centre_mm
            self.others += [frame.source] * (found.others > 0)
            self.clutter += [frame.source] * (found.behind_mm > CLUTTER_MM)
            self.lone_readings += [frame.source] * found.lone_readings
        self.frames.append(frame)
        self.centres_mm.append(centre_mm)  # pyright: ignore[reportArgumentType]
        self.cameras.append(seen.camera)
        self.image_sizes.append(seen.image_px)
        self.step_mm = min(self.step_mm, seen.step_mm)


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
    """Find the hand in each frame (see `find_hand`), or take the centre that its layout gives.

    Args:
        frames: The recording, at least one frame.
        cube_mm: Side of the cube that will be cut out.
        near_far_mm: Only readings within these depths can be the hand.
        roi: Only this part of the image is searched: x, y, width, height in pixels.
        centres: Where the hands are, by `Frame.source`: u, v in pixels and depth z in millimetres. They are taken as
            they stand; a frame whose cube holds no reading counts as without a hand.
        on_error: What a file that cannot be read does.
        on_progress: Called with the number of frames that were searched since the last call.

    Raises:
        DepthFormatError: No file, or with "stop" one file, could not be read; or the hands are of an impossible size.
        DatasetNotFoundError: No frame holds a hand.
        UsageError: The region lies outside a frame; a centre belongs to no frame; a camera does not fit its maps.
    """
    _require_known(centres, frames)
    hands = Hands()
    if centres is not None:
        hands.unlisted = [frame.source for frame in frames if frame.source not in centres]
        frames = [frame for frame in frames if frame.source in centres]
    sizes: list[FoundHand] = []
    image_sizes: defaultdict[Camera, Counter[tuple[int, int]]] = defaultdict(Counter)

    def search(frame: Frame) -> tuple[SeenMap, FoundHand | NDArray[np.float64] | str | None] | DepthFormatError:
        try:
            depth = frame.read()
        except DepthFormatError as error:
            return error
        seen = SeenMap(depth.camera, depth.depth_mm.shape[::-1], depth.step_mm)
        require_plausible_camera(seen.camera, seen.image_px, frame.source)
        if centres is not None:
            uvz = centres[frame.source]
            return seen, _if_in_view(depth, unproject(uvz[:2], uvz[2], depth.camera), cube_mm)
        if frame.centre_mm is not None:
            return seen, _if_in_view(depth, frame.centre_mm, cube_mm)
        if (reason := why_no_depth(depth)) is not None:
            return seen, reason
        found = find_hand(depth.depth_mm, depth.camera, cube_mm=cube_mm, near_far_mm=near_far_mm, roi=roi)
        return seen, found if found is None else why_no_hand(found, cube_mm) or found

    for frame, result in in_threads(search, frames):
        if not isinstance(result, DepthFormatError) and frame.given is not None and frame.given.fits_one_size:
            image_sizes[frame.given.camera][result[0].image_px] += 1
        if isinstance(result, DepthFormatError):
            if on_error == "stop":
                raise result
            hands.unreadable[frame.source] = str(result)
        elif result[1] is None:
            hands.no_hand.append(frame.source)
        elif isinstance(result[1], str):
            hands.implausible[frame.source] = result[1]
        else:
            hands.add(frame, *result)  # pyright: ignore[reportArgumentType]
            sizes += [result[1]] if isinstance(result[1], FoundHand) else []
        if on_progress is not None:
            on_progress(1)
    require_one_size(image_sizes)
    if not hands:
        _explain_nothing(hands, frames, cube_mm)
    if sizes:
        # Where a part of the view was chosen, what else is in it says nothing.
        sampled = frames if near_far_mm is None and roi is None else []
        _judge_sizes(hands, sizes, sampled, cube_mm)
    return hands


def _judge_sizes(hands: Hands, sizes: Sequence[FoundHand], frames: Sequence[Frame], cube_mm: float) -> None:
    with_hand = _sample(hands.frames if frames else [])
    unit_mm = hands.frames[0].depth_unit_mm
    warning = require_plausible_sizes(sizes, with_hand, cube_mm=cube_mm, unit_mm=unit_mm)
    if warning is None and len(hands) < len(frames) / 2:
        readable = [frame for frame in frames if frame.source not in hands.unreadable]
        likely = likely_units_mm(_sample(readable), cube_mm, unit_mm or ASSUMED_UNIT_MM)
        if likely and (unit_mm or ASSUMED_UNIT_MM) not in likely:
            warning = f"there would be hands in nearly all frames with --depth-unit-mm {likely[0]:g}"
    hands.warnings += [] if warning is None else [warning]


def _sample(frames: Sequence[Frame]) -> list[DepthMap]:
    chosen = np.unique(np.linspace(0, len(frames) - 1, min(SAMPLED, len(frames))).round().astype(int))
    return [frames[index].read() for index in chosen]


def _if_in_view(depth: DepthMap, centre: NDArray[np.float64], cube_mm: float) -> NDArray[np.float64] | None:
    # One round of refinement, of which only whether there is anything in the cube is used.
    return centre if refine_centre(depth.depth_mm, depth.camera, centre, cube_mm, iterations=1) is not None else None


def _require_known(centres: Mapping[str, Any] | None, frames: Sequence[Frame]) -> None:
    if centres is not None and not centres:
        raise UsageError("The file given with --centres names no frame, wanted a line `relative/path u v z` for each.")
    unknown = sorted(set(centres or {}) - {frame.source for frame in frames})
    if unknown:
        raise UsageError(
            f"The centres name {len(unknown)} files that the recording does not hold, the first is {unknown[0]!r}; "
            f"wanted paths relative to it, like {frames[0].source!r}. Correct the file given with --centres."
        )


def _explain_nothing(hands: Hands, frames: Sequence[Frame], cube_mm: float) -> None:
    if not hands.no_hand and not hands.implausible:
        reason = next(iter(hands.unreadable.values()))
        raise DepthFormatError(f"None of the {len(frames)} files can be read as a depth map. The first: {reason}")
    readable = [frame for frame in frames if frame.source not in hands.unreadable]
    depth_mm = readable[0].read().depth_mm
    low, high = np.percentile(depth_mm[depth_mm > 0], [1, 99])
    likely = likely_units_mm(_sample(readable), cube_mm, readable[0].depth_unit_mm or ASSUMED_UNIT_MM)
    hint = f", likely {' or '.join(f'{unit:g}' for unit in likely)}" if likely else ""
    because = ""
    if hands.implausible:
        source, reason = next(iter(hands.implausible.items()))
        because = f" {len(hands.implausible)} are no depth maps of one; the first, {source}: {reason}."
    raise DatasetNotFoundError(
        f"No hand in any of the {len(readable)} frames that could be read ({len(hands.unreadable)} could not): found "
        f"depths of {low:.0f} to {high:.0f} mm in {readable[0].path}, wanted a hand nearer to the camera than anything "
        f"else of its size.{because} If these millimetres are wrong, give --depth-unit-mm{hint}; if other things are "
        "nearer, --range near,far, --roi x,y,w,h or --centres FILE; if the camera is not the right one, --camera "
        "fx,fy,cx,cy; if other files lie among the depth maps, --pattern 'depth/*.png'."
    )
