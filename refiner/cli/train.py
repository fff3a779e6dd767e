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

import sys
from pathlib import Path
from typing import Any

import yaml

from refiner.checkpoints import SIMGAN_FORMAT, Checkpoints, read_checkpoint
from refiner.cli.training import CONFIG, LAST, build_cli, digests, keep_freed_memory, without_expected_noise
from refiner.datasets.unpaired import UnpairedDepth
from refiner.errors import UsageError
from refiner.frameworks import lightning as L
from refiner.simgan.callbacks import SampleSheets
from refiner.simgan.checkpoint import check_resumable
from refiner.simgan.health import stuck
from refiner.simgan.module import SimGAN

FEW_MAPS = 100
"""With 132 maps of a Kinect v2 a refiner learnt its noise; fewer were not tried."""


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
        parser.link_arguments("data.facts", "model.facts", apply_on="instantiate")

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
        checkpoint = read_checkpoint(last, SIMGAN_FORMAT)
        same_data = digests(checkpoint["data"]) == digests(self.datamodule.provenance)
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
            _warn_of_few_maps(cli.datamodule.provenance["real"]["maps"])
        trainer.fit(cli.model, datamodule=cli.datamodule, ckpt_path=checkpoint)
    if trainer.is_global_zero:
        saved = next(c for c in trainer.checkpoint_callbacks if isinstance(c, Checkpoints))
        for sentence in stuck(cli.model.health):
            print(f"refiner train: {sentence}.", file=sys.stderr)
        print(f"{saved.last}: {trainer.global_step} updates")
    return 0


def build(argv: list[str]) -> RefinerCLI:
    """Build everything that a run needs, and start nothing.

    Raises:
        UsageError: The options or the file make no sense.
    """
    return build_cli(RefinerCLI, SimGAN, UnpairedDepth, argv, prog="refiner train", recipes="configs/simgan")


def _warn_of_few_maps(count: int) -> None:
    if count < FEW_MAPS:
        print(
            f"refiner train: only {count} camera maps: a discriminator learns so few by heart. Record more, in many "
            f"poses and at all distances that you will meet; {FEW_MAPS} and more have worked.",
            file=sys.stderr,
        )


def _check_checkpoint(path: Path, cli: RefinerCLI) -> None:
    """Refuse a checkpoint that does not fit before anything is written."""
    checkpoint = read_checkpoint(path, SIMGAN_FORMAT)
    check_resumable(checkpoint, cli.model.description(), path)
    if checkpoint["global_step"] >= cli.trainer.max_steps:
        raise UsageError(
            f"{path} has already done {checkpoint['global_step']} updates, and --trainer.max_steps is "
            f"{cli.trainer.max_steps}. Give a larger number to train on."
        )
    if digests(checkpoint["data"]) != digests(cli.datamodule.provenance):
        print(f"refiner train: {path} was trained on other data: the result is not that of one run.", file=sys.stderr)
