"""Checkpoints of SimGAN: what they say, and how a trained refiner comes out of one.

Beside Lightning's entries stand `format`, `depth_refiner_version`, `depth_codec`, `refiner` and
`discriminator` (class name and settings), `history`, `latest`, `data` (the stores' digests).
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import distributed as dist

from refiner.checkpoints import SIMGAN_FORMAT, describe_network, read_checkpoint, rebuild_network
from refiner.errors import CheckpointError
from refiner.geometry.depth import DepthCodec
from refiner.nets.discriminator import PatchDiscriminator
from refiner.nets.refiner import PARTS, REFINERS, Refiner
from refiner.nets.refiner.base import NoiseShapes
from refiner.simgan.devices import device_count
from refiner.simgan.history import RefinedHistory


@dataclass(frozen=True)
class TrainedRefiner:
    """A refiner ready for use.

    Attributes:
        network: In evaluation mode, on the CPU, without gradients.
        codec: What its values mean.
        facts: Updates done, program version, the stores it was trained on.
    """

    network: Refiner
    codec: DepthCodec
    facts: dict[str, Any]

    @property
    def noise_shapes(self) -> NoiseShapes:
        """The noise that it takes for one map."""
        return self.network.noise_shapes(self.codec.size, self.codec.size)


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
    network = rebuild_network(checkpoint, "refiner", REFINERS, weights, path, PARTS)
    facts = {
        "updates": checkpoint["global_step"],
        "version": checkpoint["depth_refiner_version"],
        "data": checkpoint["data"],
        "refiner": checkpoint["refiner"],
    }
    codec = DepthCodec(**checkpoint["depth_codec"])
    return TrainedRefiner(network, codec, facts)


def describe_networks(refiner: Refiner, discriminator: PatchDiscriminator, codec: DepthCodec) -> dict[str, Any]:
    """Return the entries that say what was trained."""
    from refiner import __version__

    return {
        "format": SIMGAN_FORMAT,
        "depth_refiner_version": __version__,
        "depth_codec": codec.to_dict(),
        "refiner": describe_network(refiner),
        "discriminator": describe_network(discriminator),
    }


def histories_of_ranks(own: RefinedHistory) -> list[dict[str, Any]]:
    """Gather the histories of all devices: each has its own, and rank 0 alone writes."""
    if device_count() == 1:
        return [own.state_dict()]
    everyone: list[Any] = [None] * device_count()
    dist.all_gather_object(everyone, own.state_dict())
    return everyone


def history_of_rank(checkpoint: dict[str, Any], rank: int) -> dict[str, Any]:
    """Give the saved history of one device; with more devices than before they take turns."""
    histories = checkpoint["history"]
    return histories[rank % len(histories)]


def check_resumable(checkpoint: dict[str, Any], wanted: dict[str, Any], path: Path) -> None:
    """Refuse to continue a run with other networks or another meaning of depth.

    Args:
        checkpoint: What was read.
        wanted: `describe_networks` of the run that would continue it.
        path: Named in the error.

    Raises:
        CheckpointError: The run and the checkpoint differ; says in what.
    """
    for key in ("refiner", "discriminator", "depth_codec"):
        if checkpoint[key] != wanted[key]:
            raise CheckpointError(
                f"{path} does not fit this configuration: its {key} is {checkpoint[key]}, the configuration's is "
                f"{wanted[key]}. Continue with the configuration beside it (config.yaml), or start afresh without "
                "--ckpt_path."
            )
