"""SimGAN training: one `training_step` is one optimiser update, of the network whose turn it is.

Logged at the number of updates done: `train/...` from the last update of each network (before its first, from what the
untrained network says about the first batch), `val/...` after every validation and once before the first update.
"""

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim import SGD, Optimizer

from refiner.errors import TrainingError
from refiner.frameworks import lightning as L
from refiner.geometry.depth import DepthCodec
from refiner.nets.camera_noise import CameraNoise
from refiner.nets.discriminator import PatchDiscriminator
from refiner.nets.refiner import Draw
from refiner.nets.sampling import round_depth
from refiner.simgan.augmentation import Augmentation
from refiner.simgan.average import running_average
from refiner.simgan.checkpoint import describe_run, history_of_rank
from refiner.simgan.history import RefinedHistory
from refiner.simgan.losses import choice_loss, gradient_penalty
from refiner.simgan.objective import Objective
from refiner.simgan.probe import ProbeNumbers, as_decoded, probe_numbers
from refiner.simgan.schedule import UpdateSchedule
from refiner.simgan.spectrum import NoiseSpectrum
from refiner.types import UnpairedBatch

OptimizerFactory = Callable[[Iterable[nn.Parameter]], Optimizer]

# Uses of one seed that must not share random numbers.
_TRAINING_NOISE, _PROBE_NOISE, _AUGMENT_REAL, _AUGMENT_REFINED = 0x6E7472, 0x6E7072, 0x617272, 0x617266


def _draw(network: nn.Module, depth: Tensor, noise: Tensor | None, distance_mm: Tensor) -> Draw | None:
    """Refine maps by a draw; none of a refiner that does not choose which readings there are."""
    return network.draw(depth, noise, distance_mm) if getattr(network, "chooses", False) else None  # pyright: ignore[reportCallIssue]


