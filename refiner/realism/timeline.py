"""When the hand of each map was there: which maps show one hand, and which are neighbours in a recording."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from refiner.datasets.layouts.depth_file import SUFFIXES
from refiner.datasets.layouts.folder import natural_key
from refiner.datasets.store import DepthStore

_OF_POSE = re.compile(r" of (.+) item (\d+)$")
"""How `refiner render --poses` ends the `source` of a map."""
_SAME_CROP_MM = 0.01

_Moment = tuple[tuple[Any, ...], Any]
"""Label of a sequence, which begins with its kind; and the place in it."""


@dataclass(frozen=True)
class Timeline:
    """When the hands of a set were there.

    Attributes:
        sequence: (n,) number of the sequence of each item.
        frame: (n,) place in it. Items of one sequence and frame show one hand.
    """

    sequence: NDArray[np.int64]
    frame: NDArray[np.int64]

    def __len__(self) -> int:
        """Return the number of items."""
        return len(self.sequence)

    def __getitem__(self, items: NDArray[Any]) -> "Timeline":
        """Return the timeline of some of the items."""
        return Timeline(self.sequence[items], self.frame[items])

    def followed_by(self, other: "Timeline") -> "Timeline":
        """Return the timeline of these items and of others after them."""
        return Timeline(np.append(self.sequence, other.sequence), np.append(self.frame, other.frame))

    def hands(self) -> NDArray[np.int64]:
        """Return the number of the hand of each item, (n,), counted from 0 in order of time."""
        moments = np.stack([self.sequence, self.frame], axis=1)
        return np.unique(moments, axis=0, return_inverse=True)[1].reshape(-1)


@dataclass(frozen=True)
class Placed:
    """A set whose items have their place in time.

    Attributes:
        store: The set.
        timeline: Of the camera set whose hands it shows, where they are pairs; else its own.
        rows: (n,), the item of `timeline` whose hand each map shows.
    """

    store: DepthStore
    timeline: Timeline
    rows: NDArray[np.int64]


def place(*groups: Sequence[DepthStore]) -> list[list[Placed]]:
    """Find out when the hands of some sets were there; numbers of sequences mean the same in all of them.

    Args:
        groups: Each a camera set and renders, refined or not. Those that show the camera set's hands get its timeline,
            so that a hand and its renders are on one side of any division.
    """
    times = iter(timelines([store for group in groups for store in group]))
    placed = []
    for camera, *renders in groups:
        timeline = next(times)
        placed.append([Placed(camera, timeline, np.arange(len(camera)))])
        for store in renders:
            own, rows = next(times), rows_of(store, camera)
            placed[-1].append(
                Placed(store, own, np.arange(len(store))) if rows is None else Placed(store, timeline, rows)
            )
    return placed


def timelines(stores: Sequence[DepthStore]) -> list[Timeline]:
    """Return when the hands of each set were there, with the same numbers of sequences in all of them.

    What tells is the first of these that a set has for all of its items:

    - the file that a map was read from (`source`): a folder is a sequence, and its files in natural order are frames,
      also where several sets share them;
    - the pose that was rendered (`source` ends in "of NAME item K"): frame K of a sequence NAME;
    - `sequence` and `frame`;
    - the draw that was rendered (`source` "render seed=S item=I"): a sequence of its own;
    - the order of the items, as of one sequence.
    """
    moments = [_moments(store) for store in stores]
    _part_namesakes(stores, moments)
    labels = dict.fromkeys(label for part in moments for label, _ in part)  # in order of appearance
    files = sorted(label for label in labels if label[0] == "file")
    ordered = [*files, *(label for label in labels if label[0] != "file")]
    number = {label: k for k, label in enumerate(ordered)}
    names: dict[Any, set[Any]] = {label: set() for label in files}
    for label, key in (moment for part in moments for moment in part):
        if label in names:
            names[label].add(key)
    ranks = {label: {key: rank for rank, key in enumerate(sorted(keys))} for label, keys in names.items()}
    return [
        Timeline(
            np.array([number[label] for label, _ in part], np.int64),
            np.array([ranks[label][key] if label in ranks else key for label, key in part], np.int64),
        )
        for part in moments
    ]


def rows_of(store: DepthStore, camera: DepthStore) -> NDArray[np.int64] | None:
    """Return which camera map each render is a pair of, (n,); none where they are no pairs.

    Pairs have the same crop, as renders of what `refiner fit` found in the camera maps have. There may be several
    renders of one: variants (in a row), or rounds (one after the other), as versions before rendered them.
    """
    count, frames = len(store), len(camera)
    if not count or not frames:
        return None
    candidates = [np.arange(count) * frames // count, np.arange(count) % frames]
    posed = [_OF_POSE.search(source) for source in _sources(store)]
    if posed and all(posed):
        candidates.insert(0, np.array([int(match[2]) for match in posed if match]))
    here_mm, there_mm = store.read("centre_mm"), camera.read("centre_mm")
    for rows in candidates:
        if rows.max() < frames and np.allclose(here_mm, there_mm[rows], rtol=0, atol=_SAME_CROP_MM):
            return rows.astype(np.int64)
    return None


def _sources(store: DepthStore) -> list[str]:
    return [str(source) for source in store.read("source")] if "source" in store else []


def _moments(store: DepthStore) -> list[_Moment]:
    sources = _sources(store)
    if sources and all(PurePosixPath(source).suffix.lower() in SUFFIXES for source in sources):
        paths = [PurePosixPath(source) for source in sources]
        return [(("file", tuple(natural_key(str(path.parent)))), tuple(natural_key(path.name))) for path in paths]
    posed = [_OF_POSE.search(source) for source in sources]
    if posed and all(posed):
        return [(("pose", match[1]), int(match[2])) for match in posed if match]
    if "sequence" in store and "frame" in store:
        places = zip(store.read("sequence").tolist(), store.read("frame").tolist(), strict=True)
        return [(("sequence", str(store.path), sequence), frame) for sequence, frame in places]
    if sources and all(source.startswith("render ") for source in sources):
        return [(("draw", source), 0) for source in sources]
    return [(("order", str(store.path)), item) for item in range(len(store))]


def _part_namesakes(stores: Sequence[DepthStore], moments: list[list[_Moment]]) -> None:
    """Return a set's folders labels of their own where a file of the same name shows another hand in a set before it.

    Two recordings may both hold a 0001.png.
    """
    known: dict[_Moment, NDArray[np.float32]] = {}
    for store, part in zip(stores, moments, strict=True):
        centres_mm = store.read("centre_mm")
        others = {
            moment[0]
            for moment, centre in zip(part, centres_mm, strict=True)
            if moment in known and not np.allclose(known[moment], centre, rtol=0, atol=_SAME_CROP_MM)
        }
        part[:] = [((*label, str(store.path)) if label in others else label, key) for label, key in part]
        known |= {m: centre for m, centre in zip(part, centres_mm, strict=True) if m[0][0] == "file"}
