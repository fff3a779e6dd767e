"""Which network is updated when: a pure function of the number of updates done.

Algorithm 1 of the paper, unrolled: one training step is one optimiser update, so that `max_steps`, checkpoint
intervals, weight averaging and the TensorBoard axis all count the same thing, and a run resumes at any update.
"""

from dataclasses import dataclass
from typing import Literal

Phase = Literal["refiner_warmup", "discriminator_warmup", "refiner", "discriminator"]


@dataclass(frozen=True)
class UpdateSchedule:
    """The phases of a run: R alone, D alone, then K_g updates of R and K_d of D in turn.

    Attributes:
        refiner_warmup: First updates, of R by self-regularisation alone.
        discriminator_warmup: Updates of D alone that follow.
        k_g: Updates of R in each iteration (the paper's K_g).
        k_d: Updates of D in each iteration (the paper's K_d).
        dropout_warmup: First updates in which R does not learn yet which readings to lose. Before the noise of its
            depths is right every patch that shows a hand is told from a real one, and losing the hand would help.
    """

    refiner_warmup: int = 0
    discriminator_warmup: int = 100
    k_g: int = 1
    k_d: int = 1
    dropout_warmup: int = 600

    def __post_init__(self) -> None:
        """Refuse a schedule that never trains both networks."""
        warmups = self.refiner_warmup, self.discriminator_warmup, self.dropout_warmup
        if min(warmups) < 0 or min(self.k_g, self.k_d) < 1:
            raise ValueError(f"No schedule: {self}; wanted warm-ups >= 0 and k_g, k_d >= 1.")

    def phase(self, step: int) -> Phase:
        """Say what update number `step` (from 0) does."""
        if step < self.refiner_warmup:
            return "refiner_warmup"
        step -= self.refiner_warmup
        if step < self.discriminator_warmup:
            return "discriminator_warmup"
        return "refiner" if (step - self.discriminator_warmup) % (self.k_g + self.k_d) < self.k_g else "discriminator"

    def updates_refiner(self, step: int) -> bool:
        """Say whether update number `step` is one of R."""
        return self.phase(step) in ("refiner_warmup", "refiner")

    def learns_dropout(self, step: int) -> bool:
        """Say whether R learns at update number `step` which readings to lose."""
        return step >= self.dropout_warmup

    def iteration(self, step: int) -> int:
        """Give the number of the K_g + K_d updates that `step` belongs to, counted from the very first update."""
        return step // (self.k_g + self.k_d)
