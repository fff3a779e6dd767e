"""SimGAN training: one `training_step` is one optimiser update, of the network whose turn it is.

Logged at the number of updates done: `train/...` from the last update of each network (before its first, from what the
untrained network says about the first batch), `val/...` after every validation and once before the first update.
"""

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim import Adam, Optimizer

from refiner.datasets.facts import TrainingFacts
from refiner.errors import TrainingError
from refiner.frameworks import lightning as L
from refiner.nets.discriminator import PatchDiscriminator
from refiner.nets.refiner.base import Refiner
from refiner.simgan.augmentation import Augmentation
from refiner.simgan.average import running_average
from refiner.simgan.checkpoint import describe_networks, histories_of_ranks, history_of_rank
from refiner.simgan.health import Beside, measure
from refiner.simgan.history import RefinedHistory
from refiner.simgan.objective import Objective
from refiner.simgan.probe import ProbeNumbers, as_decoded, probe_numbers
from refiner.simgan.readings import MeanReadings
from refiner.simgan.schedule import UpdateSchedule
from refiner.simgan.updates import Game, Update, discriminator_update, noise_of_batch, refiner_update
from refiner.types import UnpairedBatch

OptimizerFactory = Callable[[Iterable[nn.Parameter]], Optimizer]

_PROBE_NOISE = 0x6E7072

_AWAY_MM = 1000.0
"""Distance at which held-out maps are measured: no statistic depends on it."""


