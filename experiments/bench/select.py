"""What `refiner annotate select` costs as sequences grow: seconds of one processor, of what, and the most memory.

    python -m experiments.bench.select [--frames 3000 10000 100000] [--descriptor codes] [--out FILE.json]

The frames are those of `data/sequence.zarr`, forwards and backwards in turn, turned, scaled and shifted in the image by
random walks, so that near frames are alike and poses come back, but no frame does. Every selection is a process of its
own, so that its memory is its own; compiling, which a machine does once, comes before.
"""

import argparse
import contextlib
import cProfile
import json
import pstats
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from experiments.bench.annotation import memory_mb
from experiments.bench.timing import report, row
from refiner.annotate.sessions.session import Session
from refiner.cli.annotate_solve import select
from refiner.datasets.store import DepthStore
from refiner.datasets.store_writer import StoreWriter

SHIPPED = Path(__file__).parents[2] / "data" / "sequence.zarr"
STEPS = {
    "descriptors": "_descriptors", "spread": "_greatest", "radius": "radius_of_budget", "choice": "select_references",
    "curves": "coverage_curve",
}  # fmt: skip
"""What takes the time -> the function whose time it is. The spread is found once, as part of the radius."""


def write_frames(path: Path, count: int, seed: int = 0) -> None:
    """Write a sequence with the given number of frames."""
    shipped, rng = DepthStore(SHIPPED), np.random.default_rng(seed)
    rows = {name: shipped.read(name) for name in ("depth", "camera", "centre_mm", "cube_mm")}
    there_and_back = np.r_[np.arange(len(shipped)), np.arange(len(shipped))[-2:0:-1]]
    steps = rng.normal(0, [0.03, 0.01, 0.5, 0.5], (count, 4))  # radians, log of scale, px, px
    walk = np.zeros_like(steps)
    for n in range(1, count):
        walk[n] = 0.995 * walk[n - 1] + steps[n]
    writer = StoreWriter(
        path, count=count, size=shipped.size, depth_unit_mm=shipped.depth_unit_mm, skeleton=shipped.skeleton,
        provenance={}, arrays={"sequence": (), "frame": ()},
    )  # fmt: skip
    middle = ((shipped.size - 1) / 2,) * 2
    for start, stop in list(writer.missing()):
        numbers = np.arange(start, stop)
        at = there_and_back[numbers % len(there_and_back)]
        chunk: dict[str, Any] = {name: values[at] for name, values in rows.items()}
        for n, (angle, log_scale, right, down) in enumerate(walk[start:stop]):
            move = cv2.getRotationMatrix2D(middle, np.degrees(angle), np.exp(log_scale))
            move[:, 2] += right, down
            chunk["depth"][n] = cv2.warpAffine(chunk["depth"][n], move, (shipped.size,) * 2, flags=cv2.INTER_NEAREST)
        chunk |= {"sequence": np.zeros(stop - start, np.int32), "frame": numbers.astype(np.int32)}
        writer.write(start, chunk)
    writer.finish()


def selected(session: Path, descriptor: str) -> dict[str, Any]:
    """Select a tenth of a session's frames as the command does, and say what it took."""
    profile, began = cProfile.Profile(time.process_time), time.perf_counter()
    with contextlib.redirect_stdout(sys.stderr):
        profile.runcall(select, str(session), descriptor=descriptor)  # pyright: ignore[reportArgumentType]
    stats = pstats.Stats(profile)
    seconds = dict.fromkeys(STEPS, 0.0)
    for (_, _, function), (_, _, _, cumulative, _) in stats.stats.items():  # pyright: ignore
        seconds |= {step: seconds[step] + cumulative for step, name in STEPS.items() if name == function}
    whole = {"whole": stats.total_tt, "clock": time.perf_counter() - began}  # pyright: ignore
    return {"seconds": whole | seconds, "memory_mb": memory_mb("VmHWM")}


def measure(frames: list[int], descriptor: str) -> list[dict[str, Any]]:
    """Select from sequences of all lengths, each once."""
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        for count in (100, *frames):  # the first compiles
            store, session = Path(folder, f"{count}.zarr"), Path(folder, f"{count}")
            write_frames(store, count)
            Session.create(session, store).close()
            words = [sys.executable, "-m", __spec__.name, "--select", str(session)]
            words += ["--descriptor", "hog" if count == 100 else descriptor]
            found = json.loads(subprocess.run(words, check=True, stdout=subprocess.PIPE, text=True).stdout)
            print(count, found, file=sys.stderr)
            if count == 100:
                continue
            for step, seconds in found["seconds"].items():
                rows.append(row(f"{count} frames, {descriptor}: {step}", [seconds], "s"))
            memory = row(f"{count} frames, {descriptor}: memory", [found["memory_mb"]], "MB", "<= 2,000 at 100,000")
            rows.append(memory)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, nargs="+", default=[3000, 10000, 100000])
    parser.add_argument("--descriptor", choices=["codes", "hog"], default="codes")
    parser.add_argument("--select", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    if options.select:
        print(json.dumps(selected(options.select, options.descriptor)))
    else:
        report(measure(options.frames, options.descriptor), options.out)


if __name__ == "__main__":
    main()
