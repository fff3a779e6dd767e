"""Whole runs of the module in a trainer: what each update changes, logs and keeps."""

import math
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from small_simgan import fit, simgan, trainer
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch.optim import SGD

from refiner.errors import TrainingError
from refiner.frameworks import lightning as L
from refiner.nets.refiner import PaperRefiner
from refiner.simgan.callbacks import SampleSheets
from refiner.simgan.health import STATISTICS
from refiner.simgan.probe import ProbeNumbers
from refiner.simgan.schedule import UpdateSchedule

pytestmark = [
    # Lightning reads torch's tree types in a way that torch 2.13 deprecates.
    pytest.mark.filterwarnings("ignore:.*isinstance.treespec, LeafSpec"),
    pytest.mark.filterwarnings("ignore:.*does not have many workers"),
    pytest.mark.filterwarnings("ignore:.*your dataloader is not resumable"),
]

TAGS = {
    "train/refiner/adversarial",
    "train/refiner/self_regularization",
    "train/refiner/total",
    "train/discriminator/real",
    "train/discriminator/refined",
    "train/discriminator/accuracy_real",
    "train/discriminator/accuracy_refined",
    "train/history/fill",
    "val/shift_mm",
    "val/two_sample_accuracy",
    "val/hole_rate_gap",
    "val/score",
    *(f"val/{name}{whose}" for name in STATISTICS for whose in ("", "_camera")),
}


class Recorder(L.Callback):
    """Notes which parameters and states change at each update."""

    def __init__(self):
        self.changes, self.before = [], None

    def on_train_batch_start(self, _, module, *__):
        self.before = self.look(module)

    def on_train_batch_end(self, _, module, *__):
        now = self.look(module)
        self.changes.append("".join(key for key in now if not torch.equal(now[key], self.before[key])))

    @staticmethod
    def look(module):
        def flat(network):
            return torch.cat([w.detach().flatten() for w in network.parameters()])

        average = module.refiner_average
        return {
            "R": flat(module.refiner),
            "D": flat(module.discriminator),
            "A": flat(average) if average is not None else torch.zeros(1),
            "H": torch.tensor(len(module.history)),
        }


def test_each_update_changes_one_network(data):
    recorder = Recorder()
    # Not an identity at the start, or warming up would have nothing to do.
    fit(simgan(PaperRefiner(4, 1, 3), history_maps=100), data, "r", 10, callbacks=[recorder])
    assert recorder.changes == ["RA", "RA", "DH", "DH", "RA", "RA", "DH", "RA", "RA", "DH"]


def test_without_average_the_refiner_itself_is_used(data):
    model = simgan(average_decay=0.0)
    fit(model, data, "r", 6)
    assert model.refiner_average is None
    assert model.trained_refiner is model.refiner


def test_average_follows_the_ramped_formula(data):
    class Weights(L.Callback):
        def __init__(self):
            self.seen = []

        def on_train_batch_end(self, _, module, *__):
            networks = module.refiner, module.refiner_average.module
            self.seen.append([network.backbone.last.bias.detach().clone() for network in networks])

    weights = Weights()
    fit(simgan(schedule=UpdateSchedule(0, 0, 20, 1), average_decay=0.3), data, "r", 8, callbacks=[weights])
    expected = weights.seen[0][0]
    for count, (current, averaged) in enumerate(weights.seen[1:], start=1):
        decay = min(0.3, (1 + count) / (10 + count))
        expected = decay * expected + (1 - decay) * current
        torch.testing.assert_close(averaged, expected)


def test_learning_rates_drop_after_so_many_updates(data):
    class Rates(L.Callback):
        def __init__(self):
            self.seen = []

        def on_train_batch_end(self, _, module, *__):
            self.seen.append([o.param_groups[0]["lr"] for o in module.optimizers()])

    rates = Rates()
    model = simgan(
        learning_rate_drop_after=5, learning_rate_drop_factor=0.25,
        optimizer_refiner=lambda p: SGD(p, lr=0.0002), optimizer_discriminator=lambda p: SGD(p, lr=0.004),
    )  # fmt: skip
    runner = fit(model, data, "r", 12, callbacks=[rates])
    assert [rate[0] for rate in rates.seen] == [0.0002] * 5 + [0.00005] * 7
    assert [rate[1] for rate in rates.seen[6:]] == [0.001] * 6
    resumed = Rates()
    again = simgan(
        learning_rate_drop_after=5, optimizer_refiner=lambda p: SGD(p, lr=0.0002),
        optimizer_discriminator=lambda p: SGD(p, lr=0.004),
    )  # fmt: skip
    fit(again, data, "s", 16, ckpt_path=f"{runner.log_dir}/checkpoints/last.ckpt", callbacks=[resumed])
    assert resumed.seen[-1] == [0.00005, 0.001]


