"""Checkpoints of SimGAN: what they say, and how a trained refiner comes out of one.

Beside Lightning's entries stand `format`, `depth_refiner_version`, `depth_codec`, `refiner` and
`discriminator` (class name and settings), `history`, `latest`, `data` (the stores' digests).
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import distributed as dist
from torch import nn

from refiner.checkpoints import SIMGAN_FORMAT, read_checkpoint, rebuild_network
from refiner.errors import CheckpointError
from refiner.geometry.depth import DepthCodec
from refiner.nets.paper_refiner import PaperRefiner
from refiner.nets.refiner import ResidualRefiner
from refiner.simgan.devices import device_count

if TYPE_CHECKING:
    from refiner.simgan.module import SimGAN

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
    checkpoint = read_checkpoint(path, SIMGAN_FORMAT)
    prefix = "refiner_average.module."
    weights = {name.removeprefix(prefix): w for name, w in checkpoint["state_dict"].items() if name.startswith(prefix)}
    if not weights:
        prefix = "refiner."
        weights = {
            name.removeprefix(prefix): w for name, w in checkpoint["state_dict"].items() if name.startswith(prefix)
        }
    network = rebuild_network(checkpoint, "refiner", REFINERS, weights, path)
    facts = {
        "updates": checkpoint["global_step"],
        "version": checkpoint["depth_refiner_version"],
        "data": checkpoint["data"],
        "refiner": checkpoint["refiner"],
    }
    codec = DepthCodec(**checkpoint["depth_codec"])
    return TrainedRefiner(network, codec, int(network.noise_channels), facts)  # pyright: ignore[reportArgumentType]


def describe_run(module: "SimGAN") -> dict[str, Any]:
    """Give the entries that `SimGAN` adds to its checkpoints."""
    from refiner import __version__

    data = getattr(getattr(module.trainer, "datamodule", None), "provenance", {})
    return {
        "format": SIMGAN_FORMAT,
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


def _describe(network: nn.Module) -> dict[str, Any]:
    return {"class": type(network).__name__, "settings": network.settings}


def _histories(own: dict[str, Any]) -> list[dict[str, Any]]:
    """Gather the histories of all devices: each has its own, and rank 0 alone writes."""
    if device_count() == 1:
        return [own]
    everyone: list[Any] = [None] * device_count()
    dist.all_gather_object(everyone, own)
    return everyone
