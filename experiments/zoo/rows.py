"""The rows of the zoo's table: which sets an estimator is trained on, and how they are made."""

import hashlib
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from experiments.baseline import PROBE, SIDES
from experiments.clock import CLOCK, clock_of, has_spent
from experiments.settings import digest
from experiments.steps import estimator_error, has_updates, made, trained_refiner
from experiments.zoo.controls import make_named_control
from refiner import nets, simgan
from refiner.checkpoints import read_checkpoint
from refiner.cli.recipes import shipped
from refiner.datasets.store import is_whole
from refiner.files import write_json

SETS = ("synthetic", "camera", "test")
"""Made for each camera: clean labelled renders, labelled maps of the camera, and others that are held out."""
COLUMNS = ("augmented", "plain")
"""How estimators are trained: with noise and losses of no camera, or without."""

REFINED = ("refined", "published")
"""Rows that train a refiner."""

MakeSets = Callable[..., None]
"""Makes the sets of a camera: (name, settings, out, maps, test_maps, size)."""


@dataclass(frozen=True)
class Camera:
    """A camera of the zoo and what is done with it.

    Attributes:
        name: Of the camera.
        section: Its settings.
        settings: Of the zoo, without the cameras.
        out: Folder of its sets, trainings and jobs.
        commit: Of the program, where the camera is kept apart.
    """

    name: str
    section: dict[str, Any]
    settings: dict[str, Any]
    out: Path
    commit: str | None = None

    def store(self, name: str) -> Path:
        """Return the place of a set."""
        return self.out / f"{name}.zarr"

    def all_settings(self) -> dict[str, Any]:
        """Return everything that the jobs of all rows depend on, except row, column and seed."""
        return {
            "zoo": {name: part for name, part in self.settings.items() if name not in ("refiner", "published")},
            "camera": {self.name: self.section},
            "pose": digest(shipped(self.settings["pose"]["config"])),
            "commit": self.commit,
        }

    def refiner_settings(self, side: str) -> dict[str, Any]:
        """Return what the rows `REFINED` depend on besides: recipe, settings, and the code of networks and losses."""
        config = {"refined": self.settings["refiner"]["config"], "published": "simgan/paper.yaml"}[side]
        code = [path for part in (nets, simgan) for path in sorted(Path(part.__path__[0]).rglob("*.py"))]
        settings = {name: self.settings.get(name) for name in ("refiner", "published")}
        return settings | {"recipe": digest(shipped(config)), "words": SIDES["published"], "code": digest(*code)}

    def job_name(self, row: str, seed: int) -> str:
        """Return the name of a row's jobs. A row that trains a refiner gets a new name when the refiner changes."""
        if row not in REFINED:
            return f"{row}-{seed}"
        settings = self.all_settings() | {"refiner": self.refiner_settings(row)}
        return f"{row}-{hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:8]}-{seed}"


def make_all_sets(camera: Camera, make_sets: MakeSets) -> None:
    """Make a camera's sets, unless they are there."""
    if not all(is_whole(camera.store(name)) for name in SETS):
        counts = (camera.settings[name] for name in ("maps", "test_maps", "size"))
        make_sets(camera.name, camera.section, camera.out, *counts)


def refined(camera: Camera, side: str, seed: int) -> Path:
    """Refine the renders with the refiner of one of the rows `REFINED`, once."""
    path = camera.store(camera.job_name(side, seed))
    if not is_whole(path):
        last = trained(camera, side, seed)
        checkpoint = read_checkpoint(last)
        clock = clock_of(checkpoint)
        record = {"processor_s": clock["spent_s"], "updates": checkpoint["global_step"], "validations": clock["rows"]}
        write_json(path.with_suffix(".json"), record)  # before the set: where that is whole, this is there
        made(path, "refine", str(last), str(camera.store("synthetic")), str(path))
    return path


def refiner_record(camera: Camera, side: str, seed: int) -> dict[str, Any]:
    """Return the processor time of a refiner's updates in s, their number, and what its validations measured."""
    return json.loads(refined(camera, side, seed).with_suffix(".json").read_text())


def trained(camera: Camera, side: str, seed: int) -> Path:
    """Train the refiner of one of the rows `REFINED`, unless that is done; return its last checkpoint."""
    words = ["--seed_everything", str(seed), f"--trainer.callbacks+={CLOCK}"]
    if side == "refined":
        updates = camera.settings["refiner"]["updates"]
        words += ["--config", camera.settings["refiner"]["config"], "--trainer.max_steps", str(updates)]
        is_done = partial(has_updates, updates=updates)
    else:  # for the time that the other one took
        seconds = refiner_record(camera, "refined", seed)["processor_s"]
        words += [f"--trainer.callbacks.seconds={seconds}", *SIDES["published"], *PROBE]
        words += ["--trainer.val_check_interval", str(camera.settings["published"]["validate_every"])]
        is_done = partial(has_spent, seconds=seconds)
    sets = camera.store("synthetic"), camera.store("camera")
    return trained_refiner(f"zoo_{camera.name}_{camera.job_name(side, seed)}", is_done, *sets, *words)


def control(camera: Camera, which: str) -> Path:
    """Make one of the controls without a network."""
    return make_named_control(
        which, camera.store("synthetic"), camera.store("camera"), camera.store(f"control_{which}")
    )


ROWS: dict[str, Callable[[Camera, int], Path]] = {
    "raw": lambda camera, seed: camera.store("synthetic"),  # noqa: ARG005
    "control_fixed": lambda camera, seed: control(camera, "fixed"),  # noqa: ARG005
    "control_measured": lambda camera, seed: control(camera, "measured"),  # noqa: ARG005
    "published": lambda camera, seed: refined(camera, "published", seed),
    "refined": lambda camera, seed: refined(camera, "refined", seed),
    "camera": lambda camera, seed: camera.store("camera"),  # noqa: ARG005
}
"""Name -> the set that an estimator is trained on."""


def job(camera: Camera, row: str, column: str, seed: int) -> dict[str, Any]:
    """Train an estimator on a row's set and measure it on the camera's held-out maps, unless that is done."""
    name = f"{camera.job_name(row, seed)}-{column}"
    result = camera.out / "jobs" / f"{name}.json"
    if not result.exists():
        train = ROWS[row](camera, seed)
        words = ["--config", camera.settings["pose"]["config"], "--seed_everything", str(seed)]
        if column == "augmented":
            words += [f"--model.augmentation.{part}={most}" for part, most in camera.settings["augmentation"].items()]
        report, began_s = camera.out / "reports" / f"{name}.json", time.process_time()
        folder, updates = camera.out / "pose" / name, camera.settings["pose"]["updates"]
        estimator_error([train], camera.store("test"), folder, report, updates, *words)
        spent_s = round(time.process_time() - began_s, 1)  # of the last start, where it was interrupted
        write_json(result, json.loads(report.read_text()) | {"processor_s": spent_s})
    return json.loads(result.read_text())
