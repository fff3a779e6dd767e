"""`refiner pose train|predict|evaluate`: pose estimators, trained on labelled stores and measured on others.

    refiner pose train --data X.zarr [--data Y.zarr ...] --out DIR [--config FILE]

writes DIR/checkpoints/last.ckpt, config.yaml, run.json and the TensorBoard log. The same command goes on with an
interrupted run; a finished one is never touched.
"""

import json
import shutil
from pathlib import Path
from typing import Any

import yaml

from refiner.checkpoints import POSE_FORMAT, Checkpoints, read_checkpoint
from refiner.cli.device import device_named, keep_float32_whole
from refiner.cli.progress import Progress
from refiner.cli.training import CONFIG, LAST, build_cli, digests, keep_freed_memory, without_expected_noise
from refiner.errors import OutputExistsError, UsageError
from refiner.files import write_json
from refiner.frameworks import lightning as L

DEFAULT_RECIPE = "pose/small.yaml"


class PoseCLI(L.pytorch.cli.LightningCLI):
    """Builds model, data and trainer from a configuration file and command line options."""

    def add_arguments_to_parser(self, parser: L.pytorch.cli.LightningArgumentParser) -> None:
        """Add what the trainer does not have, and say what must be equal."""
        parser.add_argument("--out", type=Path, required=True, help="Folder of the run.")
        parser.add_lightning_class_args(Checkpoints, "checkpoints")
        parser.link_arguments("seed_everything", "data.seed")
        parser.link_arguments("seed_everything", "model.seed")
        parser.link_arguments("data.codec", "model.codec", apply_on="instantiate")
        parser.link_arguments("data.skeleton", "model.skeleton", apply_on="instantiate")

    def instantiate_trainer(self, **kwargs: Any) -> L.Trainer:
        """Log to the folder of the run."""
        out: Path = self.config["out"]
        logger = L.pytorch.loggers.TensorBoardLogger(out.parent, name=out.name, version="")
        return super().instantiate_trainer(**kwargs, logger=logger)


def main(argv: list[str]) -> int:
    """Find the second word of the verb."""
    words = {"train": train, "predict": _predict, "evaluate": _evaluate}
    if not argv or argv[0] not in words:
        found = argv[0] if argv else "nothing"
        raise UsageError(f"Found {found!r}, wanted one of {', '.join(words)}. See `refiner pose train --help`.")
    return words[argv[0]](argv[1:])


def train(argv: list[str]) -> int:
    """Train, or go on with an interrupted run."""
    from refiner.pose.checkpoint import check_resumable
    from refiner.pose.data import LabelledDepth
    from refiner.pose.module import PoseEstimator

    keep_freed_memory()
    overwrite = "--overwrite" in argv
    words = _with_stores([word for word in argv if word != "--overwrite"])
    if not any(word in ("--config", "-c") or word.startswith("--config=") for word in words):
        words = ["--config", DEFAULT_RECIPE, *words]
    with without_expected_noise():
        cli = build_cli(PoseCLI, PoseEstimator, LabelledDepth, words, prog="refiner pose train", recipes="configs/pose")
        out, trainer = cli.config["out"], cli.trainer
        if overwrite and trainer.is_global_zero and (out / CONFIG).is_file():  # a run, and not some other folder
            shutil.rmtree(out)
        checkpoint = _interrupted(out, cli)
        if checkpoint is not None:
            check_resumable(read_checkpoint(checkpoint, POSE_FORMAT), cli.model, checkpoint)
            print(f"continuing the interrupted run {out}", flush=True)
        if trainer.is_global_zero:
            print(f"seed {cli.config['seed_everything']}, {trainer.max_steps} updates, {out}", flush=True)
        trainer.fit(cli.model, datamodule=cli.datamodule, ckpt_path=checkpoint)
    if trainer.is_global_zero:
        if cli.datamodule.unlabelled:
            print(f"{cli.datamodule.unlabelled} items have no known joint and were left out")
        print(f"{out / LAST}: {trainer.global_step} updates, {cli.model.mean_mm:.2f} mm on held-out maps")
    return 0


