"""The two updates of SimGAN (Shrivastava et al. 2017, Algorithm 1) in plain torch.

With x renders, y camera maps, R the refiner, D the discriminator, l its loss (`losses.adversarial_loss`) and z noise,

    R descends on   l(D(R(x, z)), real) + lambda |psi(R(x)) - psi(x)|_1 + what else the objective weighs
    D descends on   l(D(R(x, z) or earlier refined maps), refined) + l(D(y), real) + a penalty of its slopes at y

Each function returns what is descended on and named values to log. Optimisers, schedule, logs and files are
`module.SimGAN`'s.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from refiner.nets.discriminator import PatchDiscriminator
from refiner.nets.refiner.base import Draw, Noise, Refiner, draw_noise
from refiner.nets.refiner.sampling import round_depth
from refiner.simgan.augmentation import Augmentation
from refiner.simgan.history import RefinedHistory
from refiner.simgan.losses import dropout_loss, gradient_penalty
from refiner.simgan.objective import Objective
from refiner.simgan.readings import MeanReadings
from refiner.types import UnpairedBatch

Key = tuple[int, ...]
"""Seed of what is random in one update."""

Update = tuple[Tensor, dict[str, Tensor]]
"""What is descended on, and values to log."""

# Uses of one seed that must not share random numbers.
_TRAINING_NOISE, _AUGMENT_REAL, _AUGMENT_REFINED = 0x6E7472, 0x617272, 0x617266


@dataclass(frozen=True)
class Game:
    """Who plays, for what.

    Attributes:
        refiner: R.
        discriminator: D.
        objective: What the two descend on.
        augmentation: Random changes of every map that D judges.
        readings: Of refined and of camera maps, for the price of a loss.
        unit_mm: Depth unit in which refined maps are judged, as they will be written; none judges them as they are.
        paired: Whether y shows the hands of x, one by one.
    """

    refiner: Refiner
    discriminator: PatchDiscriminator
    objective: Objective
    augmentation: Augmentation
    readings: MeanReadings
    unit_mm: float | None = None
    paired: bool = False

    def as_written(self, refined: Tensor, batch: UnpairedBatch) -> Tensor:
        """Return refined maps as a file will hold them."""
        if self.unit_mm is None:
            return refined
        return round_depth(refined, batch["synthetic_distance_mm"], batch["synthetic_cube_mm"], self.unit_mm)


def refiner_update(
    game: Game, batch: UnpairedBatch, key: Key, *, alone: bool = False, learns_dropout: bool = True
) -> Update:
    """Update R.

    Args:
        game: Who plays.
        batch: x and y.
        key: Seed.
        alone: Without D, by self-regularisation.
        learns_dropout: Whether R learns which readings to lose.
    """
    x, distance_mm = batch["synthetic"], batch["synthetic_distance_mm"]
    draw = game.refiner.draw(x, _noise(game.refiner, x, key), distance_mm)
    logits = pairs = None
    if not alone:
        written = game.as_written(draw.refined, batch)
        logits = game.discriminator(game.augmentation(written, (_AUGMENT_REFINED, *key)), distance_mm)
        pairs = batch["real"] if game.paired else None
    terms = game.objective.refiner_terms(draw.noise_free, x, logits, pairs)
    # What is bounded has no gradient any more: the excess holds it back where it still has one.
    loss = torch.stack([weight * value for _, weight, value in terms]).sum() + draw.excess
    if logits is not None and learns_dropout and draw.opposite is not None:
        loss = loss + _dropout(game, draw, draw.opposite, batch, logits, key)
    values = {f"train/refiner/{name}": value for name, _, value in terms}
    return loss, values | {"train/refiner/total": loss}


def _dropout(
    game: Game, draw: Draw, opposite: Tensor, batch: UnpairedBatch, logits: Tensor, key: Key
) -> Tensor | float:
    """Return what teaches R its hard choices: a pair of draws is judged, and pixels charged with the difference."""
    key = _AUGMENT_REFINED, *key
    with torch.no_grad():
        judged = game.augmentation(game.as_written(opposite, batch), key)
        opposite_logits = game.discriminator(judged, batch["synthetic_distance_mm"])
        readings = game.readings.take_in(torch.cat([draw.refined, opposite]), batch["real"])
        price = game.objective.price_of_loss(*readings)
        costs, opposite_costs = (
            game.objective.pixel_costs(
                refined, batch["synthetic"], its_logits, game.discriminator.patch_px,
                lambda values: game.augmentation.turn_back(values, key), price,
            )
            for refined, its_logits in ((draw.refined, logits), (opposite, opposite_logits))
        )  # fmt: skip
    return sum(dropout_loss(costs, opposite_costs, choice.logit, choice.score) for choice in draw.choices)


def discriminator_update(
    game: Game, batch: UnpairedBatch, key: Key, history: RefinedHistory | None, *, penalized: bool = False
) -> Update:
    """Update D; no gradient reaches R.

    Args:
        game: Who plays.
        batch: x and y.
        key: Seed.
        history: Earlier refined maps, which half of those that D sees are drawn from; takes in half of the new ones.
        penalized: Whether its slopes are part of this update.
    """
    x, distance_mm = batch["synthetic"], batch["synthetic_distance_mm"]
    with torch.no_grad():
        refined = game.as_written(game.refiner(x, _noise(game.refiner, x, key), distance_mm), batch)
    if history is not None:
        refined, distance_mm = history.exchange(refined, distance_mm)
    real = game.augmentation(batch["real"], (_AUGMENT_REAL, *key))
    refined = game.augmentation(refined, (_AUGMENT_REFINED, *key))
    values = game.objective.discriminator_terms(
        game.discriminator(real, batch["real_distance_mm"]), game.discriminator(refined, distance_mm)
    )
    loss = values["train/discriminator/real"] + values["train/discriminator/refined"]
    if penalized:
        planes = game.discriminator.planes(real).requires_grad_()
        penalty = gradient_penalty(game.discriminator.judge_planes(planes, batch["real_distance_mm"]), planes)
        loss = loss + game.objective.penalty_weight * game.objective.penalty_every * penalty
    return loss, values


def noise_of_batch(refiner: Refiner, depth: Tensor, key: Key) -> Noise:
    """Draw the noise that a refiner takes for a batch of maps."""
    drawn = draw_noise(refiner.noise_shapes(*depth.shape[-2:]), [np.random.default_rng(key)] * len(depth))
    return {name: values.to(depth, non_blocking=True) for name, values in drawn.items()}


def _noise(refiner: Refiner, depth: Tensor, key: Key) -> Noise:
    return noise_of_batch(refiner, depth, (_TRAINING_NOISE, *key))
