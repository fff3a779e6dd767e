"""The people's test: does a person who looks at real and refined maps in a random order tell them apart?

Section "Visual Turing test" of SimGAN (Shrivastava et al. 2017): 50 real and 50 refined maps a person, each to be named
real or refined. Ten persons were right 517 times of 1000, p = 0.148.

An answer is a line of a file, on the disk before the next map is shown. This module knows no page and no server.
"""

import errno
import fcntl
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import cv2
import numpy as np

from refiner import viz
from refiner.datasets.store import DepthStore
from refiner.errors import OutputExistsError, StoreError, UsageError
from refiner.realism.maps import read_depth_mm

SIDES: tuple[str, str] = ("real", "refined")
SHOWN_PX = 384
_SAME_CUBE_MM = 0.5


@dataclass(frozen=True)
class Shown:
    """One map of the test: which set it is of, and which item there."""

    side: str
    item: int


def draw_order(real_items: int, refined_items: int, count: int, seed: int) -> list[Shown]:
    """Draw `count` different maps of each set and shuffle them.

    Args:
        real_items: Items in the real set.
        refined_items: Items in the refined set.
        count: Of each set.
        seed: Of the choice and of the order.

    Raises:
        UsageError: A set has fewer maps than that, or the seed is negative.
    """
    if not 1 <= count <= min(real_items, refined_items):
        raise UsageError(
            f"Found --count {count} with {real_items} real and {refined_items} refined maps, wanted 1 to "
            f"{min(real_items, refined_items)}: no map is shown twice. Give another --count or larger sets."
        )
    if seed < 0:
        raise UsageError(f"Found --seed {seed}, wanted 0 or more.")
    rng = np.random.default_rng(seed)
    chosen = [
        Shown(side, int(item))
        for side, items in zip(SIDES, (real_items, refined_items), strict=True)
        for item in rng.choice(items, count, replace=False)
    ]
    return [chosen[k] for k in rng.permutation(2 * count)]


def judge(table: Mapping[str, Mapping[str, int]]) -> dict[str, Any]:
    """Say how well the sets were told apart.

    Args:
        table: The paper's confusion, `table[truth][said]` in answers.

    Returns:
        Of plain values: the table; `right` of `answers`; `share_right` with its exact 95 % interval `ci95`; `p_value`,
        the chance that guessing is right at least as often (exact binomial test, one-sided as in the paper).
    """
    from scipy.stats import binomtest

    right = sum(table[side][side] for side in SIDES)
    answers = sum(table[truth][said] for truth in SIDES for said in SIDES)
    interval = binomtest(right, answers).proportion_ci(0.95, "exact")  # two-sided, unlike the test
    return {
        "table": {truth: {said: table[truth][said] for said in SIDES} for truth in SIDES},
        "right": right,
        "answers": answers,
        "share_right": right / answers,
        "ci95": [float(interval.low), float(interval.high)],
        "p_value": float(binomtest(right, answers, alternative="greater").pvalue),
    }


def in_a_sentence(result: Mapping[str, Any]) -> str:
    """Say a result of `judge` without its table."""
    low, high = (100 * bound for bound in result["ci95"])
    return (
        f"{result['right']} of {result['answers']} right = {100 * result['share_right']:.1f} % "
        f"(95 % {low:.1f} to {high:.1f} %); guessing does as well with p = {result['p_value']:.3g}"
    )


class AnswersFile:
    """Answers, one JSON line each, on the disk once `add` returns; held by one command at a time.

    Attributes:
        said: What was said of each map so far, by the map's place in the order.
    """

    def __init__(self, path: Path, total: int, *, overwrite: bool = False) -> None:
        """Open or create the file; a last line that a kill tore is dropped.

        Args:
            path: Where it lies.
            total: Maps in the test.
            overwrite: Drop the answers that are there.

        Raises:
            OutputExistsError: Another command holds it, or a line is no answer.
        """
        self._file = path.open("a+b", buffering=0)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self.said = {} if overwrite else _read_answers(self._file, path, total)
        except BlockingIOError:
            self._file.close()
            raise OutputExistsError(
                f"{path} is open in another command. Answer on its page, end it, or give another --out."
            ) from None
        except OutputExistsError:
            self._file.close()
            raise
        if overwrite:
            self._file.truncate(0)

    def add(self, place: int, answer: str) -> bool:
        """Keep an answer; give false, and keep the first, where the map has one."""
        if place in self.said:
            return False
        line = json.dumps({"map": place, "answer": answer}).encode() + b"\n"
        if self._file.write(line) < len(line):  # an unbuffered file takes what fits and raises at the next write only
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), self._file.name)
        os.fsync(self._file.fileno())
        self.said[place] = answer
        return True

    def __enter__(self) -> Self:
        """Give the file."""
        return self

    def __exit__(self, *_: object) -> None:
        """Let another command have it."""
        self._file.close()


