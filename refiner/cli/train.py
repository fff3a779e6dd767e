"""`refiner train`: train a SimGAN refiner from a configuration file.

Writes a folder of its own. The same command goes on with its newest run where that was interrupted, bit for bit as if
it never had been; a run that is done, or was started with other settings, is never touched:

    runs/NAME/version_K/
        config.yaml             every setting in force
        run.json                program version, and path, digest and number of maps of both stores
        events.out.tfevents...  for TensorBoard
        checkpoints/last.ckpt   newest state; with --ckpt_path a run goes on from it, bit for bit as if never stopped
        checkpoints/update=...  the best by a number that does not come from the discriminator
"""

import contextlib
import ctypes
import json
import logging
import os
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from jsonargparse import ArgumentError

from refiner import __version__
from refiner.cli.progress import Progress
from refiner.datasets.unpaired import UnpairedDepth
from refiner.errors import UsageError
from refiner.frameworks import lightning as L
from refiner.simgan.callbacks import Checkpoints, SampleSheets
from refiner.simgan.checkpoint import check_resumable, read_checkpoint
from refiner.simgan.module import SimGAN

# What Lightning warns of although it is meant, each with the reason.
_EXPECTED_WARNINGS = (
    "LightningCLI's args parameter",  # the verb table hands over the words after `train`
    ".*does not have many workers",  # reading takes about 2 % of an update on a CPU
    ".*your dataloader is not resumable",  # it is: its batches are a pure function of the update's number
    ".*sync_dist=True",  # every device looks at the same held-out maps
    "Grad strides do not match bucket view strides",  # of 1x1 kernels, where both strides mean the same
    ".*isinstance.treespec, LeafSpec",  # Lightning's own use of torch's tree types
)

CONFIG, LAST = "config.yaml", "checkpoints/last.ckpt"
"""Files of a run's folder."""

TRAINER_DEFAULTS: dict[str, Any] = {
    "devices": 1,
    "max_epochs": -1,  # the batches have no end; max_steps says when to stop
    "check_val_every_n_epoch": None,
    "num_sanity_val_steps": -1,  # the numbers before the first update, to compare with
    "use_distributed_sampler": False,  # each rank draws batches of its own
    "log_every_n_steps": 10,
    "enable_progress_bar": False,
    "enable_model_summary": False,
    "plugins": {"class_path": "refiner.simgan.checkpoint.AtomicCheckpointIO"},
}


class UpdateProgress(L.Callback):
    """Shows updates done, their rate and the time left."""

    def on_train_start(self, trainer: L.Trainer, pl_module: Any) -> None:  # noqa: ARG002
        """Begin to show."""
        if trainer.is_global_zero:
            self._progress = Progress(trainer.max_steps, "updates", start=trainer.global_step)

    def on_train_batch_end(self, trainer: L.Trainer, *_: Any) -> None:
        """Count an update."""
        if trainer.is_global_zero:
            self._progress.update(1)

    def on_train_end(self, trainer: L.Trainer, pl_module: Any) -> None:  # noqa: ARG002
        """Stop showing."""
        if trainer.is_global_zero:
            self._progress.close()


class RunRecord(L.pytorch.cli.SaveConfigCallback):
    """Writes config.yaml and, beside it, what the run was made from."""

    def setup(self, trainer: L.Trainer, pl_module: L.LightningModule, stage: str) -> None:
        """Leave the file of a run that is continued: it says the same."""
        self.already_saved = trainer.logger is not None and (Path(trainer.logger.log_dir or ".") / CONFIG).exists()
        super().setup(trainer, pl_module, stage)

    def save_config(self, trainer: L.Trainer, pl_module: Any, stage: str) -> None:  # noqa: ARG002
        """Write run.json."""
        record = {"version": __version__, "data": trainer.datamodule.provenance}  # pyright: ignore[reportAttributeAccessIssue]
        assert trainer.logger is not None
        folder = Path(trainer.logger.log_dir or ".")  # trainer.log_dir would wait for the other devices
        (folder / "run.json").write_text(json.dumps(record, indent=2) + "\n")


class RefinerCLI(L.pytorch.cli.LightningCLI):
    """Builds model, data and trainer from a configuration file and command line options."""

    def add_arguments_to_parser(self, parser: L.pytorch.cli.LightningArgumentParser) -> None:
        """Add what the trainer does not have, and say what must be equal."""
        parser.add_argument("--name", type=str, default="simgan", help="The run is written to runs/NAME/version_K.")
        parser.add_argument("--ckpt_path", type=str | None, default=None, help="Checkpoint to continue from.")
        parser.add_lightning_class_args(Checkpoints, "checkpoints")
        parser.add_lightning_class_args(SampleSheets, "samples")
        parser.link_arguments("seed_everything", "data.seed")
        parser.link_arguments("seed_everything", "model.seed")
        parser.link_arguments("data.codec", "model.codec", apply_on="instantiate")

    def instantiate_trainer(self, **kwargs: Any) -> L.Trainer:
        """Log to a folder of this run's own, or to that of an interrupted run with the same settings."""
        interrupted = self.interrupted_run()
        version = None if interrupted is None else interrupted.name
        logger = L.pytorch.loggers.TensorBoardLogger("runs", name=self.config["name"], version=version)
        return super().instantiate_trainer(**kwargs, logger=logger)

    def interrupted_run(self) -> Path | None:
        """Give the newest run of this name, if it was interrupted and has the same settings and data."""
        runs = Path("runs") / self.config["name"]
        versions = sorted(runs.glob("version_*"), key=lambda folder: (len(folder.name), folder.name))
        if not versions or self.config["ckpt_path"] is not None:
            return None
        config, last = versions[-1] / CONFIG, versions[-1] / LAST
        if not config.is_file() or not last.is_file():
            return None  # killed before its first checkpoint: there is nothing to go on from
        settings = self.parser.dump(self.config, skip_none=False)
        if yaml.safe_load(config.read_text()) != yaml.safe_load(settings):
            return None
        checkpoint = read_checkpoint(last)
        same_data = _digests(checkpoint["data"]) == _digests(self.datamodule.provenance)
        return versions[-1] if same_data and checkpoint["global_step"] < self.config["trainer"]["max_steps"] else None


