"""What the two networks descend on, and the numbers that are logged about it.

The losses themselves are in `losses`; here they are put together with their weights. Nothing here knows networks,
batches or optimisers: maps and logits go in, named numbers come out.
"""

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from refiner.nets.blocks import is_reading
from refiner.simgan.losses import (
    Adversarial,
    Psi,
    Reduction,
    adversarial_loss,
    discriminator_accuracy,
    offset_loss,
    paired_loss,
    pixel_costs,
    self_regularization_loss,
)

_ENOUGH = 0.9
"""Share of the camera's readings that cost nothing: hands differ in size, and batches by chance."""


@dataclass(frozen=True)
class Objective:
    """The two losses of the paper, and a penalty that steadies the discriminator.

    Attributes:
        adversarial: The adversarial loss (see `losses`).
        psi: What self-regularisation compares.
        reduction: Of all losses; the next weight means different things in each (see `losses`).
        self_regularization_weight: The paper's lambda.
        missing_weight: Of the change in self-regularisation where a reading came or went; 1 is the paper's.
        deficit_weight: Of the price of a lost reading where refined maps have too few of them (see `price_of_loss`): a
            patch without any hand looks real, so that whole hands would go; 0 is none.
        offset_weight: Of the part of a map's change that is common to all its readings (see `offset_loss`), beside
            lambda; 0 is none, as in the paper.
        penalty_weight: Of the discriminator's gradient penalty at real maps; 0 is none, as in the paper.
        penalty_every: The penalty is applied to one iteration in so many, and so many times over: it costs as much as
            an update.
        paired_weight: Of the distance to the camera's map of the same hand (see `paired_loss`); 0 is none, as in the
            paper. Wants pairs.
        paired_most: Where the two differ by more, in half cubes, it does not count.
    """

    adversarial: Adversarial = "least_squares"
    psi: Psi = "identity"
    reduction: Reduction = "mean"
    self_regularization_weight: float = 0.5
    missing_weight: float = 0.004
    offset_weight: float = 4.0
    penalty_weight: float = 0.03
    penalty_every: int = 8
    paired_weight: float = 0.0
    paired_most: float = 0.5
    deficit_weight: float = 10.0

    def refiner_terms(
        self,
        refined: Tensor,
        synthetic: Tensor,
        logits: Tensor | None,
        real: Tensor | None = None,
    ) -> list[tuple[str, float, Tensor]]:
        """Return the terms of L_R: names, weights and values.

        Args:
            refined: (N, 1, H, W), without the noise of its depths. Noise moves no label, and how much there is, is D's
                to say: charged for it, refiners learnt half of a camera's.
            synthetic: (N, 1, H, W).
            logits: The discriminator's for the refined maps; without them the adversarial term is left out.
            real: (N, 1, H, W), the camera's maps of the same hands, where pairs are compared.
        """
        change = self_regularization_loss(
            refined, synthetic, psi=self.psi, reduction=self.reduction, missing_weight=self.missing_weight
        )
        terms = [("self_regularization", self.self_regularization_weight, change)]
        if self.offset_weight > 0:
            terms.append(("offset", self.offset_weight, offset_loss(refined, synthetic)))
        if self.paired_weight > 0 and real is not None:
            paired = paired_loss(refined, real, synthetic, self.paired_most)
            terms.append(("paired", self.paired_weight, paired))
        if logits is not None:
            adversarial = adversarial_loss(
                logits, target_refined=False, kind=self.adversarial, reduction=self.reduction
            )
            terms.append(("adversarial", 1.0, adversarial))
        return terms

    def price_of_loss(self, refined: Tensor, real: Tensor) -> Tensor:
        """Return what a lost reading costs, in costs of a patch; nothing while there are as many as the camera's.

            deficit_weight max(0.9 - refined / real, 0)

        It takes for granted that both show hands of about one size. Where the camera's are larger by more, fewer are
        lost.

        Args:
            refined: (), share of readings in refined maps.
            real: (), in camera maps.
        """
        return self.deficit_weight * (_ENOUGH - refined / real.clamp(min=1e-6)).clamp(min=0)

    def pixel_costs(
        self, refined: Tensor, synthetic: Tensor, logits: Tensor, patch_px: int, turn_back: Callable[[Tensor], Tensor],
        price: Tensor | float = 0.0,
    ) -> Tensor:  # fmt: skip
        """Charge pixels with what they may have had a part in, so that choices can be learnt from (`dropout_loss`).

        Args:
            refined: (N, 1, H, W).
            synthetic: (N, 1, H, W).
            logits: The discriminator's for the augmented `refined`.
            patch_px: Side of its patches.
            turn_back: Undoes the augmentation of where things are.
            price: Of a lost reading, see `price_of_loss`.

        Returns:
            (N, 1, H, W), in shares of the total of `refiner_terms`: the adversarial cost of the patches around a pixel,
            the price where its reading is lost, and self-regularisation where it came or went (with psi the identity,
            whatever the setting). How far a reading was moved is no reason to lose it.
        """
        costs = adversarial_loss(logits, target_refined=False, kind=self.adversarial, reduction="none")
        spread = pixel_costs(turn_back(costs[:, None])[:, 0], patch_px, *refined.shape[-2:])
        change = (refined.float() - synthetic.float()).abs()
        spread = spread + price * (is_reading(synthetic) & ~is_reading(refined))
        own = self.self_regularization_weight * self.missing_weight * change
        own = own * (is_reading(refined) != is_reading(synthetic))
        if self.reduction == "mean":
            spread, own = spread / costs.numel(), own / refined.numel()
        return spread + own

    def discriminator_terms(self, logits_real: Tensor, logits_refined: Tensor) -> dict[str, Tensor]:
        """Give the parts of L_D, and the shares of patches that were judged rightly."""
        terms: dict[str, Tensor] = {}
        for name, logits in (("real", logits_real), ("refined", logits_refined)):
            refined = name == "refined"
            terms[f"train/discriminator/{name}"] = adversarial_loss(
                logits, target_refined=refined, kind=self.adversarial, reduction=self.reduction
            )
            terms[f"train/discriminator/accuracy_{name}"] = discriminator_accuracy(
                logits, target_refined=refined, kind=self.adversarial
            )
        return terms

    def penalizes(self, iteration: int) -> bool:
        """Say whether the gradient penalty is part of this iteration."""
        return self.penalty_weight > 0 and iteration % self.penalty_every == 0
