"""Annotate a real sequence of a Kinect v2 from clicked frames, and draw what came of it.

    python -m experiments.kinect2_annotation --out runs/kinect2 [--recording FOLDER] [--labels FILE]

FOLDER is `kinect2_sequence` of the data beside the project (220 frames of one left hand that turns fast, without
labels). The clicks are `experiments/kinect2_labels.json`, 22 frames; `kinect2_page_labels.json` holds 42 frames that
were labelled on the annotation page by somebody else. Both are for the crops that `refiner prepare` cuts with the words
below. There is no truth. What can be measured: how far solved joints lie from the clicks that they were made from, and,
with every labelled frame in turn left out of the labels, from the clicks that the solver did not know.
"""

import argparse
import contextlib
import json
import statistics
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from experiments.settings import claim, digest
from refiner import viz
from refiner.annotate.estimate import estimate_bones
from refiner.annotate.exchange.reading import read_labels
from refiner.annotate.quality import next_frames, not_believed
from refiner.annotate.sessions.labels import FrameLabels
from refiner.annotate.sessions.order import sources_of
from refiner.annotate.sessions.session import Session
from refiner.annotate.stages.case import Options
from refiner.annotate.stages.solve import solve
from refiner.cli.main import main as refiner
from refiner.files import write_json
from refiner.geometry.camera import project

RECORDING = Path(__file__).parents[2] / "shared" / "data" / "kinect2_sequence"
LABELS = Path(__file__).with_name("kinect2_labels.json")
PREPARE = "--camera kinect2 --hand left"
OPTIONS = Options(descriptor="hog")
STRIP, COLUMNS, NEAR_FAR_MM = 40, 8, 90.0


def solved(
    folder: Path, sequence: Path, file: Path = LABELS, without: int | None = None
) -> tuple[Session, list[FrameLabels]]:
    """Solve the sequence from the clicks of a file, or from those of all labelled frames but one."""
    session = Session.create(folder, sequence)
    labels = read_labels(file, session.skeleton, session.store.size, sources_of(session.store)).labels
    session.put_labels([one for one in labels if one.frame != without], "experiment")
    session.set_bones(estimate_bones(session).lengths_mm)
    solve(session, options=OPTIONS)
    return session, labels


def off_clicks_px(session: Session, labels: FrameLabels, stage: str = "optimize") -> NDArray[np.float64]:
    """Give how far the solved joints of a frame lie from the clicks on visible ones."""
    result = session.result(stage)
    assert result is not None  # it was solved
    uv_px = project(result.joints_mm[labels.frame].astype(np.float64), session.cameras[labels.frame])
    return np.linalg.norm(uv_px - labels.uv_px, axis=-1)[labels.flag == 2]


def film_strip(session: Session) -> viz.Picture:
    """Draw frames spread over the sequence; those of the labels and those not believed say so."""
    result = session.result("optimize")
    assert result is not None  # it was solved
    cells, titles, doubted = [], [], set(not_believed(session))
    for frame in np.linspace(0, session.frames - 1, STRIP).round().astype(int).tolist():
        joints_mm, depth_mm = result.joints_mm[frame].astype(np.float64), session.depth_mm(frame)
        middle_mm = float(np.median(depth_mm[depth_mm > 0]))
        grey = 140 + 100 * (middle_mm - depth_mm) / NEAR_FAR_MM  # nearer is brighter
        grey = np.where(depth_mm > 0, grey.clip(60, 255), 0).astype(np.uint8)
        picture = np.repeat(grey[..., None], 3, axis=-1)
        cells.append(viz.draw_skeleton(picture, project(joints_mm, session.cameras[frame]), session.skeleton))
        note = ", clicked" if session.labels(frame) is not None else ", not believed" if frame in doubted else ""
        titles.append(f"frame {frame}{note}")
    return viz.contact_sheet(cells, titles, COLUMNS)


def measure(out: Path, recording: Path, file: Path = LABELS) -> dict[str, Any]:
    """Solve with all clicks, and with each frame's left out."""
    claim(out, {"recording": digest(recording), "prepare": PREPARE, "labels": digest(file)})
    sequence = out / "sequence.zarr"
    if not sequence.exists() and refiner(["prepare", str(recording), str(sequence), *PREPARE.split()]):
        raise SystemExit("refiner prepare failed")
    session, labels = solved(out / "session", sequence, file)
    with contextlib.closing(session):
        viz.save_png(out / "strip.png", film_strip(session))
        bones = estimate_bones(session)
        known = {
            stage: np.concatenate([off_clicks_px(session, one, stage) for one in labels])
            for stage in ("lift", "optimize")
        }
        record: dict[str, Any] = {
            "frames": session.frames,
            "labelled": len(labels),
            "clicks": int(sum((one.flag > 0).sum() for one in labels)),
            "bones_mm": dict(zip(session.skeleton.joints, bones.lengths_mm.tolist(), strict=True)),
            "conflicts": len(session.result("lift").info["conflicts"]),  # pyright: ignore[reportOptionalMemberAccess]
            "off_clicks_px": {stage: spread(off_px) for stage, off_px in known.items()},
            "not_believed": not_believed(session),
            "next": next_frames(session, 10),
        }
    left_out = {}
    for one in labels:
        session, _ = solved(out / f"without_{one.frame}", sequence, file, one.frame)
        with contextlib.closing(session):
            left_out[one.frame] = off_clicks_px(session, one)
    record["left_out_px"] = spread(np.concatenate(list(left_out.values())))
    record["left_out_by_frame_px"] = {frame: float(np.median(off_px)) for frame, off_px in left_out.items()}
    return record


def spread(off_px: NDArray[np.float64]) -> dict[str, float]:
    """Give mean, median and the share within 5 px (10 mm on the hand)."""
    values = off_px.tolist()
    return {
        "mean": statistics.fmean(values),
        "median": statistics.median(values),
        "within_5": float((off_px <= 5).mean()),
    }


def main(words: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--recording", type=Path, default=RECORDING)
    parser.add_argument("--labels", type=Path, default=LABELS)
    given = parser.parse_args(words)
    record = measure(given.out, given.recording, given.labels)
    write_json(given.out / "kinect2_annotation.json", record)
    print(json.dumps({name: record[name] for name in ("conflicts", "off_clicks_px", "left_out_px", "next")}, indent=2))
    print(f"{given.out}: kinect2_annotation.json and strip.png of {record['labelled']} labelled frames")


if __name__ == "__main__":
    main()