class SimGAN(L.LightningModule):
    """A refiner and a discriminator that train each other.

    Attributes:
        probe: (synthetic, refined, real) of the last validation, each (N, 1, H, W) as decoded, and the sides of the
            synthetic maps' cubes in mm, (N,).
        probe_numbers: What the last validation measured.
        health: Statistics of its maps beside the camera's; empty before the first validation.
    """

    def __init__(
        self,
        refiner: Refiner,
        discriminator: PatchDiscriminator,
        facts: TrainingFacts,
        optimizer_refiner: OptimizerFactory = lambda parameters: Adam(parameters, 1e-3, (0.5, 0.999)),
        optimizer_discriminator: OptimizerFactory = lambda parameters: Adam(parameters, 2e-3, (0.5, 0.999)),
        schedule: UpdateSchedule = UpdateSchedule(),  # noqa: B008 - frozen
        objective: Objective = Objective(),  # noqa: B008 - frozen
        augmentation: Augmentation = Augmentation(),  # noqa: B008 - frozen
        history_maps: int = 640,
        average_decay: float = 0.998,
        learning_rate_drop_after: int | None = 3400,
        learning_rate_drop_factor: float = 0.25,
        gradient_norm: float = 5.0,
        seed: int = 0,
    ) -> None:
        """Put the parts together.

        Args:
            refiner: A network of `refiner.nets.refiner`.
            discriminator: With as many classes as the loss wants.
            facts: What is known of the maps; from the data.
            optimizer_refiner: Makes R's optimiser of its parameters.
            optimizer_discriminator: Makes D's.
            schedule: Whose turn it is.
            objective: What the networks descend on.
            augmentation: Random changes of every map that D judges.
            history_maps: Capacity of the history of refined images (the paper's B).
            average_decay: Of the running average of R's weights that validation and `refine` use; 0 keeps none. The
                average is over the last 1 / (1 - decay) updates of R, fewer at the start.
            learning_rate_drop_after: Updates after which both learning rates are multiplied by the factor.
            learning_rate_drop_factor: See above.
            gradient_norm: Greatest norm of the gradient of a network's weights; longer ones are shortened to it. A
                single one that is far longer moves every weight sixteen learning rates in Adam. 0 is no limit.
            seed: Seed of the noise input and of the history.
        """
        super().__init__()
        self.automatic_optimization = False
        self.refiner, self.discriminator, self.codec = refiner, discriminator, facts.codec
        self.schedule = schedule
        self.learning_rate_drop = learning_rate_drop_after, learning_rate_drop_factor
        self.gradient_norm, self.seed = gradient_norm, seed
        if objective.paired_weight > 0 and not facts.paired:
            found = f"Found paired_weight {objective.paired_weight} without pairs"
            raise ValueError(f"{found}, wanted data.paired: true, or a weight of 0.")
        refiner.meet(facts)
        unit_mm = self.codec.unit_mm if facts.whole_units else None
        self.readings = MeanReadings()
        self.game = Game(refiner, discriminator, objective, augmentation, self.readings, unit_mm, facts.paired)
        self._optimizer_factories = optimizer_refiner, optimizer_discriminator
        self.history = RefinedHistory(history_maps, seed)
        self.refiner_average = running_average(refiner, average_decay) if average_decay > 0 else None
        self._latest: dict[str, Any] = {}
        self._probe_parts: list[tuple[Tensor, ...]] = []
        self.probe: tuple[Tensor, Tensor, Tensor, Tensor] | None = None
        self.probe_numbers: ProbeNumbers | None = None
        self.health: dict[str, Beside] = {}

    @property
    def trained_refiner(self) -> Refiner:
        """Return the refiner to use: the average where there is one."""
        return self.refiner if self.refiner_average is None else self.refiner_average.module  # pyright: ignore[reportReturnType]

    @property
    def score(self) -> float | None:
        """Give what checkpoints are ranked by (see `ProbeNumbers`), none before the first validation."""
        return None if self.probe_numbers is None else self.probe_numbers.score

    def description(self) -> dict[str, Any]:
        """Return the entries of a checkpoint that say what is trained."""
        return describe_networks(self.game.refiner, self.game.discriminator, self.codec)

    def configure_optimizers(self) -> tuple[Optimizer, Optimizer]:
        """Give R's optimiser, then D's."""
        for_refiner, for_discriminator = self._optimizer_factories
        return for_refiner(self.refiner.parameters()), for_discriminator(self.discriminator.parameters())

    def training_step(self, batch: UnpairedBatch, batch_idx: int) -> None:  # noqa: ARG002
        """Do one update."""
        step, first = self.global_step, not self._latest
        if first:
            with torch.no_grad():
                _, of_refiner = refiner_update(self.game, batch, self._key(step))
                _, of_discriminator = discriminator_update(self.game, batch, self._key(step), None)
                self._latest = of_refiner | of_discriminator
        turn = 0 if self.schedule.updates_refiner(step) else 1
        optimizer = self.optimizers()[turn]  # pyright: ignore[reportIndexIssue]
        for group in optimizer.param_groups:
            group["lr"] = optimizer.defaults["lr"] * self._learning_rate_factor(step)
        with self.toggled_optimizer(optimizer):  # the other network's parameters take no gradient
            loss, values = self.update_loss(batch, step)
            optimizer.zero_grad()
            self.manual_backward(loss)
            optimizer.step()
        if turn == 0 and self.refiner_average is not None:
            self.refiner_average.update_parameters(self.refiner)
        self._latest |= {name: value.detach() for name, value in values.items()}
        self._latest["train/history/fill"] = self.history.fill
        if first or (step + 1) % self.trainer.log_every_n_steps == 0:  # pyright: ignore[reportAttributeAccessIssue]
            self._log(self._latest, step + 1)

    def on_before_optimizer_step(self, optimizer: Optimizer) -> None:
        """Shorten a long gradient, in its own unit: half precision trains on gradients times a scale.

        Lightning has divided by that scale here already, unless the optimiser does so itself while it steps (fused
        ones). Such a gradient is divided now, which the optimiser then knows.
        """
        if self.gradient_norm <= 0:
            return
        precision = self.trainer.precision_plugin
        scaler = getattr(precision, "scaler", None)
        if scaler is not None and getattr(optimizer, "_step_supports_amp_scaling", False):
            scaler.unscale_(optimizer)
        nn.utils.clip_grad_norm_(precision.main_params(optimizer), self.gradient_norm)

    def update_loss(self, batch: UnpairedBatch, step: int) -> Update:
        """Return what update number `step` descends on, and the values to log.

        Raises:
            TrainingError: It is not finite.
        """
        phase, key = self.schedule.phase(step), self._key(step)
        if self.schedule.updates_refiner(step):
            alone, learns_dropout = phase == "refiner_warmup", self.schedule.learns_dropout(step)
            loss, values = refiner_update(self.game, batch, key, alone=alone, learns_dropout=learns_dropout)
        else:
            penalized = self.game.objective.penalizes(self.schedule.iteration(step))
            loss, values = discriminator_update(self.game, batch, key, self.history, penalized=penalized)
        if not torch.isfinite(loss):
            raise TrainingError(
                f"The loss of update {step} ({phase}) is {loss.item()}, wanted a finite number. Continue from an "
                "earlier checkpoint with lower learning rates, or without mixed precision (trainer.precision)."
            )
        return loss, values

    def validation_step(self, batch: UnpairedBatch, batch_idx: int) -> None:
        """Refine held-out maps, always with the same noise."""
        network, depth = self.trained_refiner, batch["synthetic"]
        noise = noise_of_batch(network, depth, (_PROBE_NOISE, batch_idx))
        draw = network.draw(depth, noise, batch["synthetic_distance_mm"])
        parts = depth, self.game.as_written(draw.refined, batch), batch["real"], draw.noise_free
        maps = (as_decoded(part.float(), self.codec.tau).cpu() for part in parts)
        cubes_mm = (batch["synthetic_cube_mm"].cpu(), batch["real_cube_mm"].cpu())
        self._probe_parts.append((*maps, *cubes_mm))

    def on_validation_epoch_end(self) -> None:
        """Measure the held-out maps."""
        synthetic, refined, real, noise_free, cube_mm, real_cube_mm = map(
            torch.cat, zip(*self._probe_parts, strict=True)
        )
        self._probe_parts.clear()
        self.probe = synthetic, refined, real, cube_mm
        self.probe_numbers = numbers = probe_numbers(synthetic, refined, real, cube_mm, self.codec.tau, noise_free)
        self.health = measure(
            *(
                self.codec.decode(maps[:, 0].numpy(), np.full(len(maps), _AWAY_MM), sides_mm.numpy())
                for maps, sides_mm in ((synthetic, cube_mm), (refined, cube_mm), (real, real_cube_mm))
            )
        )
        values = {
            "val/shift_mm": numbers.shift_mm,
            "val/two_sample_accuracy": numbers.two_sample_accuracy,
            "val/hole_rate_gap": numbers.hole_rate_gap,
            "val/score": numbers.score,
        }
        for name, beside in self.health.items():
            values |= {f"val/{name}": beside.refined, f"val/{name}_camera": beside.camera}
        self._log(values, self.global_step)
        self.log_dict(values, logger=False)  # for callbacks that monitor them

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Add what resuming and refining need beside the weights."""
        checkpoint |= self.description()
        checkpoint["history"] = histories_of_ranks(self.history)
        checkpoint["data"] = getattr(getattr(self.trainer, "datamodule", None), "provenance", {})
        checkpoint["latest"] = {name: float(value) for name, value in self._latest.items()}

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Continue the history and the logged values."""
        self.history.load_state_dict(history_of_rank(checkpoint, self.global_rank))
        self._latest = dict(checkpoint["latest"])

    def _key(self, step: int) -> tuple[int, ...]:
        return self.seed, step, self.global_rank

    def _learning_rate_factor(self, step: int) -> float:
        after, factor = self.learning_rate_drop
        return factor if after is not None and step >= after else 1.0

    def _log(self, values: dict[str, Any], step: int) -> None:
        for logger in self.loggers:
            logger.log_metrics({name: float(value) for name, value in values.items()}, step)
