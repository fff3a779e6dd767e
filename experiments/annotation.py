"""How far annotation is from true joints, stage by stage, beside what Oberweger et al. 2016 report.

    python -m experiments.annotation --out runs/annotation [--seeds 3] [--rows ROW ...] [--frames 3000]

Every row and seed is one job with a json of its own in OUT; what is there is not done again, and an OUT that was made
with other settings is refused. Sequences are those of
`experiments.annotation_sequence`: a tenth of the frames is labelled by a simulated annotator, with exact clicks or
with clicks that stray by one pixel (2 mm on the hand). The sequences are rendered with the hand model that the solver
may lay upon them, so that rows without it (`no_hand_model`) and the published objective (`exact_paper`) stand beside.
After some rows is measured the annotator corrects what is too far off, until nothing is (see
`refiner.annotate.corrections`); the row's errors are those from before.
"""

import argparse
import json
import os
import platform
import statistics
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from experiments import annotation_sequence
from experiments.settings import claim, digest
from refiner.annotate.corrections import Measure, correct, corrections
from refiner.annotate.evaluate import evaluate
from refiner.annotate.references.likeness import distances_of
from refiner.annotate.references.select import equally_spaced, select_references
from refiner.annotate.sessions.session import Session
from refiner.annotate.sessions.truth import bones_of_store, surface_offset_mm
from refiner.annotate.simulate import labels_of_truth
from refiner.annotate.solver.chain import tree_of
from refiner.annotate.solver.surface import terms_of
from refiner.annotate.solver.terms import Weights
from refiner.annotate.stages.case import Options
from refiner.annotate.stages.lift import LIFT_WEIGHTS, lift
from refiner.annotate.stages.solve import solve
from refiner.datasets.store import DepthStore
from refiner.files import write_json


@dataclass(frozen=True)
class Row:
    """One way to annotate.

    Attributes:
        noise_px: Deviation of a click.
        budget: Share of frames that are labelled.
        choice: How they are chosen: codes, hog, or equal.
        options: Of the solver.
        all_seeds: Whether it is done for every seed, or the first alone.
        correct: Which joints a person moves after the first solve, until none is left: those off in the image, as the
            authors count, or in space; nothing is corrected without.
    """

    noise_px: float = 0.0
    budget: float = 0.1
    choice: str = "codes"
    options: Options = field(default_factory=Options)
    all_seeds: bool = True
    correct: Measure | None = None


ROWS: dict[str, Row] = {
    "exact_clicks": Row(correct="image"),
    "noisy_clicks": Row(noise_px=1.0, correct="image"),
    "equally_spaced": Row(choice="equal", correct="image"),
    "corrected_in_space": Row(correct="space", all_seeds=False),
    "hog": Row(choice="hog", options=Options(descriptor="hog")),
    "no_hand_model": Row(options=Options(hand_model=False)),
    "exact_paper": Row(options=Options(exact_paper=True), all_seeds=False),
    **{f"budget_{percent}": Row(budget=percent / 100, all_seeds=False) for percent in (1, 2, 3, 5)},
}

MOST_ROUNDS = 20
"""Of corrections: a person would have given up."""

LIFTS: dict[str, tuple[Weights, bool]] = {
    "clicks_and_lengths": (LIFT_WEIGHTS._replace(depth_mm=0.0, pull_mm=0.0, outside_px=0.0), False),
    "and_visibility": (LIFT_WEIGHTS, False),
    "and_nearer": (LIFT_WEIGHTS, True),
}
"""The paper's ablation of the lift, without the hand model: the terms, and whether order in depth is told."""


def sequence_of(out: Path, seed: int, frames: int, motion: Path) -> Path:
    """Make the sequence of a seed, if it is not there."""
    path = out / f"sequence_{seed}_{frames}.zarr"
    if not path.exists():
        annotation_sequence.main([str(path), "--frames", str(frames), "--seed", str(seed), "--motion", str(motion)])
    return path


def annotated(session: Session, truth: DepthStore, row: Row, seed: int) -> dict[str, Any]:
    """Choose, label, solve and measure."""
    began = time.perf_counter()
    distances = distances_of(session, row.options.descriptor, row.options.seed)
    described = time.perf_counter() - began
    if row.choice == "equal":
        frames = equally_spaced(len(truth), row.budget)
    else:
        frames = select_references(distances, row.budget).frames
    labels = labels_of_truth(truth, frames, row.noise_px, seed)
    session.put_labels(labels, "simulated")
    session.set_bones(bones_of_store(truth))
    solve(session, options=row.options)
    found = evaluate(session, truth)
    last = session.result("optimize")
    assert last is not None  # it was solved above
    left = corrections(last.joints_mm, truth.read("joints_mm"), frames)
    seconds = {stage: session.result(stage).info["seconds"] for stage in found["stages"]}  # pyright: ignore
    return {
        **found,
        "lift_ablation": ablation(truth, labels),
        "beyond_17_mm": left.far / left.joints,
        "beyond_17_mm_in_image": left.far_in_image / left.joints,
        "beyond_10_mm": left.near / left.joints,
        "corrected": None if row.correct is None else corrected(session, truth, row, row.correct, seed),
        "seconds": {"describe": described, **seconds},
        "ms_per_frame": 1000 * sum(seconds.values()) / len(truth),
    }


