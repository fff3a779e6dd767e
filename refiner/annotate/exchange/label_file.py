"""Labels of a session's frames from what a file says: the one place where names become frames and joints."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from refiner.annotate.exchange.image_names import FrameNames
from refiner.annotate.exchange.record import SHIFT_PX, Centres, FileContent, LabelledImage, Point
from refiner.annotate.sessions.labels import ABSENT, FrameLabels, check_labels, merged
from refiner.errors import LabelError
from refiner.hand.skeleton import Skeleton


@dataclass(frozen=True)
class LabelFile:
    """The labels that a file of any format holds.

    Attributes:
        labels: In order of frames, pixel centres at integers.
        tool: Whose format the file has, in words.
        centres: Where the file has its pixel centres.
        why: How that is known, in words.
        unknown: Names of images with points that are no frame of the session; they are left out.
        empty: How many images are annotated without any points; they are left out, too.
    """

    labels: list[FrameLabels]
    tool: str
    centres: Centres
    why: str
    unknown: list[str]
    empty: int


def labels_of(content: FileContent, skeleton: Skeleton, size: int, sources: Sequence[str]) -> LabelFile:
    """Find frames and joints by their names, and check what is said of them. Joints that are not named are absent.

    Args:
        content: What the file says.
        skeleton: Of the session.
        size: Side of its crops in pixels.
        sources: Where each of its frames came from.

    Raises:
        LabelError: The file is of other joints or crops, or contradicts itself; the message says where.
    """
    names, images = FrameNames(sources), dict[int, list[LabelledImage]]()
    unknown, empty = list[str](), 0
    for image in content.images:
        if not image.points and not image.nearer:
            empty += 1
            continue
        frame = _frame_of(image, names, size)
        if frame is None:
            unknown.append(image.name.encode("utf-8", "backslashreplace").decode())  # JSON can hold half a character
        else:
            images.setdefault(frame, []).append(image)
    centres, why = _centres(content, [image for several in images.values() for image in several])
    shift_px = SHIFT_PX if centres == "half" else 0.0
    labels = []
    for frame, several in sorted(images.items()):
        try:
            one = merged(_layers(several, frame, skeleton), skeleton)
            one = replace(one, uv_px=one.uv_px - shift_px)
            check_labels(one, skeleton, size, len(sources))
        except LabelError as error:
            raise LabelError(f"{several[0].where}: {error}") from None
        labels.append(one)
    return LabelFile(labels, content.tool, centres, why, unknown, empty)


def _frame_of(image: LabelledImage, names: FrameNames, size: int) -> int | None:
    """Return the frame of an image, nothing where its name is none of the session's."""
    frame = image.frame
    if frame is None:
        try:
            frame = names.frame(image.name)
        except LabelError as error:
            raise LabelError(f"{image.where}: {error}") from None
    for side, length_px in (("width", image.width), ("height", image.height)):
        if frame is not None and length_px is not None and length_px != size:
            raise LabelError(
                f"{image.where}: found the {side} {length_px!r:.40}, wanted {size}, as the crops of the session. The "
                "labels belong to another store; scale them, or make a session of that store."
            )
    return frame


def _centres(content: FileContent, images: Sequence[LabelledImage]) -> tuple[Centres, str]:
    """Return the pixel centres of the images of the session, and how that is known."""
    if content.centres is not None:
        return content.centres, content.why
    framed = [image.frame is not None for image in images]
    if any(framed) and not all(framed):
        raise LabelError(
            f"{content.path}: found `frame` in {sum(framed)} of {len(framed)} images, so that it does not tell where "
            'pixel centres are. Add "pixel_centres" to `info`: "integer" or "half".'
        )
    return ("integer", "as images have `frame`") if all(framed) else ("half", "as images have no `frame`")


def _layers(images: Sequence[LabelledImage], frame: int, skeleton: Skeleton) -> list[FrameLabels]:
    """Lay the points of a frame out so that each layer has each joint once; whether layers agree is seen later."""
    times, layers = Counter[str](), list[dict[str, Point]]([{}])
    for image in images:
        named = [point.joint for point in image.points] + [joint for pair in image.nearer for joint in pair]
        if strange := [joint for joint in dict.fromkeys(named) if joint not in skeleton.joints]:
            raise LabelError(
                f"found the joints {strange}, wanted names of {skeleton.name!r}: {', '.join(skeleton.joints)}. Rename "
                "or remove them, or make a session of a store with that skeleton."
            )
        for point in image.points:
            if times[point.joint] == len(layers):
                layers.append({})
            layers[times[point.joint]][point.joint] = point
            times[point.joint] += 1
    index = {joint: place for place, joint in enumerate(skeleton.joints)}
    nearer = tuple((index[a], index[b]) for image in images for a, b in image.nearer)
    return [_frame_labels(frame, layer.values(), index, () if n else nearer) for n, layer in enumerate(layers)]


def _frame_labels(
    frame: int, points: Iterable[Point], index: dict[str, int], nearer: tuple[tuple[int, int], ...]
) -> FrameLabels:
    uv_px, flag = np.full((len(index), 2), np.nan), np.full(len(index), ABSENT, dtype=np.int8)
    for point in points:
        place = index[point.joint]
        flag[place] = point.flag
        if point.flag != ABSENT:
            uv_px[place] = point.u_px, point.v_px
    return FrameLabels(frame, uv_px, flag, nearer)
