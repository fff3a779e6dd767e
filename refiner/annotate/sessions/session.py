"""An annotation session: a folder with the labels of one depth sequence, how they came to be, and what was solved.

The sequence is a store that stays where it is, known by its path and the digest of its content. `session.sqlite` holds
the work (see `refiner.annotate.sessions.session_file`), `references.json` the frames that are worth a person's time.
"""

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from functools import cached_property
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from refiner.annotate.sessions.bones import check_bones
from refiner.annotate.sessions.checks import Checks
from refiner.annotate.sessions.history import Edit, History
from refiner.annotate.sessions.json_file import read_json
from refiner.annotate.sessions.labels import FrameLabels, check_labels
from refiner.annotate.sessions.order import skeleton_of, starts_of
from refiner.annotate.sessions.origin import Origin, Origins
from refiner.annotate.sessions.results import Results, StageResult, only_one
from refiner.annotate.sessions.session_file import CHECKS, SessionFile, bump
from refiner.datasets.store import DepthStore
from refiner.errors import LabelError, OutputExistsError, SessionError
from refiner.files import partial_folder, write_json

REFERENCES = "references.json"
LOCK = "solve.lock"


class Session:
    """A session, opened. Many may have the same one open, and change it.

    Attributes:
        path: The folder.
        store: The depth maps.
        skeleton: Names and tree of the joints.
        digest: Of the store's content.
        frames: Number of maps.
        edits: The labels and their history.
        checks: Solved frames that a person found right.
    """

    def __init__(self, path: str | Path) -> None:
        """Open a session.

        Raises:
            SessionError: It is none, of a newer version, or its store is not what it was.
        """
        self.path = Path(path)
        self._file = SessionFile(self.path)
        self.edits, self.checks = History(self._file), Checks(self._file)
        place, digest = Path(self._file.meta("store")), self._file.meta("digest")
        if not place.exists():
            raise SessionError(
                f"{self.path}: found nothing at {place}, wanted the store that the session is about. Move it back, or "
                "put a symbolic link there."
            )
        self.store = DepthStore(place)
        if (found := self.store.digest()) != digest:
            raise SessionError(
                f"{self.path}: found {place} with the digest {found}, wanted {digest}: the store has changed since the "
                "session was made. Restore it, or make a session of the new one."
            )
        self.digest, self.skeleton = str(digest), skeleton_of(self.store)
        self.frames = len(self.store)
        self._results, self._origins = Results(self._file, self.frames, len(self.skeleton)), Origins(self._file)

    @classmethod
    def create(
        cls, path: str | Path, store_path: str | Path, bones_mm: ArrayLike | None = None, from_labels: bool = False
    ) -> Self:
        """Make a session of a store, and open it.

        Args:
            path: The folder to make.
            store_path: Depth maps in order of time.
            bones_mm: (J,) from each joint to its parent.
            from_labels: Label every frame with the joints of the store; the medians are the lengths that are not given.

        Raises:
            OutputExistsError: Something lies at `path`.
            StoreError: The maps are damaged, in no order, or have no joints to take.
            LabelError: The lengths are impossible.
        """
        from refiner.annotate.sessions.truth import bones_of_store, labels_of_store

        path, store = Path(path), DepthStore(store_path)
        _require_absent(path)
        store.require_whole()
        starts_of(store)
        if bones_mm is not None:
            bones_mm = check_bones(bones_mm, skeleton_of(store))
        elif from_labels:
            bones_mm = bones_of_store(store)
        bones = None if bones_mm is None else json.dumps(np.asarray(bones_mm).tolist())
        meta = {"store": str(store.path.absolute()), "digest": store.digest(), "bones_mm": bones}
        with partial_folder(path) as folder:
            SessionFile.create(folder, {**meta, "revision": "0", CHECKS: "0"})
            if from_labels:
                with cls(folder) as session:
                    session.put_labels(labels_of_store(store), "store", f"joints of {store.path}")
            _require_absent(path)
        return cls(path)

    def __enter__(self) -> Self:
        """Return the session itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""
        self.close()

    def close(self) -> None:
        """Close the session's file."""
        self._file.close()

    def depth_mm(self, frame: int) -> NDArray[np.float32]:
        """Read a map, (H, W), 0 = no reading."""
        self._require_frames([frame])
        return self.store.read("depth", frame, frame + 1)[0] * np.float32(self.store.depth_unit_mm)

    @cached_property
    def cameras(self) -> NDArray[np.float64]:
        """Return fx fy cx cy of each map, (N, 4) px."""
        return self.store.read("camera").astype(np.float64)

    @cached_property
    def starts(self) -> NDArray[np.bool_]:
        """Return where a new sequence begins, (N,)."""
        return starts_of(self.store)

    @property
    def bones_mm(self) -> NDArray[np.float64] | None:
        """Return the length from each joint to its parent, (J,) with NaN at the root, or nothing where not known."""
        text = self._file.meta("bones_mm")
        return None if text is None else np.array(json.loads(text), dtype=np.float64)

    def set_bones(self, bones_mm: ArrayLike) -> None:
        """Set the length from each joint to its parent, (J,).

        Raises:
            LabelError: One is missing or impossible.
        """
        text = json.dumps(check_bones(bones_mm, self.skeleton).tolist())
        with self._file.transaction() as database:
            database.execute("UPDATE meta SET value = ? WHERE key = 'bones_mm'", (text,))
            bump(database)

    @property
    def revision(self) -> int:
        """Return a number that grows with every edit, undo and redo, and with every change of the bones."""
        return self.edits.revision

    @property
    def origin(self) -> Origin:
        """Return what a result would be made from now: the labels and bones, in a form that can be compared."""
        return self._origins.now()

    def labels(self, frame: int) -> FrameLabels | None:
        """Return the labels of a frame."""
        self._require_frames([frame])
        return self.edits.labels(frame)

    def labelled_frames(self) -> list[int]:
        """Return the frames that have labels, in order."""
        return self.edits.labelled_frames()

    def all_labels(self) -> list[FrameLabels]:
        """Return the labels of all frames that have some, in order."""
        return self.edits.all_labels()

    def put_labels(self, labels: Iterable[FrameLabels], who: str, note: str = "") -> None:
        """Label frames, as one edit; what they held before stays in the history.

        Raises:
            LabelError: One of the labels makes no sense (see `check_labels`), or two are of one frame. Nothing changes.
        """
        labels = list(labels)
        for one in labels:
            check_labels(one, self.skeleton, self.store.size, self.frames)
        if doubled := sorted(frame for frame, count in Counter(one.frame for one in labels).items() if count > 1):
            raise LabelError(f"Found two labels of the frames {doubled}, wanted one of each. Remove the others.")
        if labels:
            self.edits.put([(one.frame, one) for one in labels], who, note)

    def delete_labels(self, frame: int, who: str) -> None:
        """Take a frame's labels away; they stay in the history."""
        if self.labels(frame) is not None:
            self.edits.put([(frame, None)], who, "deleted")

    def undo(self, who: str) -> int | None:
        """Take back the newest edit of `who`; return the first frame that changed, nothing where there is none."""
        return next(iter(self.edits.undo(who)), None)

    def redo(self, who: str) -> int | None:
        """Make the edit again that `who` took back last; return the first frame that changed, nothing without one."""
        return next(iter(self.edits.redo(who)), None)

    def history(self, frame: int) -> list[Edit]:
        """Return all that was done to a frame, the oldest first."""
        self._require_frames([frame])
        return self.edits.of_frame(frame)

    def chosen(self) -> list[int]:
        """Return the frames that were chosen as worth a person's time, in their order of worth.

        Raises:
            SessionError: Their file is not one, or names frames that do not exist.
        """
        file = self.path / REFERENCES
        if not file.exists():
            return []
        content = read_json(file)
        frames = content.get("frames") if isinstance(content, dict) else None
        if not isinstance(frames, list) or not all(type(frame) is int for frame in frames):
            raise SessionError(f'{file}: found {content!r:.80}, wanted {{"frames": [...], "coverage": [...]}}.')
        self._require_frames(frames)
        return frames

    def references(self) -> list[int]:
        """Return the frames that are labelled or chosen to be, in order."""
        return sorted({*self.labelled_frames(), *self.chosen()})

    def set_references(self, frames: Sequence[int], coverage: Sequence[float]) -> None:
        """Keep the frames that are worth a person's time, and the share of the sequence that they cover, after each."""
        self._require_frames(frames)
        content = {"frames": [int(frame) for frame in frames], "coverage": [float(share) for share in coverage]}
        write_json(self.path / REFERENCES, content)

    def result(self, stage: str) -> StageResult | None:
        """Return what a stage found, nothing where it was not solved."""
        return self._results.get(stage)

    def solved_steps(self) -> dict[str, int]:
        """Return a number for each solved stage that grows whenever one is solved."""
        return self._results.steps()

    def put_result(self, result: StageResult) -> None:
        """Keep what a stage found, instead of what it had found before."""
        self._results.put(result)

    def stale(self, stage: str, origin: Origin | None = None) -> str | None:
        """Return why a stage's result is out of date, nothing where it is not, or there is none.

        It is where labels or bones differ from those that it was made from, or a stage before it was solved since.
        Checks do not count, nor does what was undone and made again.

        Args:
            stage: The stage.
            origin: The labels and bones that it is wanted of; without it, those of the session now.
        """
        return self._results.stale(stage, self.origin if origin is None else origin)

    def reading(self) -> AbstractContextManager[None]:
        """Read one state of the session: edits of others, made between two readings inside, are not seen in either.

        Nothing can be changed inside. It is meant to be short: other threads of this process wait for its end.
        """
        return self._file.reading()

    def solving(self) -> AbstractContextManager[None]:
        """Keep other processes from solving meanwhile; a kill frees the session.

        Raises:
            SessionBusyError: Another one is.
        """
        return only_one(self.path / LOCK)

    def _require_frames(self, frames: Iterable[int]) -> None:
        if wrong := [int(frame) for frame in frames if not 0 <= frame < self.frames]:
            raise SessionError(f"{self.path}: found the frames {wrong}, wanted 0 to {self.frames - 1}.")


def _require_absent(path: Path) -> None:
    if path.exists() or path.is_symlink():
        raise OutputExistsError(f"{path} exists, and may hold a person's work. Give another name.")
