"""Checkpoints: how they are written, what they say, and how a trained refiner comes out of one.

A checkpoint is Lightning's, with plain entries beside: `format`, `depth_refiner_version`, `depth_codec`, `refiner` and
`discriminator` (class name and settings), `history`, `latest`, `data` (the stores' digests). It holds tensors,
numbers, strings, lists and dictionaries only, and is read with `weights_only=True`: a file that is something else is
refused, never unpickled.
"""

import os
import uuid
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import distributed as dist
from torch import nn

from refiner.errors import CheckpointError
from refiner.frameworks import lightning as L
from refiner.geometry.depth import DepthCodec
from refiner.nets.refiner import PaperRefiner, ResidualRefiner

if TYPE_CHECKING:
    from refiner.simgan.module import SimGAN

FORMAT = "depth-refiner/simgan/1"
REFINERS: dict[str, type[nn.Module]] = {network.__name__: network for network in (PaperRefiner, ResidualRefiner)}


@dataclass(frozen=True)
class TrainedRefiner:
    """A refiner ready for use.

    Attributes:
        network: In evaluation mode, on the CPU, without gradients; called with (depth, noise).
        codec: What its values mean.
        noise_channels: Channels of its noise input, 0 where it has none.
        facts: Updates done, program version, the stores it was trained on.
    """

    network: nn.Module
    codec: DepthCodec
    noise_channels: int
    facts: dict[str, Any]

    def noise_shape(self, items: int) -> tuple[int, int, int, int] | None:
        """Give the shape of the noise for so many maps, nothing where none is used."""
        if self.noise_channels == 0:
            return None
        return self.network.noise_shape(items, self.codec.size, self.codec.size)  # pyright: ignore[reportCallIssue]


def load_refiner(path: str | Path) -> TrainedRefiner:
    """Read the refiner out of a checkpoint, its running average where one was kept.

    Raises:
        CheckpointError: The file is missing, cut, or not a checkpoint of this program.
    """
    checkpoint = read_checkpoint(path)
    prefix = "refiner_average.module."
    weights = {name.removeprefix(prefix): w for name, w in checkpoint["state_dict"].items() if name.startswith(prefix)}
    if not weights:
        prefix = "refiner."
        weights = {
            name.removeprefix(prefix): w for name, w in checkpoint["state_dict"].items() if name.startswith(prefix)
        }
    description = checkpoint["refiner"]
    if description["class"] not in REFINERS:
        raise CheckpointError(
            f"{path} holds a refiner of class {description['class']!r}; this version knows {', '.join(REFINERS)}. "
            f"It was written by depth-refiner {checkpoint['depth_refiner_version']}: use that version."
        )
    network = REFINERS[description["class"]](**description["settings"])
    try:
        network.load_state_dict(weights)
    except RuntimeError as error:
        raise CheckpointError(f"{path}: the weights do not fit the network it describes: {error}") from error
    facts = {
        "updates": checkpoint["global_step"],
        "version": checkpoint["depth_refiner_version"],
        "data": checkpoint["data"],
        "refiner": description,
    }
    codec = DepthCodec(**checkpoint["depth_codec"])
    return TrainedRefiner(network.eval().requires_grad_(False), codec, int(network.noise_channels), facts)  # pyright: ignore[reportArgumentType]


def read_checkpoint(path: str | Path, map_location: Any = "cpu") -> dict[str, Any]:
    """Read a checkpoint whole, and check that it is one of this program.

    Raises:
        CheckpointError: It is not.
    """
    path = Path(path)
    if not path.is_file():
        what = "a folder" if path.is_dir() else "nothing"
        raise CheckpointError(
            f"No checkpoint at {path}: found {what}, wanted a file as `refiner train` writes it, for example "
            "runs/NAME/version_0/checkpoints/last.ckpt."
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
    if found != FORMAT:
        raise CheckpointError(
            f"{path}: found format = {found!r}, wanted {FORMAT!r}: it was not written by `refiner train` of this "
            "version."
        )
    return checkpoint


def describe_run(module: "SimGAN") -> dict[str, Any]:
    """Give the entries that `SimGAN` adds to its checkpoints."""
    from refiner import __version__

    data = getattr(getattr(module.trainer, "datamodule", None), "provenance", {})
    return {
        "format": FORMAT,
        "depth_refiner_version": __version__,
        "depth_codec": module.codec.to_dict(),
        "refiner": _describe(module.refiner),
        "discriminator": _describe(module.discriminator),
        "history": _histories(module.history.state_dict()),
        "data": data,
    }


def history_of_rank(checkpoint: dict[str, Any], rank: int) -> dict[str, Any]:
    """Give the saved history of one device; with more devices than before they take turns."""
    histories = checkpoint["history"]
    return histories[rank % len(histories)]


def check_resumable(checkpoint: dict[str, Any], module: "SimGAN", path: Path) -> None:
    """Refuse to continue a run with other networks or another meaning of depth.

    Raises:
        CheckpointError: The run and the checkpoint differ; says in what.
    """
    for key, wanted in (
        ("refiner", _describe(module.refiner)),
        ("discriminator", _describe(module.discriminator)),
        ("depth_codec", module.codec.to_dict()),
    ):
        if checkpoint[key] != wanted:
            raise CheckpointError(
                f"{path} does not fit this configuration: its {key} is {checkpoint[key]}, the configuration's is "
                f"{wanted}. Continue with the configuration beside it (config.yaml), or start afresh without "
                "--ckpt_path."
            )


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
        return read_checkpoint(path, map_location or "cpu")


def write_atomically(path: Path, write: Callable[[Any], None]) -> None:
    """Write a file so that `path` is at every moment absent, the old file, or the whole new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.partial")
    try:
        with temporary.open("wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    finally:
        temporary.unlink(missing_ok=True)


def _describe(network: nn.Module) -> dict[str, Any]:
    return {"class": type(network).__name__, "settings": network.settings}


def _histories(own: dict[str, Any]) -> list[dict[str, Any]]:
    """Gather the histories of all devices: each has its own, and rank 0 alone writes."""
    if not (dist.is_available() and dist.is_initialized()):
        return [own]
    everyone: list[Any] = [None] * dist.get_world_size()
    dist.all_gather_object(everyone, own)
    return everyone
