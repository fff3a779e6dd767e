"""Steps that runners share: commands of `refiner`, shown as a person would type them, none of them done twice."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from refiner.checkpoints import read_checkpoint
from refiner.cli.main import main as refiner
from refiner.datasets.store import DepthStore, is_whole


def run(*words: str) -> None:
    """Run one `refiner` command, shown as a person would type it; stop where it fails."""
    print(f"$ refiner {' '.join(words)}", flush=True)
    if status := refiner(list(words)):
        sys.exit(status)


def made(path: Path, *words: str) -> Path:
    """Make a store by a command, unless it is whole."""
    if not is_whole(path):
        run(*words)
    return path


def newest_checkpoint(name: str) -> Path | None:
    """Return the last checkpoint of the newest run of a name; a run killed before its first has none."""
    found = (Path("runs") / name).glob("version_*/checkpoints/last.ckpt")
    return max(found, key=lambda path: path.stat().st_mtime, default=None)


def has_updates(checkpoint: dict[str, Any], updates: int) -> bool:
    """Return whether a run had done its updates when a checkpoint of it was written."""
    return checkpoint["global_step"] >= updates


def trained_refiner(
    name: str, is_done: Callable[[dict[str, Any]], bool], synthetic: Path, camera: Path, *words: str
) -> Path:
    """Train a refiner, or go on with an interrupted training, unless it is done.

    Args:
        name: Of the run, in the folder `runs`.
        is_done: Whether the run whose last checkpoint this is has come to its end.
        synthetic: Renders.
        camera: Camera maps.
        words: What else `refiner train` is told.

    Returns:
        The last checkpoint.
    """
    last = newest_checkpoint(name)
    if last is None or not is_done(read_checkpoint(last)):
        stores = ["--data.synthetic", str(synthetic), "--data.real", str(camera)]
        run("train", *words, *stores, "--name", name)
        last = newest_checkpoint(name)
    assert last is not None
    return last


def estimator_error(train: list[Path], test: Path, folder: Path, report: Path, updates: int, *words: str) -> None:
    """Train an estimator on labelled sets and measure it on another, unless that is done.

    Args:
        train: The sets to train on, mixed.
        test: The set to measure on.
        folder: Of the training.
        report: What `refiner pose evaluate` writes.
        updates: Of the training.
        words: What else `refiner pose train` is told.
    """
    last = folder / "checkpoints/last.ckpt"
    if not last.exists() or read_checkpoint(last)["global_step"] < updates:
        stores = [f"--data={path}" for path in train]
        run("pose", "train", *stores, "--out", str(folder), *words, "--trainer.max_steps", str(updates))
    if not report.exists():
        run("pose", "evaluate", str(last), str(test), "--out", str(report))


def count_maps(stores: list[Path]) -> int:
    """Return the number of maps of several stores."""
    return sum(len(DepthStore(path)) for path in stores)
