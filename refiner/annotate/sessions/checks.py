"""Frames that a person looked at and found right: nobody needs to look again, as long as the joints stay there."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from refiner.annotate.sessions.log import CHECK, write
from refiner.annotate.sessions.session_file import CHECKS, SessionFile, bump
from refiner.annotate.sessions.undo import put_check

STAYS_MM = 5.0
"""A check holds as long as no joint has moved farther since: a person would not see the difference."""


@dataclass(frozen=True, eq=False)
class Check:
    """One frame that was found right.

    Attributes:
        frame: Which.
        who: Who looked.
        when: UTC, ISO 8601.
        joints_mm: (J, 3) what they saw.
    """

    frame: int
    who: str
    when: str
    joints_mm: NDArray[np.float32]


class Checks:
    """The checks of a session."""

    def __init__(self, file: SessionFile) -> None:
        self._file = file

    @property
    def revision(self) -> int:
        """Return a number that grows whenever a frame is checked, or a check is forgotten."""
        return int(self._file.meta(CHECKS))

    def all(self) -> list[Check]:
        """Return all checks, in order of frames."""
        rows = self._file.rows("SELECT frame, who, at, joints_mm FROM checked ORDER BY frame")
        return [Check(frame, who, at, np.frombuffer(data, "<f4").reshape(-1, 3)) for frame, who, at, data in rows]

    def put(self, frame: int, who: str, joints_mm: NDArray[np.floating]) -> None:
        """Keep that a frame is right with these joints (J, 3)."""
        data = np.asarray(joints_mm, dtype="<f4").tobytes()
        with self._file.transaction() as database:
            put_check(database, int(frame), who, data)
            database.execute("DELETE FROM undone WHERE who = ?", (who,))

    def remove(self, frame: int, who: str) -> None:
        """Forget that a frame was found right."""
        with self._file.transaction() as database:
            if database.execute("DELETE FROM checked WHERE frame = ?", (int(frame),)).rowcount:
                write(database, int(frame), CHECK, who, "not right")
                bump(database, CHECKS)

    def holding(self, joints_mm: NDArray[np.floating]) -> dict[int, Check]:
        """Return the checks that hold of solved joints (N, J, 3), by frame: no joint has moved by more than 5 mm.

        Where joints are not solved any more (NaN), or are others, no check holds.
        """
        frames, *shape = joints_mm.shape
        checks = [one for one in self.all() if one.frame < frames and list(one.joints_mm.shape) == shape]
        if not checks:
            return {}
        seen_mm = np.stack([one.joints_mm for one in checks])
        moved_mm = np.linalg.norm(joints_mm[[one.frame for one in checks]] - seen_mm, axis=-1).max(axis=-1)
        stays = moved_mm <= STAYS_MM  # NaN does not
        return {one.frame: one for one, there in zip(checks, stays.tolist(), strict=True) if there}
