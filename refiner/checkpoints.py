"""Checkpoint files: written so that a kill leaves them whole, read without ever unpickling code.

A checkpoint is Lightning's, with plain entries beside, of which `format` says what program wrote it. It holds tensors,
numbers, strings, lists and dictionaries only.
"""

import inspect
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import nn

from refiner.errors import CheckpointError
from refiner.files import write_atomically
from refiner.frameworks import lightning as L

Network = TypeVar("Network", bound=nn.Module)

SIMGAN_FORMAT, POSE_FORMAT = "depth-refiner/simgan/1", "depth-refiner/pose/1"
WRITERS = {SIMGAN_FORMAT: "refiner train", POSE_FORMAT: "refiner pose train"}
"""Format -> the command that writes it."""

_DESCRIPTION = {"class", "settings"}


def read_checkpoint(path: str | Path, wanted: str | None = None, map_location: Any = "cpu") -> dict[str, Any]:
    """Read a checkpoint whole, and check that it is of the wanted format, or of any that this program writes.

    Raises:
        CheckpointError: It is not.
    """
    path = Path(path)
    if not path.is_file():
        what = "a folder" if path.is_dir() else "nothing"
        raise CheckpointError(
            f"No checkpoint at {path}: found {what}, wanted a file as `{WRITERS[wanted or SIMGAN_FORMAT]}` writes it, "
            "for example checkpoints/last.ckpt in the folder of its run."
        )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about pickles, which are refused just below
            checkpoint = torch.load(path, map_location=map_location, weights_only=True)
    except Exception as error:  # on junk torch raises almost anything, down to OSError 22
        first_line = (str(error).splitlines() or [type(error).__name__])[0]
        raise CheckpointError(
            f"{path} ({path.stat().st_size} bytes) is not a readable checkpoint: {first_line} It was cut, or written "
            "by another program; take another file of the run's checkpoints folder."
        ) from error
    found = checkpoint.get("format") if isinstance(checkpoint, dict) else type(checkpoint).__name__
    if found not in WRITERS or (wanted is not None and found != wanted):
        writer = WRITERS[wanted] if wanted else " or ".join(WRITERS.values())
        raise CheckpointError(
            f"{path}: found format = {found!r}, wanted {wanted or list(WRITERS)!r}: it was not written by `{writer}` "
            "of this version."
        )
    return checkpoint


def describe_network(network: nn.Module) -> dict[str, Any]:
    """Return a network's class and its settings, those of its parts within."""
    settings = {
        name: describe_network(value) if isinstance(value, nn.Module) else value
        for name, value in network.settings.items()  # pyright: ignore[reportCallIssue, reportAttributeAccessIssue]
    }
    return {"class": type(network).__name__, "settings": settings}


def rebuild_network(
    checkpoint: dict[str, Any],
    key: str,
    known: Mapping[str, type[Network]],
    weights: dict[str, Any],
    path: str | Path,
    parts: Mapping[str, type[nn.Module]] | None = None,
) -> Network:
    """Build the network that a checkpoint describes, with its weights, ready for use.

    Args:
        checkpoint: What `read_checkpoint` gave.
        key: The entry that describes the network, see `describe_network`.
        known: The classes by name.
        weights: Of the network alone.
        path: Named in errors.
        parts: Classes of its parts by name.

    Returns:
        In evaluation mode, on the CPU, without gradients.

    Raises:
        CheckpointError: A class or a setting is unknown, or the weights do not fit.
    """
    writer = f"It was written by depth-refiner {checkpoint['depth_refiner_version']}: use that version, or train again."

    def built(description: dict[str, Any], classes: Mapping[str, type[Any]]) -> Any:
        if description["class"] not in classes:
            known_here = ", ".join(classes)
            raise CheckpointError(
                f"{path} holds a {key} of class {description['class']!r}; this version knows {known_here}. {writer}"
            )
        kind = classes[description["class"]]
        if strangers := set(description["settings"]) - set(inspect.signature(kind).parameters):
            raise CheckpointError(
                f"{path} holds a {kind.__name__} with the settings {', '.join(sorted(strangers))}, which this "
                f"version's does not have. {writer}"
            )
        settings = {
            name: built(value, parts or {}) if isinstance(value, dict) and set(value) == _DESCRIPTION else value
            for name, value in description["settings"].items()
        }
        return kind(**settings)

    network: Network = built(checkpoint[key], known)
    try:
        network.load_state_dict(weights)
    except RuntimeError as error:
        raise CheckpointError(f"{path}: the weights do not fit the network it describes: {error} {writer}") from error
    return network.eval().requires_grad_(False)


