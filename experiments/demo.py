"""The main job from nothing, in minutes on two cores: render, take in a camera set, train, refine, look.

    python -m experiments.demo --out runs/demo [--real FOLDER [--camera fx,fy,cx,cy] [--depth-unit-mm U]]

Without FOLDER the camera is a stand-in: other hands in other poses, rendered through an analytic model of a
structured-light camera. A run that was interrupted continues; each step that is whole is not done again. A folder that
was made with other settings is refused.
"""

import argparse
import json
import shlex
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from experiments.settings import claim, digest
from experiments.sheets import COLUMNS, save_sheet, shaded
from refiner import viz
from refiner.cli.main import main as refiner
from refiner.datasets.inspection import read_items, sheet_items
from refiner.datasets.store import DepthStore, is_whole
from refiner.geometry.depth import to_mm
from refiner.simgan.checkpoint import load_refiner

MAPS = 3000
UPDATES = 1600
SIZE_PX = 64
DIFFERENCE_MM = 5.0
CONFIG = Path(__file__).parents[1] / "configs/simgan/fast.yaml"


def run(words: list[str]) -> None:
    """Run one `refiner` command, shown as a person would type it; stop the demo where it fails."""
    print(f"\n$ refiner {shlex.join(words)}", flush=True)
    if status := refiner(words):
        sys.exit(status)


def unless_whole(store: Path, words: list[str]) -> None:
    """Make a store, or continue it, unless it is there."""
    if is_whole(store):
        print(f"\n{store} is there")
        return
    run(words)


def unless_trained(checkpoint: Path, updates: int, words: list[str]) -> None:
    """Train, or go on with an interrupted training, unless it is done."""
    if checkpoint.exists() and load_refiner(checkpoint).facts["updates"] >= updates:
        print(f"\n{checkpoint} is there")
        return
    run(words)


def timed(seconds: dict[str, float], name: str, step: Callable[[], None]) -> None:
    """Run a step and keep its time."""
    began = time.monotonic()
    step()
    seconds[name] = time.monotonic() - began


def make_sheet(synthetic: DepthStore, refined: DepthStore, camera: DepthStore, path: Path) -> None:
    """Write the contact sheet: rows synthetic, refined, difference in mm, camera."""
    differences = []
    for item in sheet_items(len(synthetic), COLUMNS):
        before, after = depth_mm(synthetic, int(item)), depth_mm(refined, int(item))
        both = (before > 0) & (after > 0)
        differences.append(viz.colour_difference(np.where(both, after - before, np.nan), DIFFERENCE_MM))
    rows = {
        "synthetic": shaded(synthetic),
        "refined": shaded(refined),
        f"refined - synthetic, blue -{DIFFERENCE_MM:g} mm, red +{DIFFERENCE_MM:g} mm": differences,
        "camera": shaded(camera),
    }
    save_sheet(path, rows)


def depth_mm(store: DepthStore, item: int) -> NDArray[np.float32]:
    """Read one map in millimetres."""
    return to_mm(store.read("depth", item, item + 1)[0], store.depth_unit_mm)


def compare(synthetic: DepthStore, refined: DepthStore) -> dict[str, Any]:
    """Measure what refining did: how far depth moved on the hand, and which readings went or came."""
    items = sheet_items(len(synthetic), 512)
    before = to_mm(read_items(synthetic, "depth", items), synthetic.depth_unit_mm)
    after = to_mm(read_items(refined, "depth", items), refined.depth_unit_mm)
    both = (before > 0) & (after > 0)
    hand = int((before > 0).sum())
    return {
        "mean_shift_mm": float(np.abs(after - before)[both].mean()),
        "readings_lost": float(((before > 0) & (after == 0)).sum() / hand),
        "readings_won": float(((before == 0) & (after > 0)).sum() / hand),
    }


def validation_scalars(log: Path, which: int) -> dict[str, float]:
    """Read the first (0) or the last (-1) value of each validation tag from the TensorBoard log."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(log))
    events.Reload()
    return {tag: events.Scalars(tag)[which].value for tag in events.Tags()["scalars"] if tag.startswith("val/")}


def as_markdown(report: dict[str, Any]) -> str:
    """Write the report for a person."""
    seconds, refined, validation = report["seconds"], report["refined"], report["validation"]
    before, after = (report[key]["val/two_sample_accuracy"] for key in ("validation_before", "validation"))
    times = "\n".join(f"| {name} | {value:.0f} s |" for name, value in seconds.items())
    return f"""# Demo

Camera: {report["camera"]}. {report["updates"]} updates.

![synthetic, refined, difference in mm, camera](sheet.png)

| held-out maps | |
|---|---|
| accuracy of a fresh classifier, refined against camera patches (0.5 = cannot tell) | \
{after:.2f} (before training {before:.2f}) |
| mean change of depth on the hand | {refined["mean_shift_mm"]:.2f} mm |
| missing inside the hand, refined minus camera | {validation["val/hole_rate_gap"]:+.2%} |
| readings lost, won (share of the rendered hand) | {refined["readings_lost"]:.2%}, {refined["readings_won"]:.2%} |

