"""Training of a pose estimator: one `training_step` is one optimiser update.

Logged at the number of updates done: `train/loss`, `train/learning_rate`, and after every validation `val/mean_mm`, the
mean distance of held-out joints in the cube (as if the camera were far away; `refiner pose evaluate` does it exactly).
"""

import math
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import AdamW, Optimizer

from refiner.errors import TrainingError
from refiner.frameworks import lightning as L
from refiner.geometry.depth import DepthCodec
from refiner.hand.skeleton import Skeleton
from refiner.pose.augmentation import PoseAugmentation
from refiner.pose.checkpoint import describe_run
from refiner.pose.data import PoseBatch

OptimizerFactory = Callable[[Iterable[nn.Parameter]], Optimizer]

_AUGMENTATION = 0x7061  # keeps its random numbers apart from other uses of the seed


class PoseEstimator(L.LightningModule):
    """A network that finds joints, and how it is trained."""

    def __init__(
        self,
        network: nn.Module,
        codec: DepthCodec,
        skeleton: Skeleton,
        optimizer: OptimizerFactory = lambda parameters: AdamW(parameters, lr=1e-3),
        augmentation: PoseAugmentation = PoseAugmentation(),  # noqa: B008 - frozen
        warmup: int = 100,
        seed: int = 0,
    ) -> None:
        """Put the parts together.

        Args:
            network: One of `refiner.nets.offsets` or `refiner.nets.hourglass`.
            codec: What its input means; from the data.
            skeleton: What its joints are; from the data.
            optimizer: Makes the optimiser of the parameters.
            augmentation: Of every training map.
            warmup: Updates over which the learning rate rises; then it falls to zero along half a cosine.
            seed: Seed of the augmentation.

        Raises:
            TrainingError: The network finds another number of joints than the data has.
        """
        super().__init__()
        found: int = network.settings["joints"]  # pyright: ignore
        if found != len(skeleton):
            raise TrainingError(
                f"The network finds {found} joints and the data's {skeleton.name} has {len(skeleton)}. "
                f"Give --model.network.init_args.joints {len(skeleton)}."
            )
        self.network, self.codec, self.skeleton = network, codec, skeleton
        self.augmentation, self.warmup, self.seed = augmentation, warmup, seed
        self._optimizer_factory = optimizer
        self._errors_mm: list[Tensor] = []
        self.mean_mm: float | None = None

    @property
    def score(self) -> float | None:
        """Give what checkpoints are ranked by, none before the first validation."""
        return self.mean_mm

    def configure_optimizers(self) -> Optimizer:
        """Give the optimiser."""
        return self._optimizer_factory(self.network.parameters())

    def training_step(self, batch: PoseBatch, batch_idx: int) -> Tensor:  # noqa: ARG002
        """Give the loss of one update."""
        depth, joints, _ = batch
        depth, joints = self.augmentation(depth, joints, (_AUGMENTATION, self.seed, self.global_step, self.global_rank))
        optimizer = self.optimizers()
        factor = self.learning_rate_factor(self.global_step)
        for group in optimizer.param_groups:  # pyright: ignore[reportAttributeAccessIssue]
            group["lr"] = optimizer.defaults["lr"] * factor  # pyright: ignore[reportAttributeAccessIssue]
        loss: Tensor = self.network.loss(depth, joints)  # pyright: ignore[reportCallIssue]
        if not torch.isfinite(loss):
            raise TrainingError(
                f"The loss of update {self.global_step} is {loss.item()}, wanted a finite number. Continue from an "
                "earlier checkpoint with a lower learning rate, or without mixed precision (trainer.precision)."
            )
        done = self.global_step + 1
        if done == 1 or done % self.trainer.log_every_n_steps == 0:  # pyright: ignore[reportAttributeAccessIssue]
            self._log({"train/loss": float(loss.detach()), "train/learning_rate": factor}, done)
        return loss

    def validation_step(self, batch: PoseBatch, batch_idx: int) -> None:  # noqa: ARG002
        """Measure held-out maps."""
        depth, joints, cube_mm = batch
        estimated = self.network.joints(self.network.stages(depth)[-1], depth)  # pyright: ignore[reportCallIssue]
        self._errors_mm.append(((estimated - joints).norm(dim=-1) * cube_mm[:, None] / 2).cpu())

    def on_validation_epoch_end(self) -> None:
        """Log their mean error."""
        self.mean_mm = float(torch.nanmean(torch.cat(self._errors_mm)))
        self._errors_mm.clear()
        self._log({"val/mean_mm": self.mean_mm}, self.global_step)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Add what estimating needs beside the weights."""
        checkpoint |= describe_run(self)

    def learning_rate_factor(self, step: int) -> float:
        """Give what the learning rate is multiplied by at one update."""
        if step < self.warmup:
            return (step + 1) / self.warmup
        last = max(self.trainer.max_steps - self.warmup, 1)
        return 0.5 * (1 + math.cos(math.pi * min((step - self.warmup) / last, 1.0)))

    def _log(self, values: dict[str, float], step: int) -> None:
        for logger in self.loggers:
            logger.log_metrics(values, step)