def test_a_loss_that_is_not_finite_stops_the_run(data):
    model = simgan()
    with torch.no_grad():
        model.discriminator.judge.bias.fill_(math.nan)
    with pytest.raises(TrainingError, match=r"loss of update 2 \(discriminator_warmup\) is nan.*lower learning rates"):
        fit(model, data, "r", 10)


def test_a_long_gradient_is_shortened(data):
    """Twelve updates of plain gradient descent with a rate of 1 move the weights by 12 times the limit at most."""
    settings = dict.fromkeys(("optimizer_refiner", "optimizer_discriminator"), lambda weights: SGD(weights, lr=1.0))
    moved = {}
    for limit in (0.0, 1e-3):
        model = simgan(**settings, gradient_norm=limit, average_decay=0.0)
        before = [weights.detach().clone() for weights in model.parameters()]
        fit(model, data, f"r{limit}", 12)
        change = [(w.detach() - b).square().sum() for w, b in zip(model.parameters(), before, strict=True)]
        moved[limit] = torch.stack(change).sum().sqrt().item()
    assert 0 < moved[1e-3] <= 12e-3 + 1e-6
    assert moved[0.0] > 12e-3


@pytest.mark.parametrize("fused", [False, True])
def test_gradients_are_shortened_in_their_own_unit_where_half_precision_scales_them(data, fused):
    """Scaled 65,536 times they would all be longer than the limit: by hand, 12 updates of rate 1 move 12 limits then.

    A limit that no gradient reaches must change nothing, whatever the scale.
    """
    moved = {}
    for limit, scaled in ((0.0, False), (1e3, True), (1e-3, True)):
        factory = partial(SGD, lr=1.0, fused=fused)
        model = simgan(
            optimizer_refiner=factory, optimizer_discriminator=factory, gradient_norm=limit, average_decay=0.0
        )
        precision = L.pytorch.plugins.MixedPrecision("bf16-mixed", "cpu")
        if scaled:
            precision.scaler = torch.amp.GradScaler("cpu")
        before = [weights.detach().clone() for weights in model.parameters()]
        runner = trainer("r", 12, plugins=[precision])
        runner.fit(model, datamodule=data)
        change = [(w.detach() - b).square().sum() for w, b in zip(model.parameters(), before, strict=True)]
        moved[limit] = torch.stack(change).sum().sqrt().item()
    assert moved[1e3] == pytest.approx(moved[0.0], rel=0.02)
    assert 0 < moved[1e-3] <= 12e-3 + 1e-6
    assert moved[0.0] > 12e-3


def state(model, runner):
    """Everything that a run goes on from."""
    tensors = {f"weights {name}": value for name, value in model.state_dict().items()}
    for number, optimizer in enumerate(runner.optimizers):
        for key, entry in optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer {number} {key} {name}": torch.as_tensor(value) for name, value in entry.items()}
    history = model.history.state_dict()
    return tensors | {"history": history["maps"], "generator": history["generator"]}


def read_scalars(folder):
    events = EventAccumulator(folder)
    events.Reload()
    return {
        tag: {event.step: event.value for event in events.Scalars(tag)}
        for tag in events.Tags()["scalars"]
        if "/" in tag
    }


def test_resuming_at_any_update_is_bitwise_exact(data):
    class Keep(L.Callback):
        def on_train_batch_end(self, trainer, *_):
            trainer.save_checkpoint(f"kept{trainer.global_step}.ckpt")

        def on_validation_end(self, trainer, _):
            if trainer.global_step == 10:
                trainer.save_checkpoint("kept_in_validation.ckpt")

    whole = simgan()
    expected = state(whole, fit(whole, data, "whole", 13, callbacks=[Keep()]))
    assert not any(value.isnan().any() for value in expected.values())
    for kept in ("1", "3", "6", "10", "12", "_in_validation"):  # in both warm-ups, in a cycle, at a validation
        again = simgan(seed=99)
        runner = fit(again, data, f"again{kept}", 13, ckpt_path=f"kept{kept}.ckpt")
        found = state(again, runner)
        assert runner.global_step == 13
        assert found.keys() == expected.keys()
        for name, value in expected.items():
            assert torch.equal(found[name], value), f"{name} differs after resuming from {kept}"
        scalars = read_scalars(f"again{kept}/version_0")
        for tag, points in read_scalars("whole/version_0").items():
            after = 10 if kept == "_in_validation" else int(kept)
            resumed = {step: value for step, value in scalars.get(tag, {}).items() if step > after}
            assert resumed == {step: value for step, value in points.items() if step > after}, tag


