import time
from types import SimpleNamespace

import pytest

from experiments.clock import CLOCK, Clock, clock_of
from refiner.checkpoints import read_checkpoint
from refiner.cli.train import main as train
from refiner.render.generate import generate
from refiner.render.settings import RenderSettings

pytestmark = pytest.mark.filterwarnings("ignore:.*isinstance.treespec, LeafSpec")


def validate(clock, step, sanity=False):
    trainer = SimpleNamespace(global_step=step, should_stop=False, sanity_checking=sanity)
    clock.on_validation_end(trainer, SimpleNamespace(probe_numbers=SimpleNamespace(shift_mm=1.5)))
    return trainer.should_stop


def work(clock, seconds):
    clock.on_train_batch_start()
    end = time.process_time() + seconds
    while time.process_time() < end:
        pass
    clock.on_train_batch_end()


def test_a_run_ends_at_the_first_validation_after_its_time():
    clock = Clock(0.02)
    assert not validate(clock, 0, sanity=True)
    work(clock, 0.015)
    assert not validate(clock, 5)
    work(clock, 0.015)
    assert clock.spent_s >= 0.03
    assert validate(clock, 10)
    assert [row["updates"] for row in clock.rows] == [0, 5, 10]
    assert clock.rows[1]["shift_mm"] == 1.5


def test_a_run_that_goes_on_counts_on_and_looks_at_nothing_twice():
    first = Clock(0.02)
    validate(first, 0, sanity=True)
    work(first, 0.015)
    second = Clock(0.02)
    second.load_state_dict(first.state_dict())
    assert not validate(second, 5, sanity=True)
    assert len(second.rows) == 1
    work(second, 0.01)
    assert validate(second, 10)


def test_without_a_time_a_run_goes_on():
    clock = Clock()
    work(clock, 0.01)
    assert not validate(clock, 5)


def test_a_checkpoint_knows_what_was_counted():
    for name, seed in (("a", 0), ("b", 1)):
        generate(name + ".zarr", RenderSettings(size=32), count=16, seed=seed, provenance={})
    words = ["--config", "simgan/fast.yaml", "--data.synthetic", "a.zarr", "--data.real", "b.zarr", "--name", "n"]
    train([*words, "--trainer.max_steps", "2", f"--trainer.callbacks+={CLOCK}"])
    counted = clock_of(read_checkpoint("runs/n/version_0/checkpoints/last.ckpt"))
    assert counted["spent_s"] > 0
    assert counted["rows"][0]["updates"] == 0