| step | time |
|---|---|
{times}
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("runs/demo"))
    parser.add_argument("--real", type=Path, help="folder of real depth maps; without it the camera is a stand-in")
    parser.add_argument("--camera", help="fx,fy,cx,cy of the real maps in px, where their folder has no camera.json")
    parser.add_argument("--depth-unit-mm", help="millimetres in one unit of the real maps' numbers")
    parser.add_argument("--maps", type=int, default=MAPS)
    parser.add_argument("--updates", type=int, default=UPDATES)
    options = parser.parse_args()
    out: Path = options.out
    if out.parent.resolve() != Path("runs").resolve():
        parser.error(f"found --out {out}, wanted runs/NAME: `refiner train` writes its log and checkpoints there")
    real = None if options.real is None else digest(options.real)
    updates, recipe = options.updates, digest(CONFIG)
    camera_words = {"camera": options.camera, "depth_unit_mm": options.depth_unit_mm}
    claim(out, {"real": real, **camera_words, "maps": options.maps, "updates": updates, "recipe": recipe})
    synthetic, camera, refined = (out / f"{name}.zarr" for name in ("synthetic", "camera", "refined"))
    checkpoint = out / "version_0/checkpoints/last.ckpt"
    size = ["--size", str(SIZE_PX)]
    seconds: dict[str, float] = {}

    if options.real:
        words = ["prepare", str(options.real), str(camera), "--layout", "folder", *size]
        words += ["--camera", options.camera] if options.camera else []
        words += ["--depth-unit-mm", options.depth_unit_mm] if options.depth_unit_mm else []
    else:
        words = ["render", str(camera), "--count", str(options.maps), "--seed", "1", *size]
        words += ["--sensor", "kinect1"]
    timed(seconds, "camera set", lambda: unless_whole(camera, words))
    like = ["--like", str(camera)]
    render = ["render", str(synthetic), "--count", str(options.maps), "--seed", "0", *size, *like]
    timed(seconds, "synthetic set", lambda: unless_whole(synthetic, render))
    train = ["train", "--config", str(CONFIG), "--data.synthetic", str(synthetic), "--data.real", str(camera)]
    train += ["--name", out.name, "--trainer.max_steps", str(options.updates)]
    timed(seconds, "training", lambda: unless_trained(checkpoint, options.updates, train))
    timed(seconds, "refining", lambda: unless_whole(refined, ["refine", str(checkpoint), str(synthetic), str(refined)]))

    stores = {path.stem: DepthStore(path) for path in (synthetic, refined, camera)}
    make_sheet(stores["synthetic"], stores["refined"], stores["camera"], out / "sheet.png")
    report = {
        "stand_in": options.real is None,
        "camera": str(options.real or "a stand-in: renders of other hands through an analytic sensor model"),
        "maps": {name: len(store) for name, store in stores.items()},
        "updates": options.updates,
        "seconds": {name: round(value, 1) for name, value in seconds.items()},
        "refined": compare(stores["synthetic"], stores["refined"]),
        "validation_before": validation_scalars(out / "version_0", 0),
        "validation": validation_scalars(out / "version_0", -1),
    }
    (out / "report.json").write_text(json.dumps(report, indent=2) + "\n")
    (out / "report.md").write_text(as_markdown(report))
    print(f"\n{closing_words(out, report)}")


def closing_words(out: Path, report: dict[str, Any]) -> str:
    """Return a summary: the result, which picture to look at, and the next command."""
    before, after = (report[key]["val/two_sample_accuracy"] for key in ("validation_before", "validation"))
    checkpoint = out / "version_0/checkpoints/last.ckpt"
    next_words = f""". .venv/bin/activate
          refiner render more.zarr --count 20000 --seed 2 --size {SIZE_PX} --like {out / "camera.zarr"}
          refiner refine {checkpoint} more.zarr more_refined.zarr --variants 3"""
    if report["stand_in"]:
        next_words = "make demo REAL=folder/of/depth/maps CAMERA=fx,fy,cx,cy UNIT=mm_a_unit DEMO=runs/mine"
    return f"""A fresh classifier tells refined from camera patches in {after:.0%} of the cases.
Before training it was {before:.0%}; 50 % is chance.
Depth on the hand moved by {report["refined"]["mean_shift_mm"]:.1f} mm on average, noise included.

Look at   {out}/sheet.png
          Rows: synthetic, refined, difference, camera. The refined hands should have the holes, steps and rough edges
          of the camera row, and every finger where the synthetic row has it.
Watch     tensorboard --logdir {out}
Next      {next_words}

{out}: TensorBoard log and checkpoint in version_0, refined.zarr, sheet.png, report.md"""


if __name__ == "__main__":
    main()
