"""What Lightning costs: updates a second of `refiner train` beside a bare PyTorch loop.

    python -m experiments.bench.training [--updates 60] [--rounds 5] [--size 64] [--out FILE.json]

Same recipe, networks, batches, losses, history and running average in both; the two take turns. Validations and
checkpoints are outside both (they come at intervals that the recipe sets).
"""

import argparse
import os
import tempfile
import time
from pathlib import Path
from typing import Any

import torch

from experiments.bench.networks import RECIPES
from experiments.bench.reading import write_store
from experiments.bench.timing import ratios, report, row
from refiner.cli.train import build
from refiner.cli.training import keep_freed_memory, without_expected_noise
from refiner.frameworks import lightning as L

WARM_UP = 5


class Clock(L.Callback):
    """Times the updates of a fit after the first few."""

    def on_train_batch_start(self, trainer: L.Trainer, *_: Any) -> None:
        """Start after the warm-up."""
        if trainer.global_step == WARM_UP:
            self.start = time.perf_counter()

    def on_train_batch_end(self, *_: Any) -> None:
        """Note the time."""
        self.end = time.perf_counter()


def bare_loop(model: Any, data: Any, updates: int) -> float:
    """Train without Lightning; give the seconds of all updates but the first few."""
    optimizers = model.configure_optimizers()
    networks = model.refiner, model.discriminator
    model.train()
    start = 0.0
    for step, batch in zip(range(updates), data.training_batches(), strict=False):
        if step == WARM_UP:
            start = time.perf_counter()
        turn = 0 if model.schedule.phase(step) in ("refiner_warmup", "refiner") else 1
        networks[1 - turn].requires_grad_(False)
        networks[turn].requires_grad_(True)
        loss, _ = model.update_loss(batch, step)
        optimizers[turn].zero_grad()
        loss.backward()
        optimizers[turn].step()
        if turn == 0 and model.refiner_average is not None:
            model.refiner_average.update_parameters(model.refiner)
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--updates", type=int, default=60)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    keep_freed_memory()
    bare, fitted = [], []
    with tempfile.TemporaryDirectory() as folder, without_expected_noise():
        started_in = Path.cwd()
        os.chdir(folder)
        os.environ["DEPTH_REFINER_CACHE"] = f"{folder}/cache"
        for name, unit_mm in (("a", 0.1), ("b", 1.0)):
            write_store(Path(f"{name}.zarr"), 512, options.size, unit_mm)
        words = ["--config", str(RECIPES / "fast.yaml"), "--data.synthetic", "a.zarr", "--data.real", "b.zarr"]
        words += ["--trainer.limit_val_batches", "0", "--trainer.max_steps", str(options.updates)]
        words += ["--trainer.accelerator", "cpu", "--checkpoints.every_n_updates", "1000000"]
        for round_ in range(options.rounds + 1):
            cli = build(words)
            seconds = bare_loop(cli.model, cli.datamodule, options.updates)
            cli, clock = build(words), Clock()
            cli.trainer.callbacks.append(clock)  # pyright: ignore[reportAttributeAccessIssue]
            cli.trainer.fit(cli.model, datamodule=cli.datamodule)
            if round_ > 0:  # the first is to warm up
                bare.append(seconds)
                fitted.append(clock.end - clock.start)
        os.chdir(started_in)
    timed = options.updates - WARM_UP
    rows = [
        row(name, [timed / second for second in seconds], "updates/s")
        for name, seconds in (("bare loop", bare), ("refiner train", fitted))
    ]
    rows.append(row("refiner train over bare loop", ratios(bare, fitted), "x", ">= 0.95 x"))
    report(rows, options.out)


if __name__ == "__main__":
    main()
