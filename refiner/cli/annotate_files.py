"""The words of `refiner annotate` that read and write files of other tools: labels, and pictures to label."""

import getpass
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from refiner.errors import LabelError, OutputExistsError, UsageError

if TYPE_CHECKING:
    from refiner.annotate.plausible.doubts import LabelDoubt


def import_labels(session: str, labels: str, *, who: str | None = None, force: bool = False) -> None:
    """Label frames with a file; they become references, and what they held before stays in the history.

    Labels that make no sense beside the depth are named on stderr: clicks without a reading near, bones that no hand
    has, images that fit another way. They are kept as they are, but `bones` and `solve` do not believe them until they
    are corrected. A file most of whose images are exchanged, mirrored or of other frames is refused.

    Args:
        session: The session.
        labels: COCO keypoints (LABELS.json), CVAT for images 1.1 (XML), Label Studio's JSON, or labelme's, a file or a
            folder of them, or the folder that `pictures` wrote, in pixels of the stored crops; which, the content says.
            Images are found by their names, in COCO by `frame` first. Pixel centres are at halves; in COCO where
            `info.pixel_centres` says ("integer" or "half"), without it at integers where images have `frame`.
        who: Whose labels they are; without it the user of this computer.
        force: Take a file that is refused as a whole; its images stay in doubt.
    """
    from refiner.annotate.exchange.reading import read_labels
    from refiner.annotate.plausible.doubts import Judge
    from refiner.annotate.sessions.order import sources_of
    from refiner.annotate.sessions.session import Session

    with Session(session) as opened:
        sources = sources_of(opened.store)
        file = read_labels(labels, opened.skeleton, opened.store.size, sources)
        if file.unknown:
            _tell_unknown(labels, file.unknown)
        if not file.labels:
            raise LabelError(
                f"{labels} holds no annotations of this session, wanted labels of at least one frame. Check the file."
            )
        before = {one.frame: one for one in opened.all_labels()}
        judge, frames = Judge(opened), {one.frame for one in file.labels}
        after = before | {one.frame: one for one in file.labels}
        doubts = [doubt for doubt in judge.doubts(list(after.values())) if doubt.frame in frames]
        if not force and (fault := judge.fault(file.labels, doubts)):
            raise LabelError(f"{labels}: {fault}; or say --force to import it as it is.")
        opened.put_labels(file.labels, name_of(who), f"import {labels}")
        _tell_doubts(doubts, sources)
        centres = "integers" if file.centres == "integer" else "halves"
        print(f"{labels}: {file.tool}, pixel centres at {centres}, {file.why}")
        again = len(frames & set(before))
        left_out = [f"{len(file.unknown)} images are none of this session"] * bool(file.unknown)
        left_out += [f"{file.empty} images have empty annotations"] * bool(file.empty)
        print(", ".join([f"{session}: labels of {len(frames)} frames, {again} of them labelled before", *left_out]))


def labels(session: str, out: str, *, overwrite: bool = False) -> None:
    """Write the labels of all labelled frames as a file that other tools read, and `import` too.

    Args:
        session: The session.
        out: COCO keypoints (LABELS.json) to write.
        overwrite: Replace OUT where it exists.
    """
    from refiner.annotate.exchange.coco import write_labels
    from refiner.annotate.sessions.order import sources_of
    from refiner.annotate.sessions.session import Session

    if Path(out).exists() and not overwrite:
        raise OutputExistsError(f"{out} exists. Give another name, or --overwrite.")
    with Session(session) as opened:
        found = opened.all_labels()
        if not found:
            raise LabelError(f"{session} has no labels yet, wanted at least one frame. See `refiner annotate import`.")
        write_labels(out, found, opened.skeleton, sources_of(opened.store), opened.store.size)
    print(f"{out}: labels of {len(found)} frames")


def pictures(
    session: str,
    out: str,
    *,
    tool: Literal["coco", "cvat", "label-studio", "labelme"] = "coco",
    frames: Literal["references", "all"] = "references",
    raw: bool = False,
    overwrite: bool = False,
) -> None:
    """Write the crops as pictures, and the labels beside them, to label in another tool.

    Beside the pictures lies what the tool opens them with, labels included; `import` takes back what it writes.

    Args:
        session: The session.
        out: The folder to write.
        tool: coco: labels.json, COCO keypoints. cvat: annotations.xml, and cvat_labels.json for the task's labels.
            label-studio: tasks.json, and labelling_interface.xml for the project. labelme: a JSON beside each picture,
            and labels.txt.
        frames: The references that `select` chose and the labelled frames, or all.
        raw: Pictures of 16 bits with the stored depths, instead of shaded ones of 8.
        overwrite: Replace OUT where it exists.
    """
    from refiner.annotate.exchange.writing import WRITERS
    from refiner.annotate.pictures import write_pictures
    from refiner.annotate.sessions.session import Session

    with Session(session) as opened:
        wanted = sorted({*opened.chosen(), *opened.labelled_frames()}) if frames == "references" else None
        if wanted is not None and not wanted:
            raise LabelError(
                f"{session} has no references yet, wanted at least one frame. See `refiner annotate select`, or say "
                "--frames all."
            )
        chosen = list(range(opened.frames)) if wanted is None else wanted
        write_pictures(opened, Path(out), chosen, tool=tool, raw=raw, overwrite=overwrite)
        labelled = len(set(chosen) & set(opened.labelled_frames()))
    print(f"{out}: {len(chosen)} pictures, {labelled} of them labelled in {WRITERS[tool][0]}")


def name_of(who: str | None) -> str:
    """Return whose labels or edits are meant: a name that was given, else that of the user of this computer."""
    if who == "":
        raise UsageError("Found an empty --who, wanted a name. Give one, or leave it out.")
    try:
        return who or getpass.getuser()
    except (KeyError, OSError):  # a container's user may have no name
        return str(os.getuid())


def _tell_unknown(labels: str, unknown: list[str]) -> None:
    shown = ", ".join(unknown[:10]) + (", ..." if len(unknown) > 10 else "")
    told = f"{len(unknown)} images are no frame of this session and are left out: {shown}"
    print(f"refiner annotate import: {labels}: {told}", file=sys.stderr)


def _tell_doubts(doubts: "list[LabelDoubt]", sources: list[str]) -> None:
    for doubt in doubts:
        place = f"frame {doubt.frame} ({sources[doubt.frame]})" + (f", {doubt.joint}" if doubt.joint else "")
        print(f"refiner annotate import: {place}: {doubt.why}", file=sys.stderr)
    if doubts:
        joints, images = sum(doubt.joint is not None for doubt in doubts), sum(doubt.joint is None for doubt in doubts)
        wrong = sum(not doubt.believed for doubt in doubts)
        print(
            f"refiner annotate import: {joints} joints and {images} whole images are in doubt; `bones` and `solve` do "
            f"without {wrong} of these {len(doubts)}. Correct them, and import again.",
            file=sys.stderr,
        )
