"""What the commands that train have in common: Lightning's command line, its trainer, its records."""

import contextlib
import ctypes
import itertools
import json
import logging
import os
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from jsonargparse import ArgumentError

from refiner import __version__
from refiner.cli.device import keep_float32_whole
from refiner.cli.progress import Progress
from refiner.cli.recipes import shipped
from refiner.errors import UsageError
from refiner.frameworks import lightning as L

_Misconfigured = L.fabric.utilities.exceptions.MisconfigurationException  # what a wrong trainer raises, no ValueError

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

SECTIONS = ("--model", "--data", "--trainer", "--checkpoints", "--samples")
"""Options that take a file with all settings of a section."""

TRAINER_DEFAULTS: dict[str, Any] = {
    "devices": 1,
    "max_epochs": -1,  # the batches have no end; max_steps says when to stop
    "check_val_every_n_epoch": None,
    "num_sanity_val_steps": -1,  # the numbers before the first update, to compare with
    "use_distributed_sampler": False,  # each rank draws batches of its own
    "log_every_n_steps": 10,
    "enable_progress_bar": False,
    "enable_model_summary": False,
    "plugins": {"class_path": "refiner.checkpoints.AtomicCheckpointIO"},
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


def build_cli(
    cli: type[L.pytorch.cli.LightningCLI],
    model: type[L.LightningModule],
    data: type[L.LightningDataModule],
    argv: list[str],
    *,
    prog: str,
    recipes: str,
) -> Any:
    """Build everything that a run needs, and start nothing.

    Args:
        cli: The command line.
        model: Built from the `model` section.
        data: Built from the `data` section.
        argv: The words after the command.
        prog: The command.
        recipes: Folder of the commented recipes, to point to.

    Raises:
        UsageError: The options or the file make no sense.
    """
    keep_float32_whole()
    try:
        return cli(
            model,
            data,
            run=False,
            args=with_shipped_recipes(files_first(argv)),
            seed_everything_default=0,
            trainer_defaults=TRAINER_DEFAULTS | {"callbacks": [UpdateProgress()]},
            save_config_callback=RunRecord,
            auto_configure_optimizers=False,
            parser_kwargs={"prog": prog, "exit_on_error": False},
        )
    except (ArgumentError, ValueError, TypeError, _Misconfigured) as error:
        text = " ".join(str(error).split())
        raise UsageError(f"{text} See `{prog} --help` and the comments in {recipes}.") from error


def files_first(argv: list[str]) -> list[str]:
    """Move configuration files before all options, so that an option wins wherever it stands.

    jsonargparse applies words in their order: a file drops what stood before it, without a word. Files of a whole
    section (`--trainer FILE`) come after those of everything (`--config FILE`); else the order stays.

    Args:
        argv: The words after the command.
    """
    whole, sections, options = list[str](), list[str](), list[str]()
    words = iter(argv)
    for word in words:
        name, _, value = word.partition("=")
        if name in ("--config", "-c"):
            whole += [word] if value else [word, *itertools.islice(words, 1)]
        elif name in SECTIONS:
            sections += [word] if value else [word, *itertools.islice(words, 1)]
        else:
            options.append(word)
    return [*whole, *sections, *options]


def with_shipped_recipes(argv: list[str]) -> list[str]:
    """Find `--config simgan/fast.yaml` among the recipes of the package where it is not in the current folder."""
    words = [part for word in argv for part in (word.split("=", 1) if word.startswith("--config=") else [word])]
    for index, word in enumerate(words[:-1]):
        if word in ("--config", "-c"):
            words[index + 1] = str(shipped(words[index + 1]))
    return words


def digests(data: dict[str, dict[str, Any]]) -> dict[str, str]:
    """Give the digests of the stores that a run names."""
    return {name: store["digest"] for name, store in data.items()}
