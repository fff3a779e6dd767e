"""`refiner annotate ...`: label a few frames of a depth sequence, and find the joints of all.

    refiner annotate new SESSION SRC.zarr [--bones BONES.json] [--init-from-labels]

makes a session, a folder; every other word works on one. Any number of people may label it at once; nothing that was
reported as done is lost by a kill.
"""

import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING

from refiner.cli import annotate_files, annotate_solve
from refiner.cli.annotate_serve import serve
from refiner.errors import UsageError

if TYPE_CHECKING:
    from refiner.annotate.sessions.session import Session


def main(argv: list[str]) -> int:
    """Find the second word of the verb."""
    from refiner.cli.main import call

    if argv and argv[0] in ("-h", "--help"):
        print(_overview())
        return 0
    if not argv or argv[0] not in WORDS:
        found = argv[0] if argv else "nothing"
        raise UsageError(f"Found {found!r}, wanted one of {', '.join(WORDS)}. See `refiner annotate --help`.")
    function, positionals = WORDS[argv[0]]
    return call(f"annotate {argv[0]}", function, positionals, argv[1:])


def new(session: str, src: str, *, bones: str | None = None, init_from_labels: bool = False) -> None:
    """Make a session of a depth sequence.

    Args:
        session: The folder to make.
        src: The sequence (NAME.zarr), in order of time; it stays where it is.
        bones: Length of each bone (BONES.json), {"joint name": mm to its parent}.
        init_from_labels: Take the joints that the sequence has as labels of every frame, and the medians as lengths of
            the bones where none are given.
    """
    from refiner.annotate.sessions.bones import read_bones
    from refiner.annotate.sessions.order import skeleton_of
    from refiner.annotate.sessions.session import Session
    from refiner.datasets.store import DepthStore

    bones_mm = None if bones is None else read_bones(bones, skeleton_of(DepthStore(src)))
    with Session.create(session, src, bones_mm, from_labels=init_from_labels) as made:
        print(f"{session}: session of {made.frames} frames, {len(made.labelled_frames())} labelled")


def undo(session: str, *, who: str | None = None) -> int:
    """Take back one's newest edit; frames that someone else has changed since stay as they are.

    Args:
        session: The session.
        who: Whose edit; without it that of the user of this computer.
    """
    return _step(session, "undo", annotate_files.name_of(who))


def redo(session: str, *, who: str | None = None) -> int:
    """Make the edit again that one took back last, if none was made since.

    Args:
        session: The session.
        who: Whose edit; without it that of the user of this computer.
    """
    return _step(session, "redo", annotate_files.name_of(who))


def status(session: str) -> None:
    """Say what a session holds, and what is out of date.

    Args:
        session: The session.
    """
    from refiner.annotate.sessions.session import Session

    with Session(session) as opened:
        print("\n".join(_lines(opened)))
        print(f"{session}: {len(opened.labelled_frames())} of {opened.frames} frames labelled")


# What is typed after `refiner annotate`: the function, and which of its parameters are positional.
WORDS: dict[str, tuple[Callable[..., int | None], tuple[str, ...]]] = {
    "new": (new, ("session", "src")),
    "import": (annotate_files.import_labels, ("session", "labels")),
    "labels": (annotate_files.labels, ("session", "out")),
    "pictures": (annotate_files.pictures, ("session", "out")),
    "undo": (undo, ("session",)),
    "redo": (redo, ("session",)),
    "status": (status, ("session",)),
    "serve": (serve, ("session",)),
    "select": (annotate_solve.select, ("session",)),
    "bones": (annotate_solve.bones, ("session",)),
    "solve": (annotate_solve.solve, ("session",)),
    "next": (annotate_solve.next_frame, ("session",)),
    "simulate": (annotate_solve.simulate, ("session", "truth")),
    "evaluate": (annotate_solve.evaluate, ("session", "truth")),
    "export": (annotate_solve.export, ("session", "out")),
}


def _overview() -> str:
    width = max(map(len, WORDS))
    lines = [f"  {word:<{width}}  {(inspect.getdoc(f) or '').splitlines()[0]}" for word, (f, _) in WORDS.items()]
    return "\n".join(["usage: refiner annotate WORD SESSION ...", "", *lines, "", "Each has a --help of its own."])


def _step(session: str, way: str, who: str) -> int:
    from refiner.annotate.sessions.session import Session

    with Session(session) as opened:
        frames = opened.edits.undo(who) if way == "undo" else opened.edits.redo(who)
        if not frames:
            others = ", ".join(f"{name} {count}" for name, count in opened.edits.authors().most_common()) or "nobody"
            print(f"{session}: nothing of {who} to {way}; frames labelled last by: {others}")
            return 1
    print(f"{session}: {way} changed {len(frames)} frames, {_ranges(frames)}")
    return 0


def _lines(session: "Session") -> list[str]:
    from numpy import isfinite, nanmax, nanmin

    from refiner.annotate.sessions.results import STAGES

    labelled, chosen, bones_mm = session.labelled_frames(), session.chosen(), session.bones_mm
    authors = ", ".join(f"{name} {count}" for name, count in session.edits.authors().most_common())
    unlabelled = sorted(set(chosen) - set(labelled))
    lines = [
        f"store       {session.store.path}: {session.frames} frames in {int(session.starts.sum())} unbroken sequences, "
        f"joints of {session.skeleton.name}",
        f"labels      {len(labelled)} frames"
        + (f" ({authors})" if labelled else "")
        + f", revision {session.revision}",
        f"chosen      {len(chosen)} frames" + (f", still to be labelled: {_ranges(unlabelled)}" if unlabelled else ""),
        "bones       " + ("not known" if bones_mm is None else f"{nanmin(bones_mm):.1f} to {nanmax(bones_mm):.1f} mm"),
    ]
    if checks := session.checks.all():
        lines.append(f"checked     {len(checks)} frames found right, {_ranges([one.frame for one in checks])}")
    for stage in STAGES:
        result, stale = session.result(stage), session.stale(stage)
        if result is None:
            lines.append(f"{stage:<11} not solved")
        else:
            solved = int(isfinite(result.joints_mm).all(axis=(1, 2)).sum())
            lines.append(f"{stage:<11} {solved} frames" + (f", STALE: {stale}" if stale else ""))
    return lines


def _ranges(frames: list[int]) -> str:
    """Write 1 2 3 7 as 1-3 7."""
    ends: list[list[int]] = []
    for frame in frames:
        if ends and frame == ends[-1][1] + 1:
            ends[-1][1] = frame
        else:
            ends.append([frame, frame])
    return " ".join(str(a) if a == b else f"{a}-{b}" for a, b in ends)