def test_tensorboard_has_every_tag_from_the_first_log_on(data):
    runner = fit(simgan(), data, "r", 11, callbacks=[SampleSheets(maps=3)])
    scalars = read_scalars(runner.log_dir)
    assert set(scalars) == TAGS
    for tag, points in scalars.items():
        assert sorted(points) == ([1, 2, 4, 6, 8, 10] if tag.startswith("train") else [0, 5, 10]), tag
        assert all(np.isfinite(value) for value in points.values())
    # Before the first update refined is synthetic and noise of 1.3 mm at 1 m, half of it at 0.7 m,
    # and more where it is tilted.
    assert 0.8 * 0.65 < scalars["val/shift_mm"][0] < 0.8 * 1.3
    assert scalars["train/history/fill"][2] == 0
    assert scalars["train/history/fill"][10] == 1
    events = EventAccumulator(runner.log_dir)
    events.Reload()
    assert [image.step for image in events.Images("val/samples")] == [0, 5, 10]
    image = events.Images("val/samples")[0]
    assert image.height > 4 * 16  # four rows
    assert image.width > 3 * 16


def test_validation_always_looks_at_the_same_maps_with_the_same_noise(data):
    model = simgan()
    looks = []

    class Look(L.Callback):
        def on_validation_end(self, _, module):
            looks.append(module.probe)

    fit(model, data, "r", 6, callbacks=[Look()], val_check_interval=3)
    assert len(looks) == 3
    for look in looks:
        assert torch.equal(look[0], looks[0][0])
        assert torch.equal(look[2], looks[0][2])
    with torch.no_grad():
        model.validation_step(next(iter(data.val_dataloader())), 0)
    assert torch.equal(model._probe_parts[0][1], looks[-1][1][:4])


def best_of(folder):
    return {int(path.name[7:14]) for path in Path(folder, "checkpoints").glob("update=*.ckpt")}


def test_a_run_that_goes_on_keeps_the_best_checkpoints_of_one_that_never_stopped(data, monkeypatch):
    """Scores 0.1, 0.2, 0.5, 0.4, 0.3 at updates 4, 8, ... 20: the two best are those of updates 4 and 8."""
    by_update = {0: 1.0, 4: 0.6, 8: 0.7, 12: 1.0, 16: 0.9, 20: 0.8}
    at = [0]  # the update that is validated

    class Clock(L.Callback):
        def on_validation_start(self, trainer, _):
            at[0] = trainer.global_step

    monkeypatch.setattr("refiner.simgan.module.probe_numbers", lambda *_: ProbeNumbers(0.0, by_update[at[0]], 0.0, 0.0))
    options = {"callbacks": [Clock()], "val_check_interval": 4}
    assert best_of(fit(simgan(), data, "whole", 20, **options).log_dir) == {4, 8}
    for stop in (9, 12, 18):
        first = fit(simgan(), data, f"cut{stop}", stop, **options).log_dir
        last = f"{first}/checkpoints/last.ckpt"
        assert best_of(fit(simgan(), data, f"elsewhere{stop}", 20, ckpt_path=last, **options).log_dir) == {4, 8}
        assert best_of(fit(simgan(), data, f"cut{stop}", 20, ckpt_path=last, **options).log_dir) == {4, 8}
        names = {path.name for path in Path(f"elsewhere{stop}/version_0/checkpoints").iterdir()}
        assert names == {path.name for path in Path("whole/version_0/checkpoints").iterdir()}


def test_best_checkpoints_are_kept_and_the_others_removed(data, monkeypatch):
    scores = iter([0.9, 0.8, 0.6, 0.95, 0.7])  # the first before any update
    monkeypatch.setattr("refiner.simgan.module.probe_numbers", lambda *_: ProbeNumbers(0.0, next(scores), 0.0, 0.0))
    runner = fit(simgan(), data, "r", 12, val_check_interval=3)
    names = sorted(path.name for path in Path(runner.log_dir, "checkpoints").iterdir())
    assert names == ["last.ckpt", "update=0000006-score=0.1000.ckpt", "update=0000012-score=0.2000.ckpt"]
