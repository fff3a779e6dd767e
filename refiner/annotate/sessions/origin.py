"""What results are made from, in a form that can be compared: whether labels and bones are still those."""

import hashlib
import json
from typing import NamedTuple

import numpy as np

from refiner.annotate.sessions.session_file import SessionFile

DECIMALS = 6
"""Clicks are compared to a millionth of a pixel: a file with pixel centres at halves brings them back rounded."""


class Origin(NamedTuple):
    """The labels and bones of a session at one moment.

    Attributes:
        revision: Of the session.
        fingerprint: Equal where labels and bones are equal, whoever made them and however often they were changed.
    """

    revision: int
    fingerprint: str


class Origins:
    """Tells the origin that a session offers now. Each version of a frame's labels is read once."""

    def __init__(self, file: SessionFile) -> None:
        self._file, self._last = file, Origin(-1, "")
        self._digests: dict[tuple[int, int], bytes] = {}

    def now(self) -> Origin:
        """Return what a result would be made from now."""
        with self._file.reading():
            revision = int(self._file.meta("revision"))
            last = self._last
            if last.revision != revision:
                last = self._last = Origin(revision, self._fingerprint())
            return last

    def _fingerprint(self) -> str:
        digest = hashlib.sha256((self._file.meta("bones_mm") or "").encode())
        shown = self._file.rows("SELECT frame, edit FROM shown ORDER BY frame")
        self._digests = {version: self._digests.get(version) or self._digest(*version) for version in shown}
        for one in self._digests.values():
            digest.update(one)
        return digest.hexdigest()[:32]

    def _digest(self, frame: int, edit: int) -> bytes:
        """Return what stands for the labels that an edit gave a frame; nothing where it deleted them."""
        ((text,),) = self._file.rows("SELECT labels FROM versions WHERE frame = ? AND edit = ?", frame, edit)
        if text is None:
            return b""
        content = json.loads(text)
        pixels = [pixel and np.round(pixel, DECIMALS).tolist() for pixel in content["uv_px"]]
        made = [frame, pixels, content["flag"], sorted(content["nearer"])]
        return hashlib.sha256(json.dumps(made).encode()).digest()
