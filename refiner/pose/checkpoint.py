"""Checkpoints of pose estimators: what they say, and how a trained estimator comes out of one.

Beside Lightning's entries stand `format`, `depth_refiner_version`, `depth_codec`, `network` (class name and settings),
`skeleton` and `data` (the store's digest).
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import nn

from refiner.checkpoints import POSE_FORMAT, read_checkpoint, rebuild_network
from refiner.errors import CheckpointError
from refiner.geometry.depth import DepthCodec
from refiner.hand.skeleton import Skeleton
from refiner.nets.hourglass import HourglassEstimator
from refiner.nets.offsets import OffsetEstimator, SmallEstimator

if TYPE_CHECKING:
    from refiner.pose.module import PoseEstimator

NETWORKS: dict[str, type[nn.Module]] = {
    network.__name__: network for network in (SmallEstimator, OffsetEstimator, HourglassEstimator)
}


@dataclass(frozen=True)
class TrainedEstimator:
    """An estimator ready for use.

    Attributes:
        network: In evaluation mode, on the CPU, without gradients.
        codec: What its input means.
        skeleton: What its joints are.
        facts: Updates done, program version, the store it was trained on.
    """

    network: nn.Module
    codec: DepthCodec
    skeleton: Skeleton
    facts: dict[str, Any]


def load_estimator(path: str | Path) -> TrainedEstimator:
    """Read the estimator out of a checkpoint.

    Raises:
        CheckpointError: The file is missing, cut, or not a checkpoint of `refiner pose train`.
    """
    checkpoint = read_checkpoint(path, POSE_FORMAT)
    weights = {name.removeprefix("network."): value for name, value in checkpoint["state_dict"].items()}
    network = rebuild_network(checkpoint, "network", NETWORKS, weights, path)
    facts = {
        "updates": checkpoint["global_step"],
        "version": checkpoint["depth_refiner_version"],
        "data": checkpoint["data"],
        "network": checkpoint["network"],
    }
    skeleton = Skeleton.from_attrs(checkpoint["skeleton"])
    return TrainedEstimator(network, DepthCodec(**checkpoint["depth_codec"]), skeleton, facts)


def describe_run(module: "PoseEstimator") -> dict[str, Any]:
    """Give the entries that `PoseEstimator` adds to its checkpoints."""
    from refiner import __version__

    return _meaning(module) | {
        "format": POSE_FORMAT,
        "depth_refiner_version": __version__,
        "data": getattr(getattr(module.trainer, "datamodule", None), "provenance", {}),
    }


def check_resumable(checkpoint: dict[str, Any], module: "PoseEstimator", path: Path) -> None:
    """Refuse to continue a run with another network or other joints.

    Raises:
        CheckpointError: The run and the checkpoint differ; says in what.
    """
    for key, wanted in _meaning(module).items():
        if checkpoint[key] != wanted:
            raise CheckpointError(
                f"{path} does not fit this configuration: its {key} is {checkpoint[key]}, the configuration's is "
                f"{wanted}. Give another --out, or --overwrite to begin afresh."
            )


def _meaning(module: "PoseEstimator") -> dict[str, Any]:
    return {
        "network": {"class": type(module.network).__name__, "settings": module.network.settings},
        "skeleton": module.skeleton.to_attrs(),
        "depth_codec": module.codec.to_dict(),
    }