def _read_answers(file: Any, path: Path, total: int) -> dict[int, str]:
    file.seek(0)
    content: bytes = file.read()
    whole = content[: content.rfind(b"\n") + 1]
    said: dict[int, str] = {}
    for number, line in enumerate(whole.splitlines(), 1):
        answer = parse_answer(line, total)
        if answer is None or answer[0] in said:
            raise OutputExistsError(
                f"{path}: found {line[:80]!r} in line {number}, wanted one answer to one of {total} maps. Give another "
                "--out, or --overwrite to begin anew."
            )
        said[answer[0]] = answer[1]
    file.truncate(len(whole))
    return said


def parse_answer(text: bytes, total: int) -> tuple[int, str] | None:
    """Give the map's place and what was said of it, or nothing where the JSON is no answer."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(found, dict) or set(found) != {"map", "answer"}:
        return None
    place, answer = found["map"], found["answer"]
    if type(place) is not int or not 0 <= place < total or answer not in SIDES:  # a bool is an int, too
        return None
    return place, answer


class TuringTest:
    """A test under way.

    Attributes:
        order: The maps as they are shown.
        answers: What was said of them.
    """

    def __init__(self, real: DepthStore, refined: DepthStore, order: list[Shown], answers: AnswersFile) -> None:
        self.order, self.answers = order, answers
        self._stores = dict(zip(SIDES, (real, refined), strict=True))
        self._unit_mm = max(real.depth_unit_mm, refined.depth_unit_mm)

    def next_place(self) -> int | None:
        """Give the place of the first map without an answer; nothing at the end."""
        return next((place for place in range(len(self.order)) if place not in self.answers.said), None)

    def picture_png(self, place: int) -> bytes:
        """Draw one map over the depth range of its cube, as PNG; nothing in it but depth says which set it is of."""
        shown = self.order[place]
        store, item = self._stores[shown.side], shown.item
        depth_mm = read_depth_mm(store, np.array([item]), self._unit_mm)[0]
        half_mm = float(store.read("cube_mm", item, item + 1)[0]) / 2
        z_mm = float(store.read("centre_mm", item, item + 1)[0, 2])
        picture = viz.enlarge(viz.colour_depth(depth_mm, z_mm - half_mm, z_mm + half_mm), SHOWN_PX)
        return cv2.imencode(".png", np.ascontiguousarray(picture[..., ::-1]))[1].tobytes()

    def result(self) -> dict[str, Any] | None:
        """Judge the answers (see `judge`); nothing before the last."""
        if self.next_place() is not None:
            return None
        table = {truth: dict.fromkeys(SIDES, 0) for truth in SIDES}
        for place, said in self.answers.said.items():
            table[self.order[place].side][said] += 1
        return judge(table)


def check_alike(real: DepthStore, refined: DepthStore) -> None:
    """Check that nothing but the depth tells the sets apart.

    Raises:
        StoreError: Their maps differ in size or scale.
    """
    if real.size != refined.size:
        raise StoreError(
            f"{real.path} holds maps of {real.size} px and {refined.path} of {refined.size} px; wanted the same, else "
            "the size tells them apart. Render or prepare them with the same --size."
        )
    cubes_mm = [store.read("cube_mm") for store in (real, refined) if len(store)]
    fixed_mm = [float(cubes[0]) for cubes in cubes_mm if np.ptp(cubes) <= _SAME_CUBE_MM]
    if len(fixed_mm) == 2 and abs(fixed_mm[0] - fixed_mm[1]) > _SAME_CUBE_MM:
        raise StoreError(
            f"{real.path} shows cubes of {fixed_mm[0]:g} mm and {refined.path} of {fixed_mm[1]:g} mm; wanted the same, "
            "else the hands' scale tells them apart. Render or prepare them with the same --cube-mm."
        )
