"""What a file of any tool says of pictures, by the names of joints and images: readers make it, writers take it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from refiner.annotate.sessions.labels import ABSENT, FrameLabels
from refiner.hand.skeleton import Skeleton

Centres = Literal["integer", "half"]

SHIFT_PX = 0.5
"""From pixel centres at integers, as sessions have them, to centres at halves, as the tools do."""


@dataclass(frozen=True)
class Point:
    """One joint in one image.

    Attributes:
        joint: Its name, as the file has it.
        u_px: Column. Means nothing where the joint is absent.
        v_px: Row.
        flag: 0 absent, 1 occluded, 2 visible.
    """

    joint: str
    u_px: float
    v_px: float
    flag: int


@dataclass(frozen=True)
class LabelledImage:
    """What a file says of one image.

    Attributes:
        where: For messages: which file, and where in it.
        name: Of the image's file, as the tool has it.
        points: In any order. A joint may come twice.
        nearer: Pairs (a, b) of joints, a nearer to the camera than b.
        width: What the file has as the image's width in pixels, nothing where it does not say.
        height: Likewise.
        frame: Index in the session, where the file numbers images so.
    """

    where: str
    name: str
    points: tuple[Point, ...]
    nearer: tuple[tuple[str, str], ...] = ()
    width: Any = None
    height: Any = None
    frame: int | None = None


@dataclass(frozen=True)
class FileContent:
    """What a file says.

    Attributes:
        path: The file, for messages.
        tool: Whose format it has, in words.
        images: Those that somebody labelled, perhaps with nothing.
        centres: Where it has its pixel centres; nothing where that follows from whether images have `frame`.
        why: How that is known, in words.
    """

    path: str
    tool: str
    images: list[LabelledImage]
    centres: Centres | None
    why: str = ""


@dataclass(frozen=True)
class Pictures:
    """A folder of pictures of crops, to be written for a tool with what is labelled of them.

    Attributes:
        folder: Name that the folder will have.
        names: Frame -> name of its picture, of all pictures.
        labels: Of some of these frames.
        skeleton: Names and tree of the joints.
        size: Side of the pictures in pixels.
    """

    folder: str
    names: Mapping[int, str]
    labels: Sequence[FrameLabels]
    skeleton: Skeleton
    size: int

    def images(self) -> list[LabelledImage]:
        """Return all pictures, those without labels with no points, pixel centres at halves."""
        of_frame = {one.frame: one for one in self.labels}
        return [self._image(name, of_frame.get(frame)) for frame, name in self.names.items()]

    def _image(self, name: str, labels: FrameLabels | None) -> LabelledImage:
        if labels is None:
            return LabelledImage(name, name, (), (), self.size, self.size)
        joints, points = self.skeleton.joints, []
        for joint, (u_px, v_px), flag in zip(joints, labels.uv_px.tolist(), labels.flag.tolist(), strict=True):
            known = flag != ABSENT  # an absent joint's place may be NaN, which formats do not hold
            points.append(Point(joint, u_px + SHIFT_PX, v_px + SHIFT_PX, flag) if known else Point(joint, 0, 0, flag))
        nearer = tuple((joints[a], joints[b]) for a, b in labels.nearer)
        return LabelledImage(name, name, tuple(points), nearer, self.size, self.size)