def corrected(session: Session, truth: DepthStore, row: Row, measure: Measure, seed: int) -> dict[str, Any]:
    """Correct a solved session until nothing is left to correct, and count what was moved."""
    rounds = list(correct(session, truth, MOST_ROUNDS, row.noise_px, seed, row.options, measure))
    last = rounds[-1]
    return {
        "joints": last.joints,
        "joints_share": last.joints / last.left.joints,
        "frames": last.frames,
        "rounds": len(rounds) - 1,
        "frames_left": len(last.left.frames),
        "beyond_17_mm_after": last.left.far / last.left.joints,
    }


def ablation(truth: DepthStore, labels: list[Any]) -> dict[str, Any]:
    """Lift the labelled frames with less and less said of them, mean mm over all joints."""
    skeleton, joints_mm = truth.skeleton, truth.read("joints_mm").astype(np.float64)
    assert skeleton is not None
    frames = [one.frame for one in labels]
    tree, offset_mm = tree_of(skeleton, bones_of_store(truth)), surface_offset_mm(skeleton)
    depth, camera = truth.read("depth")[frames], truth.read("camera")[frames].astype(np.float64)
    result = {}
    for name, (weights, ordered) in LIFTS.items():
        told = labels if ordered else [replace(one, nearer=()) for one in labels]
        terms = terms_of(depth, truth.depth_unit_mm, camera, offset_mm, told)
        off_mm = np.linalg.norm(lift(tree, terms, weights).joints_mm - joints_mm[frames], axis=-1)
        result[name] = {"mean_mm": float(off_mm.mean()), "median_mm": float(np.median(off_mm))}
    return result


def job(out: Path, name: str, seed: int, frames: int, motion: Path) -> dict[str, Any]:
    """Do one row of one seed, or read what it gave."""
    path = out / "jobs" / f"{name}_{seed}_{frames}.json"
    if path.exists():
        return json.loads(path.read_text())
    truth = DepthStore(sequence_of(out, seed, frames, motion))
    folder = out / "sessions" / f"{name}_{seed}_{frames}_{os.getpid()}"
    with Session.create(folder, truth.path) as session:
        result = annotated(session, truth, ROWS[name], seed)
    write_json(path, result)
    return result


def summary(results: dict[str, list[dict[str, Any]]]) -> dict[str, Any]:
    """Give the mean over the seeds, with the lowest and highest, of what the paper reports."""

    def over(values: list[float]) -> dict[str, Any]:
        return {"mean": statistics.fmean(values), "lowest": min(values), "highest": max(values), "seeds": len(values)}

    table = {}
    for name, runs in results.items():
        stages = [run["stages"] for run in runs]
        table[name] = {
            "lift_mm": over([s["lift"]["mean_mm"] for s in stages]),
            **{f"lift_{part}_mm": over([run["lift_ablation"][part]["mean_mm"] for run in runs]) for part in LIFTS},
            "closest_reference_mm": over([s["propagate"]["closest_reference"]["mean_mm"] for s in stages]),
            "flow_mm": over([s["propagate"]["flow"]["mean_mm"] for s in stages]),
            "per_frame_mm": over([s["propagate"]["mean_mm"] for s in stages]),
            "global_mm": over([s["optimize"]["mean_mm"] for s in stages]),
            "global_median_mm": over([s["optimize"]["median_mm"] for s in stages]),
            **{part: over([run[part] for run in runs]) for part in ("beyond_17_mm", "beyond_17_mm_in_image")},
            "ms_per_frame": over([run["ms_per_frame"] for run in runs]),
            "optimize_ms_per_frame": over([1000 * r["seconds"]["optimize"] / r["frames"] for r in runs]),
        }
        if all(run["corrected"] for run in runs):
            counts = ("joints", "joints_share", "frames", "rounds", "frames_left", "beyond_17_mm_after")
            table[name]["corrected"] = {part: over([run["corrected"][part] for run in runs]) for part in counts}
    return table


def main(words: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--rows", nargs="+", choices=list(ROWS), default=list(ROWS))
    parser.add_argument("--frames", type=int, default=3000)
    parser.add_argument("--motion", type=Path, default=annotation_sequence.MOTION)
    given = parser.parse_args(words)
    rows = {name: repr(row) for name, row in ROWS.items()}
    motion = digest(given.motion) if given.motion.exists() else None
    claim(given.out, {"frames": given.frames, "motion": motion, "rows": rows})
    results: dict[str, list[dict[str, Any]]] = {}
    for name in given.rows:
        for seed in range(given.seeds if ROWS[name].all_seeds else 1):
            found = job(given.out, name, seed, given.frames, given.motion)
            results.setdefault(name, []).append(found)
            mean_mm = found["stages"]["optimize"]["mean_mm"]
            print(f"{name}, seed {seed}: {mean_mm:.2f} mm, {found['ms_per_frame']:.1f} ms a frame", flush=True)
    whole = {"machine": f"{platform.machine()}, {os.cpu_count()} cores", "frames": given.frames}
    write_json(given.out / "annotation.json", whole | {"rows": summary(results)})
    print(f"{given.out / 'annotation.json'}: {len(results)} rows")


if __name__ == "__main__":
    main()
