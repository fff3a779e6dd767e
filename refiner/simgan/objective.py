"""What the two networks descend on, and the numbers that are logged about it.

The losses themselves are in `losses`; here they are put together with their weights. Nothing here knows networks,
batches or optimisers: maps and logits go in, named numbers come out.
"""

from dataclasses import dataclass

from torch import Tensor

from refiner.simgan.losses import (
    Adversarial,
    Psi,
    Reduction,
    adversarial_loss,
    discriminator_accuracy,
    self_regularization_loss,
)


@dataclass(frozen=True)
class Objective:
    """The two losses of the paper, and a penalty that steadies the discriminator.

    Attributes:
        adversarial: The adversarial loss (see `losses`).
        psi: What self-regularisation compares.
        reduction: Of all losses; the next weight means different things in each (see `losses`).
        self_regularization_weight: The paper's lambda.
        missing_weight: Of the change in self-regularisation where a reading came or went; 1 is the paper's.
        penalty_weight: Of the discriminator's gradient penalty at real maps; 0 is none, as in the paper.
        penalty_every: The penalty is applied to one iteration in so many, and so many times over: it costs as much as
            an update.
    """

    adversarial: Adversarial = "cross_entropy"
    psi: Psi = "identity"
    reduction: Reduction = "sum"
    self_regularization_weight: float = 0.001
    missing_weight: float = 1.0
    penalty_weight: float = 0.0
    penalty_every: int = 8

    def refiner_terms(self, refined: Tensor, synthetic: Tensor, logits: Tensor | None) -> dict[str, Tensor]:
        """Give the parts of L_R and their total.

        Args:
            refined: (N, 1, H, W).
            synthetic: (N, 1, H, W).
            logits: The discriminator's for `refined`; without them the adversarial part is left out.
        """
        change = self_regularization_loss(
            refined, synthetic, psi=self.psi, reduction=self.reduction, missing_weight=self.missing_weight
        )
        total = self.self_regularization_weight * change
        terms = {"train/refiner/self_regularization": change}
        if logits is not None:
            terms["train/refiner/adversarial"] = adversarial = adversarial_loss(
                logits, target_refined=False, kind=self.adversarial, reduction=self.reduction
            )
            total = total + adversarial
        return terms | {"train/refiner/total": total}

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
