"""What a healthy and a collapsed run look like in TensorBoard: trains both on the shipped sets and draws their logs.

    python -m experiments.health --out runs/health [--updates 1200]

The collapsed run has the faults that people make most: nothing holds the refined maps to the rendered ones (no
self-regularisation, no bound on the change of depth), the discriminator is not steadied (no history, no gradient
penalty), and the refiner learns thirty times as fast. Writes health.png and health.json to the folder.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from numpy.typing import NDArray
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

mpl.use("Agg")

import cv2
from matplotlib import pyplot as plt

from refiner.cli.main import main as refiner

ROOT = Path(__file__).parents[1]
RUNS = {
    "healthy": [],
    "collapsed": [
        "--model.objective.self_regularization_weight", "0", "--model.history_maps", "0",
        "--model.refiner.init_args.max_shift", "1.0", "--model.objective.penalty_weight", "0",
        "--model.optimizer_refiner.init_args.lr", "0.03",
    ],
}  # fmt: skip
CURVES = {
    "val/two_sample_accuracy": (0.4, 1.0),
    "val/shift_mm": (0, None),
    "val/hole_rate_gap": (-0.02, 0.02),
    "train/discriminator/accuracy_refined": (0, 1.05),
}


def train(name: str, updates: int, changes: list[str]) -> Path:
    """Train one run on the shipped sets; give its log folder."""
    words = ["train", "--config", str(ROOT / "configs/simgan/fast.yaml"), "--name", name]
    words += ["--data.synthetic", str(ROOT / "data/renders.zarr"), "--data.real", str(ROOT / "data/camera.zarr")]
    words += ["--trainer.max_steps", str(updates), "--trainer.val_check_interval", "100", *changes]
    if refiner(words):
        raise SystemExit(f"training {name} failed")
    return max((Path("runs") / name).glob("version_*"), key=lambda folder: int(folder.name.split("_")[1]))


def read_log(folder: Path) -> tuple[dict[str, list[tuple[int, float]]], NDArray[Any]]:
    """Read the curves and the last picture of a run."""
    events = EventAccumulator(str(folder))
    events.Reload()
    curves = {tag: [(event.step, event.value) for event in events.Scalars(tag)] for tag in CURVES}
    encoded = np.frombuffer(events.Images("val/samples")[-1].encoded_image_string, np.uint8)
    picture = cv2.imdecode(encoded, cv2.IMREAD_COLOR)
    assert picture is not None
    return curves, picture[..., ::-1]


def draw(logs: dict[str, tuple[dict[str, list[tuple[int, float]]], NDArray[Any]]], path: Path) -> None:
    """Draw one row a run: its curves, then its last samples."""
    figure, axes = plt.subplots(
        2, len(CURVES) + 1, figsize=(20, 6), width_ratios=[1] * len(CURVES) + [2], layout="constrained"
    )
    for row, (name, (curves, picture)) in zip(axes, logs.items(), strict=True):
        for axis, (tag, (low, high)) in zip(row, CURVES.items(), strict=False):
            axis.plot(*zip(*curves[tag], strict=True), color="tab:green" if name == "healthy" else "tab:red")
            values = [value for both, _ in logs.values() for _, value in both[tag]]  # one scale for both rows
            axis.set(title=tag, ylim=(low or min(values), high or max(values)), xlabel="updates")
            axis.grid(alpha=0.3)
        row[0].set_ylabel(name, fontsize=16)
        row[-1].imshow(picture)
        row[-1].set_title("val/samples")
        row[-1].axis("off")
    figure.savefig(path, dpi=80)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("runs/health"))
    parser.add_argument("--updates", type=int, default=1200)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    logs = {name: read_log(train(f"health_{name}", options.updates, changes)) for name, changes in RUNS.items()}
    draw(logs, options.out / "health.png")
    last = {name: {tag: points[-1][1] for tag, points in curves.items()} for name, (curves, _) in logs.items()}
    record = {"updates": options.updates, "last": last, "curves": {name: curves for name, (curves, _) in logs.items()}}
    (options.out / "health.json").write_text(json.dumps(record, indent=1) + "\n")
    print(json.dumps(last, indent=2))
    print(f"{options.out}: health.png, health.json")


if __name__ == "__main__":
    main()
