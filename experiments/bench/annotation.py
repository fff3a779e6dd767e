"""What a whole `solve` costs as sequences grow: time a frame, stage by stage, and the most memory.

    python -m experiments.bench.annotation [--frames 1000 3000 10000] [--rounds 3] [--out FILE.json]

A tenth of each sequence (see `experiments.annotation_sequence`) is labelled with exact clicks. Every solve is a process
of its own, so that its memory is its own; compiling, which a machine does once, comes before.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from experiments import annotation_sequence
from experiments.bench.timing import report, row
from refiner.annotate.evaluate import evaluate
from refiner.annotate.references.select import equally_spaced
from refiner.annotate.sessions.session import Session
from refiner.annotate.sessions.truth import bones_of_store
from refiner.annotate.simulate import labels_of_truth
from refiner.annotate.stages.case import Options
from refiner.annotate.stages.solve import solve
from refiner.datasets.store import DepthStore

STAGES = ("lift", "propagate", "optimize")


def solved(folder: Path, sequence: Path) -> dict[str, Any]:
    """Label and solve a sequence, and say what it took."""
    truth = DepthStore(sequence)
    with Session.create(folder, sequence) as session:
        session.put_labels(labels_of_truth(truth, equally_spaced(len(truth), 0.1), 0.0, 0), "simulated")
        session.set_bones(bones_of_store(truth))
        Path("/proc/self/clear_refs").write_text("5")  # forget the peak of what came before
        loaded_mb = memory_mb("VmRSS")
        solve(session, options=Options(descriptor="hog"))
        seconds = {stage: session.result(stage).info["seconds"] for stage in STAGES}  # pyright: ignore
        peak_mb = memory_mb("VmHWM")
        error_mm = evaluate(session, truth)["stages"]["optimize"]["mean_mm"]
    return {"seconds": seconds, "memory_mb": peak_mb - loaded_mb, "error_mm": error_mm}


def memory_mb(which: str) -> float:
    """Give this process's resident memory now (VmRSS), or the most of it (VmHWM)."""
    lines = dict(line.split(":") for line in Path("/proc/self/status").read_text().splitlines())
    return int(lines[which].split()[0]) / 1024


def measure(frames: list[int], rounds: int, motion: Path) -> list[dict[str, Any]]:
    """Solve sequences of all lengths in turn."""
    found: dict[int, list[dict[str, Any]]] = {count: [] for count in frames}
    with tempfile.TemporaryDirectory() as folder:
        sequences = {count: Path(folder, f"{count}.zarr") for count in frames}
        for count, path in sequences.items():
            annotation_sequence.main([str(path), "--frames", str(count), "--motion", str(motion)])
        for number in range(-1, rounds):
            for count in frames if number >= 0 else frames[:1]:  # the first compiles
                session = Path(folder, f"{count}_{number}")
                words = [sys.executable, "-m", __spec__.name, "--solve", str(session), str(sequences[count])]
                result = json.loads(subprocess.run(words, check=True, capture_output=True, text=True).stdout)
                if number >= 0:
                    found[count].append(result)
    rows: list[dict[str, Any]] = []
    for count, runs in found.items():
        whole_ms = [1000 * sum(run["seconds"].values()) / count for run in runs]
        rows.append(row(f"{count} frames: whole solve", whole_ms, "ms a frame", "<= 25"))
        for stage in STAGES:
            values = [1000 * run["seconds"][stage] / count for run in runs]
            rows.append(row(f"{count} frames: {stage}", values, "ms a frame", "<= 5" if stage == "optimize" else ""))
        rows.append(row(f"{count} frames: memory", [1000 * run["memory_mb"] / count for run in runs], "kB a frame"))
        rows.append(row(f"{count} frames: mean error", [run["error_mm"] for run in runs], "mm"))
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, nargs="+", default=[1000, 3000, 10000])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--motion", type=Path, default=annotation_sequence.MOTION)
    parser.add_argument("--solve", type=Path, nargs=2, help=argparse.SUPPRESS)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    if options.solve:
        print(json.dumps(solved(*options.solve)))
    else:
        report(measure(options.frames, options.rounds, options.motion), options.out)


if __name__ == "__main__":
    main()