def main(argv: list[str]) -> int:
    """Train.

    Args:
        argv: The words after `refiner train`.

    Returns:
        0; a run that cannot go on raises.
    """
    keep_freed_memory()
    with without_expected_noise():
        cli = build(argv)
        checkpoint = cli.config["ckpt_path"]
        trainer = cli.trainer
        if checkpoint is None and (interrupted := cli.interrupted_run()) is not None:
            checkpoint = interrupted / LAST
            if trainer.is_global_zero:
                print(f"continuing the interrupted run {interrupted}", flush=True)
        if checkpoint is not None:
            _check_checkpoint(Path(checkpoint), cli)
        if trainer.is_global_zero:
            print(f"seed {cli.config['seed_everything']}, {trainer.max_steps} updates, {trainer.log_dir}", flush=True)
        trainer.fit(cli.model, datamodule=cli.datamodule, ckpt_path=checkpoint)
    if trainer.is_global_zero:
        saved = next(c for c in trainer.checkpoint_callbacks if isinstance(c, Checkpoints))
        print(f"{saved.last}: {trainer.global_step} updates")
    return 0


@contextlib.contextmanager
def without_expected_noise() -> Iterator[None]:
    """Silence what Lightning says although all is well."""
    os.environ.setdefault("JSONARGPARSE_DEPRECATION_WARNINGS", "off")  # about calls that Lightning makes
    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)
    with warnings.catch_warnings():
        for message in _EXPECTED_WARNINGS:
            warnings.filterwarnings("ignore", message=message)
        yield


def keep_freed_memory() -> None:
    """Ask glibc to keep freed blocks: giving large ones back after every update halves the speed on a CPU."""
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError, TypeError):
        return  # another C library
    trim_threshold, top_pad, mmap_max = -1, -2, -4
    mallopt(mmap_max, 0)
    mallopt(trim_threshold, 2**31 - 1)
    mallopt(top_pad, 256 * 2**20)


def build(argv: list[str]) -> RefinerCLI:
    """Build everything that a run needs, and start nothing.

    Raises:
        UsageError: The options or the file make no sense.
    """
    try:
        return RefinerCLI(
            SimGAN,
            UnpairedDepth,
            run=False,
            args=_with_shipped_recipes(argv),
            seed_everything_default=0,
            trainer_defaults=TRAINER_DEFAULTS | {"callbacks": [UpdateProgress()]},
            save_config_callback=RunRecord,
            auto_configure_optimizers=False,
            parser_kwargs={"prog": "refiner train", "exit_on_error": False},
        )
    except (ArgumentError, ValueError, TypeError) as error:
        text = " ".join(str(error).split())
        raise UsageError(f"{text} See `refiner train --help` and the comments in configs/simgan.") from error


def _with_shipped_recipes(argv: list[str]) -> list[str]:
    """Find `--config simgan/fast.yaml` among the recipes of the package where it is not in the current folder."""
    package = Path(__file__).resolve().parent.parent
    words = [part for word in argv for part in (word.split("=", 1) if word.startswith("--config=") else [word])]
    for index, word in enumerate(words[:-1]):
        if word in ("--config", "-c") and not Path(words[index + 1]).exists():
            for folder in (package / "configs", package.parent / "configs"):
                if (folder / words[index + 1]).is_file():
                    words[index + 1] = str(folder / words[index + 1])
                    break
    return words


def _check_checkpoint(path: Path, cli: RefinerCLI) -> None:
    """Refuse a checkpoint that does not fit before anything is written."""
    checkpoint = read_checkpoint(path)
    check_resumable(checkpoint, cli.model, path)
    if checkpoint["global_step"] >= cli.trainer.max_steps:
        raise UsageError(
            f"{path} has already done {checkpoint['global_step']} updates, and --trainer.max_steps is "
            f"{cli.trainer.max_steps}. Give a larger number to train on."
        )
    if _digests(checkpoint["data"]) != _digests(cli.datamodule.provenance):
        print(f"refiner train: {path} was trained on other data: the result is not that of one run.", file=sys.stderr)


def _digests(data: dict[str, dict[str, Any]]) -> dict[str, str]:
    return {name: store["digest"] for name, store in data.items()}
