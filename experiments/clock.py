"""The processor time that a training takes, and its end when that is used up."""

import math
import time
from typing import Any

from refiner.frameworks import lightning as L

CLOCK = "experiments.clock.Clock"
"""What `--trainer.callbacks+=` of `refiner train` is given."""


class Clock(L.Callback):
    """Takes the processor time of updates, and ends a run at the first validation after its time.

    What it has counted is part of every checkpoint, so that a run that was interrupted goes on counting.

    Attributes:
        spent_s: Processor time of all updates so far.
        rows: What each validation measured, with the processor time in s and the updates before it.
    """

    def __init__(self, seconds: float = math.inf) -> None:
        """Choose the time.

        Args:
            seconds: Processor time of the updates; without it a run goes on to its last update.
        """
        self.seconds, self.spent_s, self._began_s = seconds, 0.0, 0.0
        self.rows: list[dict[str, float]] = []

    def state_dict(self) -> dict[str, Any]:
        """Return what was counted and measured so far."""
        return {"spent_s": self.spent_s, "rows": self.rows}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on counting from there."""
        self.spent_s, self.rows = float(state_dict["spent_s"]), list(state_dict["rows"])

    def on_train_batch_start(self, *_: Any) -> None:
        """Begin to count."""
        self._began_s = time.process_time()

    def on_train_batch_end(self, *_: Any) -> None:
        """Count an update."""
        self.spent_s += time.process_time() - self._began_s

    def on_validation_end(self, trainer: L.Trainer, pl_module: Any) -> None:
        """Keep what was measured, and end the run when its time is over."""
        if trainer.sanity_checking and self.rows:
            return  # a run that goes on looks once more at what it has measured
        row = {"processor_s": round(self.spent_s, 1), "updates": trainer.global_step, **vars(pl_module.probe_numbers)}
        self.rows.append(row)
        print(row, flush=True)
        trainer.should_stop = self.spent_s >= self.seconds


def clock_of(checkpoint: dict[str, Any]) -> dict[str, Any]:
    """Return what the clock of a run had counted when a checkpoint of it was written, see `Clock.state_dict`."""
    return checkpoint["callbacks"][Clock.__qualname__]


def has_spent(checkpoint: dict[str, Any], seconds: float) -> bool:
    """Return whether a run had had its processor time when a checkpoint of it was written."""
    return clock_of(checkpoint)["spent_s"] >= seconds