class SimGAN(L.LightningModule):
    """A refiner and a discriminator that train each other.

    Attributes:
        probe: (synthetic, refined, real) of the last validation, each (N, 1, H, W) as decoded, and the sides of the
            synthetic maps' cubes in mm, (N,).
        probe_numbers: What the last validation measured.
    """

    def __init__(
        self,
        refiner: nn.Module,
        discriminator: PatchDiscriminator,
        codec: DepthCodec,
        distance_mm: float | None = None,
        optimizer_refiner: OptimizerFactory = lambda parameters: SGD(parameters, lr=2e-4),
        optimizer_discriminator: OptimizerFactory = lambda parameters: SGD(parameters, lr=2e-4),
        schedule: UpdateSchedule = UpdateSchedule(),  # noqa: B008 - frozen
        objective: Objective = Objective(),  # noqa: B008 - frozen
        augmentation: Augmentation = Augmentation(),  # noqa: B008 - frozen
        history_maps: int = 400,
        average_decay: float = 0.0,
        learning_rate_drop_after: int | None = 600_000,
        learning_rate_drop_factor: float = 0.25,
        gradient_norm: float = 0.0,
        rounds: bool = False,
        paired: bool = False,
        seed: int = 0,
    ) -> None:
        """Put the parts together.

        Args:
            refiner: A network of `refiner.nets.refiner`.
            discriminator: With as many classes as the loss wants.
            codec: What the networks' values mean; from the data.
            distance_mm: Median distance of the renders, for refiners that know how light falls; from the data.
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
            rounds: Whether D judges refined maps in the camera's depth unit, as they will be written; from the data,
                where camera maps keep theirs.
            paired: Whether the camera's maps of a batch show the rendered hands, one by one; from the data.
            seed: Seed of the noise input and of the history.
        """
        super().__init__()
        self.automatic_optimization = False
        self.refiner, self.discriminator, self.codec = refiner, discriminator, codec
        self.schedule, self.objective, self.augmentation = schedule, objective, augmentation
        self.learning_rate_drop = learning_rate_drop_after, learning_rate_drop_factor
        self.gradient_norm, self.rounds, self.paired, self.seed = gradient_norm, rounds, paired, seed
        if objective.paired_weight > 0 and not paired:
            found = f"Found paired_weight {objective.paired_weight} without pairs"
            raise ValueError(f"{found}, wanted data.paired: true, or a weight of 0.")
        if distance_mm is not None and hasattr(refiner, "reference_mm"):
            refiner.reference_mm.fill_(distance_mm)  # pyright: ignore[reportCallIssue, reportAttributeAccessIssue]
        camera, self.spectrum = getattr(refiner, "camera", None), None
        if camera is not None or objective.spectrum_weight > 0:
            if codec.cube_mm is None:
                raise ValueError("Found cubes of several sizes, wanted one: noise is made, or compared, in mm.")
            if isinstance(camera, CameraNoise):
                camera.half_cube_mm.fill_(codec.cube_mm / 2)
                if distance_mm is not None:
                    camera.check(codec.size, distance_mm)
            if objective.spectrum_weight > 0:
                self.spectrum = NoiseSpectrum(codec.cube_mm / 2)
        self._optimizer_factories = optimizer_refiner, optimizer_discriminator
        self.history = RefinedHistory(history_maps, seed)
        self.refiner_average = running_average(refiner, average_decay) if average_decay > 0 else None
        self._latest: dict[str, Any] = {}
        self._probe_parts: list[tuple[Tensor, Tensor, Tensor, Tensor, Tensor]] = []
        self.probe: tuple[Tensor, Tensor, Tensor, Tensor] | None = None
        self.probe_numbers: ProbeNumbers | None = None

    @property
    def trained_refiner(self) -> nn.Module:
        """Give the refiner to use: the average where there is one."""
        return self.refiner if self.refiner_average is None else self.refiner_average.module

    @property
    def score(self) -> float | None:
        """Give what checkpoints are ranked by (see `ProbeNumbers`), none before the first validation."""
        return None if self.probe_numbers is None else self.probe_numbers.score

    def configure_optimizers(self) -> tuple[Optimizer, Optimizer]:
        """Give R's optimiser, then D's."""
        for_refiner, for_discriminator = self._optimizer_factories
        return for_refiner(self.refiner.parameters()), for_discriminator(self.discriminator.parameters())

    def training_step(self, batch: UnpairedBatch, batch_idx: int) -> None:  # noqa: ARG002
        """Do one update."""
        step, first = self.global_step, not self._latest
        if first:
            with torch.no_grad():
                self._latest = self.refiner_losses(batch, step) | self.discriminator_losses(batch, step, None)
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

    def update_loss(self, batch: UnpairedBatch, step: int) -> tuple[Tensor, dict[str, Tensor]]:
        """Give what update number `step` descends on, and the values to log.

        Raises:
            TrainingError: It is not finite.
        """
        phase = self.schedule.phase(step)
        if self.schedule.updates_refiner(step):
            values = self.refiner_losses(batch, step, alone=phase == "refiner_warmup")
            loss = values["train/refiner/total"]
        else:
            values = self.discriminator_losses(batch, step, self.history)
            loss = values["train/discriminator/real"] + values["train/discriminator/refined"]
            if self.objective.penalizes(self.schedule.iteration(step)):
                real = self._judged(batch["real"], _AUGMENT_REAL, step)
                planes = self.discriminator.planes(real).requires_grad_()
                logits = self.discriminator.judge_planes(planes, batch["real_distance_mm"])
                penalty = gradient_penalty(logits, planes)
                loss = loss + self.objective.penalty_weight * self.objective.penalty_every * penalty
        if not torch.isfinite(loss):
            raise TrainingError(
                f"The loss of update {step} ({phase}) is {loss.item()}, wanted a finite number. Continue from an "
                "earlier checkpoint with lower learning rates, or without mixed precision (trainer.precision)."
            )
        return loss, values

    def refiner_losses(self, batch: UnpairedBatch, step: int, *, alone: bool = False) -> dict[str, Tensor]:
        """Give the parts of L_R; `alone` leaves out the adversarial one."""
        depth, distance_mm = batch["synthetic"], batch["synthetic_distance_mm"]
        noise = self._noise(self.refiner, depth, (_TRAINING_NOISE, self.seed, step, self.global_rank))
        draw = _draw(self.refiner, depth, noise, distance_mm)
        refined = self.refiner(depth, noise, distance_mm) if draw is None else draw.refined
        if alone:
            return self.objective.refiner_terms(refined, depth, None)
        written = self._as_written(refined, batch)
        logits = self.discriminator(self._judged(written, _AUGMENT_REFINED, step), distance_mm)
        spectrum = None if self.spectrum is None else self.spectrum(written, batch["real"])
        steady, pairs = None if draw is None else draw.steady, batch["real"] if self.paired else None
        values = self.objective.refiner_terms(refined, depth, logits, steady, pairs, spectrum)
        if draw is not None and self.schedule.learns_choice(step):
            values["train/refiner/total"] = values["train/refiner/total"] + self._choice_loss(draw, batch, logits, step)
        return values

    def _choice_loss(self, draw: Draw, batch: UnpairedBatch, logits: Tensor, step: int) -> Tensor:
        def costs(refined: Tensor, logits: Tensor) -> Tensor:
            return self.objective.pixel_costs(
                refined,
                batch["synthetic"],
                logits,
                self.discriminator.patch_px,
                lambda values: self.augmentation.turn_back(values, self._augmentation_key(_AUGMENT_REFINED, step)),
            )

        with torch.no_grad():
            opposite = self._judged(self._as_written(draw.opposite, batch), _AUGMENT_REFINED, step)
            opposite_logits = self.discriminator(opposite, batch["synthetic_distance_mm"])
            pair = costs(draw.refined, logits), costs(draw.opposite, opposite_logits)
        # What is bounded has no gradient any more: the second term holds it back where it still has one.
        return choice_loss(*pair, draw.choice, draw.noise) + draw.excess.square().mean()

    def discriminator_losses(
        self, batch: UnpairedBatch, step: int, history: RefinedHistory | None
    ) -> dict[str, Tensor]:
        """Give the parts of L_D; no gradient reaches R."""
        with torch.no_grad():
            key = _TRAINING_NOISE, self.seed, step, self.global_rank
            refined, distance_mm = self._refine(self.refiner, batch, key), batch["synthetic_distance_mm"]
            refined = self._as_written(refined, batch)
        if history is not None:
            refined, distance_mm = history.exchange(refined, distance_mm)
        return self.objective.discriminator_terms(
            self.discriminator(self._judged(batch["real"], _AUGMENT_REAL, step), batch["real_distance_mm"]),
            self.discriminator(self._judged(refined, _AUGMENT_REFINED, step), distance_mm),
        )

    def validation_step(self, batch: UnpairedBatch, batch_idx: int) -> None:
        """Refine held-out maps, always with the same noise."""
        network, depth, distance_mm = self.trained_refiner, batch["synthetic"], batch["synthetic_distance_mm"]
        noise = self._noise(network, depth, (_PROBE_NOISE, batch_idx))
        draw = _draw(network, depth, noise, distance_mm)
        refined, steady = 2 * [network(depth, noise, distance_mm)] if draw is None else (draw.refined, draw.steady)
        parts = depth, self._as_written(refined, batch), batch["real"], steady
        maps = (as_decoded(part.float(), self.codec.tau).cpu() for part in parts)
        self._probe_parts.append((*maps, batch["synthetic_cube_mm"].cpu()))  # pyright: ignore[reportArgumentType]

    def on_validation_epoch_end(self) -> None:
        """Measure the held-out maps."""
        synthetic, refined, real, steady, cube_mm = (torch.cat(parts) for parts in zip(*self._probe_parts, strict=True))
        self._probe_parts.clear()
        self.probe = synthetic, refined, real, cube_mm
        self.probe_numbers = numbers = probe_numbers(synthetic, refined, real, cube_mm, self.codec.tau, steady)
        values = {
            "val/shift_mm": numbers.shift_mm,
            "val/two_sample_accuracy": numbers.two_sample_accuracy,
            "val/hole_rate_gap": numbers.hole_rate_gap,
            "val/score": numbers.score,
        }
        self._log(values, self.global_step)
        self.log_dict(values, logger=False)  # for callbacks that monitor them

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Add what resuming and refining need beside the weights."""
        checkpoint |= describe_run(self)
        checkpoint["latest"] = {name: float(value) for name, value in self._latest.items()}

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Continue the history and the logged values."""
        self.history.load_state_dict(history_of_rank(checkpoint, self.global_rank))
        self._latest = dict(checkpoint["latest"])

    def _refine(self, network: nn.Module, batch: UnpairedBatch, key: tuple[int, ...]) -> Tensor:
        depth = batch["synthetic"]
        return network(depth, self._noise(network, depth, key), batch["synthetic_distance_mm"])

    def _noise(self, network: nn.Module, depth: Tensor, key: tuple[int, ...]) -> Tensor | None:
        shape: tuple[int, ...] = network.noise_shape(len(depth), *depth.shape[-2:])  # pyright: ignore[reportCallIssue]
        if shape[1] == 0:
            return None
        noise = np.random.default_rng(key).standard_normal(shape, dtype=np.float32)
        return torch.from_numpy(noise).to(depth, non_blocking=True)

    def _augmentation_key(self, use: int, step: int) -> tuple[int, ...]:
        return use, self.seed, step, self.global_rank

    def _as_written(self, refined: Tensor, batch: UnpairedBatch) -> Tensor:
        if not self.rounds:
            return refined
        return round_depth(refined, batch["synthetic_distance_mm"], batch["synthetic_cube_mm"], self.codec.unit_mm)

    def _judged(self, depth: Tensor, use: int, step: int) -> Tensor:
        return self.augmentation(depth, self._augmentation_key(use, step))

    def _learning_rate_factor(self, step: int) -> float:
        after, factor = self.learning_rate_drop
        return factor if after is not None and step >= after else 1.0

    def _log(self, values: dict[str, Any], step: int) -> None:
        for logger in self.loggers:
            logger.log_metrics({name: float(value) for name, value in values.items()}, step)
