"""Which frame of a session an image of another tool's file is, told by its name."""

import re
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import PurePosixPath

from refiner.errors import LabelError

_PICTURE = re.compile(r"(?:crop_(\d{6,})|(\d{6}))\.\w+")
"""Name of a picture of one of the session's crops: its frame in six digits, or more after the word."""

_UPLOAD = re.compile(r"[0-9a-f]{8}-(?=.)")
"""What Label Studio puts before the name of a file that is uploaded to it."""


def picture_name(frame: int) -> str:
    """Return the name of the picture of a frame's crop."""
    return f"crop_{frame:06d}.png"


class FrameNames:
    """Finds frames by the names of images.

    A name is the source of a frame; else its last part is that of one source, with its ending or without; else it is
    the name of a picture of the frame: `crop_000012.png`, or `000012.png` where no source has a name of digits alone
    that would mean something else. A name that means nothing so is tried without what Label Studio puts before names
    of uploaded files: `1a2b3c4d-crop_000012.png`.
    """

    def __init__(self, sources: Sequence[str]) -> None:
        """Take the source of each frame of the session."""
        self._frames = len(sources)
        keys: tuple[Callable[[str], str], ...] = (str, _last_part, _stem)
        self._ways = [(key, _frames_by(key, sources)) for key in keys]
        self._numbered = any(_stem(source).isdecimal() for source in sources)

    def frame(self, name: str) -> int | None:
        """Return the frame that a name means, nothing where it means none.

        Raises:
            LabelError: It may mean several.
        """
        frame = self._frame(name)
        if frame is None and (prefix := _UPLOAD.match(_last_part(name))):
            return self._frame(_last_part(name)[prefix.end() :])
        return frame

    def _frame(self, name: str) -> int | None:
        for key, frames_by in self._ways:
            frames = frames_by.get(key(name), [])
            if len(frames) > 1:
                shown = ", ".join(map(str, frames[:5])) + (", ..." if len(frames) > 5 else "")
                raise LabelError(
                    f"found the file_name {name!r}, which may be any of the frames {shown}, wanted one that only one "
                    "frame has. Name the image by its whole `source`, or as `refiner annotate pictures` does."
                )
            if frames:
                return frames[0]
        number = _PICTURE.fullmatch(_last_part(name))
        if number is None or (self._numbered and not number[1]):
            return None
        frame = int(number[1] or number[2])
        return frame if frame < self._frames else None


def _frames_by(key: Callable[[str], str], sources: Sequence[str]) -> dict[str, list[int]]:
    found = defaultdict(list)
    for frame, source in enumerate(sources):
        found[key(source)].append(frame)
    return dict(found)


def _last_part(name: str) -> str:
    return PurePosixPath(name.replace("\\", "/")).name


def _stem(name: str) -> str:
    return PurePosixPath(_last_part(name)).stem