class AtomicCheckpointIO(L.pytorch.plugins.TorchCheckpointIO):
    """Writes checkpoints so that a kill at any moment leaves the old file or the new one, whole.

    Lightning's own way passes through the system's temporary folder; a move from there to another file system is a
    copy, which a kill can cut.
    """

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any | None = None) -> None:  # noqa: ARG002
        """Write beside the target, sync, rename, sync the folder."""
        write_atomically(Path(path), lambda file: torch.save(checkpoint, file))

    def load_checkpoint(self, path: Any, map_location: Any = None, weights_only: bool | None = None) -> dict[str, Any]:  # noqa: ARG002
        """Read without ever unpickling code, whatever was asked."""
        return read_checkpoint(path, map_location=map_location or "cpu")


class Checkpoints(L.pytorch.callbacks.Checkpoint):
    """Writes `last.ckpt` at regular updates, after every validation and at the end; keeps the best few.

    A checkpoint is judged by the training module's `score`, lower is better: a number on held-out maps. The best
    are named update=NNNNNNN-score=X.XXXX.ckpt. Which they are is part of every checkpoint, so that a run that goes on
    keeps the same ones as a run that never stopped; where it goes on in another folder, they are copied there.
    """

    def __init__(self, every_n_updates: int = 100, keep: int = 2) -> None:
        """Choose how often and how many.

        Args:
            every_n_updates: How often `last.ckpt` is written between validations.
            keep: How many of the best are kept.
        """
        self.every_n_updates, self.keep = every_n_updates, keep
        self.folder = Path("checkpoints")
        self._best: list[tuple[float, str]] = []
        self._saved_at = -1

    @property
    def last(self) -> Path:
        """Give the place of the newest checkpoint."""
        return self.folder / "last.ckpt"

    def setup(self, trainer: L.Trainer, pl_module: Any, stage: str) -> None:  # noqa: ARG002
        """Write into the folder of the run."""
        self.folder = Path(trainer.log_dir or ".") / "checkpoints"

    def state_dict(self) -> dict[str, Any]:
        """Return the scores and names of the best checkpoints so far."""
        return {"best": [[score, name] for score, name in self._best]}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on with the best checkpoints of the run that is continued."""
        self._best = [(float(score), str(name)) for score, name in state_dict["best"]]

    def on_train_start(self, trainer: L.Trainer, pl_module: Any) -> None:  # noqa: ARG002
        """Bring the best checkpoints of a continued run into this run's folder, and forget those that are gone."""
        if trainer.ckpt_path is not None and trainer.is_global_zero:
            source = Path(trainer.ckpt_path).parent
            for _, name in self._best:
                if not (self.folder / name).exists() and (source / name).is_file():
                    content = (source / name).read_bytes()
                    write_atomically(self.folder / name, lambda file, content=content: file.write(content))
        there = trainer.strategy.broadcast([(self.folder / name).exists() for _, name in self._best])
        self._best = [best for best, kept in zip(self._best, there, strict=True) if kept]

    def on_train_batch_end(self, trainer: L.Trainer, *_: Any) -> None:
        """Save at regular updates."""
        if trainer.global_step % self.every_n_updates == 0:
            self._save(trainer)

    def on_validation_end(self, trainer: L.Trainer, pl_module: Any) -> None:
        """Save, and keep it where it is among the best."""
        if trainer.sanity_checking or pl_module.score is None:
            return
        # Saving is collective: all devices must decide alike, and their scores may differ in the last digits.
        score = trainer.strategy.broadcast(float(pl_module.score))
        name = f"update={trainer.global_step:07d}-score={score:.4f}.ckpt"
        ranked = sorted({*self._best, (score, name)})  # a run that goes on may validate the same update again
        self._best, worse = ranked[: self.keep], ranked[self.keep :]
        if (score, name) not in worse:
            trainer.save_checkpoint(self.folder / name)
        if trainer.is_global_zero:
            for _, unwanted in worse:
                (self.folder / unwanted).unlink(missing_ok=True)
        self._save(trainer)

    def on_train_end(self, trainer: L.Trainer, pl_module: Any) -> None:  # noqa: ARG002
        """Save the final state."""
        if self._saved_at != trainer.global_step:
            self._save(trainer)

    def _save(self, trainer: L.Trainer) -> None:
        self._saved_at = trainer.global_step
        trainer.save_checkpoint(self.last)