def _with_stores(argv: list[str]) -> list[str]:
    """Turn `--data A --data B` into the list that the data module takes."""
    words, stores = [], []
    rest = iter([part for word in argv for part in (word.split("=", 1) if word.startswith("--data=") else [word])])
    for word in rest:
        if word == "--data":
            stores.append(next(rest, ""))
        else:
            words.append(word)
    if len(stores) > 1:
        return [*words, f"--data.store={json.dumps(stores)}"]
    return [*words, *(f"--data.store={store}" for store in stores)]


def _interrupted(out: Path, cli: Any) -> Path | None:
    """Give the checkpoint to go on from, nothing where the folder is new.

    Raises:
        OutputExistsError: The folder holds something else, or a run that is done.
    """
    if not out.exists() or not any(out.iterdir()):
        return None
    config, last = out / CONFIG, out / LAST
    if not config.is_file():
        raise OutputExistsError(f"{out} exists and holds no run of `refiner pose train`. Give another --out.")
    same = yaml.safe_load(config.read_text()) == yaml.safe_load(cli.parser.dump(cli.config, skip_none=False))
    if same and not last.is_file():
        return None  # killed before its first checkpoint
    if same and last.is_file():
        checkpoint = read_checkpoint(last, POSE_FORMAT)
        unfinished = checkpoint["global_step"] < cli.trainer.max_steps
        if unfinished and digests(checkpoint["data"]) == digests(cli.datamodule.provenance):
            return last
    raise OutputExistsError(
        f"{out} holds a run that is done, or was started with other settings or data. Give another --out, or "
        "--overwrite."
    )


def predict(checkpoint: str, src: str, out: str, *, device: str = "auto", overwrite: bool = False) -> None:
    """Find the joints of every map of a dataset.

    Args:
        checkpoint: A checkpoint of `refiner pose train`.
        src: The dataset.
        out: The file of estimates (npz) to write.
        device: cpu, cuda, cuda:1, mps, or auto.
        overwrite: Replace OUT where it exists.
    """
    from refiner.datasets.store import DepthStore
    from refiner.pose.predict import predict as predict_dataset

    keep_float32_whole()
    with Progress(len(DepthStore(src)), "maps") as progress:
        count = predict_dataset(
            Path(checkpoint), Path(src), Path(out), device=device_named(device), overwrite=overwrite,
            on_maps=progress.update,
        )  # fmt: skip
    print(f"{out}: joints of {count} maps")


def evaluate(
    checkpoint: str,
    src: str,
    *,
    out: str,
    device: str = "auto",
    pck_size: int | None = None,
    seed: int = 0,
    overwrite: bool = False,
) -> None:
    """Measure an estimator on a labelled dataset. Estimates are written beside OUT first, and scored from their file.

    Args:
        checkpoint: A checkpoint of `refiner pose train`.
        src: The labelled dataset.
        out: The report (json) to write.
        device: cpu, cuda, cuda:1, mps, or auto.
        pck_size: Side of the map whose pixels the curve over 1 to 10 px counts; without it the dataset's own.
        seed: Of the bootstrap.
        overwrite: Replace OUT where it exists.
    """
    from refiner.pose.predict import are_estimates_of
    from refiner.pose.predict import evaluate as evaluate_estimates

    report = Path(out)
    if report.exists() and not overwrite:
        raise OutputExistsError(f"{out} exists. Give another name, or --overwrite.")
    estimates = report.with_suffix(".npz")
    if overwrite or not are_estimates_of(estimates, Path(checkpoint), Path(src)):
        predict(checkpoint, src, str(estimates), device=device, overwrite=overwrite)
    result = evaluate_estimates(estimates, Path(src), pck_size_px=pck_size, seed=seed)
    write_json(report, result)
    low, high = result["ci95_mm"]
    print(f"mean {result['mean_mm']:.2f} mm (95 % {low:.2f} to {high:.2f}), median {result['median_mm']:.2f} mm")
    left_out = f", {result['unlabelled_frames']} without a label left out" if result["unlabelled_frames"] else ""
    print(f"{out}: {result['frames']} frames{left_out}")


def _predict(argv: list[str]) -> int:
    from refiner.cli.main import call

    return call("pose predict", predict, ("checkpoint", "src", "out"), argv)


def _evaluate(argv: list[str]) -> int:
    from refiner.cli.main import call

    return call("pose evaluate", evaluate, ("checkpoint", "src"), argv)
