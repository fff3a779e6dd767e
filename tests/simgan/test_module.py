import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from fakes import write_balls
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch.optim import SGD, Adam

from refiner.checkpoints import AtomicCheckpointIO, Checkpoints
from refiner.datasets.unpaired import UnpairedDepth
from refiner.errors import TrainingError
from refiner.frameworks import lightning as L
from refiner.geometry.depth import DepthCodec
from refiner.nets.discriminator import Layer, PatchDiscriminator
from refiner.nets.paper_refiner import PaperRefiner
from refiner.nets.refiner import ResidualRefiner
from refiner.simgan.callbacks import SampleSheets
from refiner.simgan.history import RefinedHistory
from refiner.simgan.module import SimGAN
from refiner.simgan.objective import Objective
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
}


def simgan(refiner=None, seed=0, **settings):
    torch.manual_seed(seed)
    defaults = {
        "codec": DepthCodec(16, 260.0, 1.0),
        "optimizer_refiner": lambda parameters: Adam(parameters, lr=0.01, betas=(0.5, 0.999)),
        "optimizer_discriminator": lambda parameters: Adam(parameters, lr=0.01, betas=(0.5, 0.999)),
        "schedule": UpdateSchedule(2, 2, 2, 1),
        "objective": Objective("sigmoid", "identity", "mean", 0.1, penalty_weight=0.1, penalty_every=2),
        "history_maps": 7,
        "average_decay": 0.9,
    }
    refiner = refiner or ResidualRefiner(channels=8, blocks=1)
    discriminator = PatchDiscriminator([Layer(3, 2, 8), Layer(3, 1)], classes=1, detail_gain=20.0)
    return SimGAN(refiner, discriminator, **(defaults | settings))


def trainer(folder, max_steps, callbacks=(), val_check_interval=5):
    return L.Trainer(
        logger=L.pytorch.loggers.TensorBoardLogger(".", name=folder, version=0),
        accelerator="cpu", max_steps=max_steps, max_epochs=-1, log_every_n_steps=2, num_sanity_val_steps=-1,
        val_check_interval=val_check_interval, check_val_every_n_epoch=None, enable_progress_bar=False,
        enable_model_summary=False, use_distributed_sampler=False, plugins=[AtomicCheckpointIO()],
        callbacks=[Checkpoints(every_n_updates=1), *callbacks],
    )  # fmt: skip


@pytest.fixture
def data():
    write_balls("a.zarr", count=40)
    write_balls("b.zarr", count=40, unit_mm=1.0, seed=1, noisy=True)
    return UnpairedDepth("a.zarr", "b.zarr", batch_size=4, probe_maps=6)


@pytest.fixture
def batch(data):
    return data.training_batches().batch(0)


def fit(model, data, folder, max_steps, ckpt_path=None, **options):
    runner = trainer(folder, max_steps, **options)
    runner.fit(model, datamodule=data, ckpt_path=ckpt_path)
    return runner


def gradients(network):
    return [weights.grad for weights in network.parameters() if weights.grad is not None]


@pytest.fixture
def alone(monkeypatch):
    """A module outside a trainer: what is asked of the trainer is fixed."""
    monkeypatch.setattr(SimGAN, "global_rank", 0)
    return simgan()


def test_refiner_gets_a_gradient_from_the_discriminator(alone, batch):
    alone.objective = replace(alone.objective, self_regularization_weight=0.0)
    alone.refiner_losses(batch, step=0)["train/refiner/total"].backward()
    assert max(g.abs().max() for g in gradients(alone.refiner)) > 0


def test_refiner_alone_gets_none(alone, batch):
    values = alone.refiner_losses(batch, step=0, alone=True)
    assert "train/refiner/adversarial" not in values
    values["train/refiner/total"].backward()
    assert gradients(alone.discriminator) == []


def test_discriminator_step_leaves_the_refiner_alone_and_detaches(alone, batch):
    values = alone.discriminator_losses(batch, 0, alone.history)
    (values["train/discriminator/real"] + values["train/discriminator/refined"]).backward()
    assert gradients(alone.refiner) == []
    assert max(g.abs().max() for g in gradients(alone.discriminator)) > 0


def test_discriminator_sees_refined_maps_never_raw_ones(alone, batch, monkeypatch):
    seen = []
    forward = alone.discriminator.forward
    monkeypatch.setattr(alone.discriminator, "forward", lambda maps, _: (seen.append(maps), forward(maps))[1])
    monkeypatch.setattr(alone.refiner, "forward", lambda depth, *_: depth * 0 + 0.123)
    alone.discriminator_losses(batch, 0, RefinedHistory(4, 0))
    assert torch.equal(seen[0], batch["real"])
    assert (seen[1] == 0.123).all()


def test_history_takes_part_in_discriminator_steps_only(alone, batch):
    alone.refiner_losses(batch, step=0)
    assert len(alone.history) == 0
    alone.discriminator_losses(batch, 0, alone.history)
    assert len(alone.history) == 2


def test_sums_and_means_differ_as_documented(alone, batch):
    mean = alone.refiner_losses(batch, step=0) | alone.discriminator_losses(batch, 0, None)
    alone.objective = replace(alone.objective, reduction="sum")
    total = alone.refiner_losses(batch, step=0) | alone.discriminator_losses(batch, 0, None)
    patches, pixels = 4 * 8 * 8, 4 * 16 * 16
    for name, factor in (
        ("train/refiner/adversarial", patches), ("train/discriminator/real", patches),
        ("train/refiner/self_regularization", pixels), ("train/discriminator/accuracy_real", 1),
    ):  # fmt: skip
        torch.testing.assert_close(total[name], mean[name] * factor)


def test_noise_is_a_function_of_seed_step_and_rank(alone, batch, monkeypatch):
    with torch.no_grad():
        alone.refiner.last.weight.normal_(generator=torch.Generator().manual_seed(0))

    def refined(step):
        return alone.refiner_losses(batch, step)["train/refiner/self_regularization"].item()

    first = refined(3)
    assert refined(3) == first
    assert refined(4) != first
    monkeypatch.setattr(SimGAN, "global_rank", 1)
    assert refined(3) != first


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
            self.seen.append(
                (module.refiner.last.bias.detach().clone(), module.refiner_average.module.last.bias.clone())
            )

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


def state(model, runner):
    """Everything that a run goes on from."""
    tensors = {f"weights {name}": value for name, value in model.state_dict().items()}
    for number, optimizer in enumerate(runner.optimizers):
        for key, entry in optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer {number} {key} {name}": torch.as_tensor(value) for name, value in entry.items()}
    history = model.history.state_dict()
    return tensors | {"history": history["maps"], "generator": history["generator"]}


def test_resuming_at_any_update_is_bitwise_exact(data):
    class Keep(L.Callback):
        def on_train_batch_end(self, trainer, *_):
            trainer.save_checkpoint(f"kept{trainer.global_step}.ckpt")

        def on_validation_end(self, trainer, _):
            if trainer.global_step == 10:
                trainer.save_checkpoint("kept_in_validation.ckpt")

    whole = simgan()
    expected = state(whole, fit(whole, data, "whole", 13, callbacks=[Keep()]))
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


def read_scalars(folder):
    events = EventAccumulator(folder)
    events.Reload()
    return {
        tag: {event.step: event.value for event in events.Scalars(tag)}
        for tag in events.Tags()["scalars"]
        if "/" in tag
    }


def test_tensorboard_has_every_tag_from_the_first_log_on(data):
    runner = fit(simgan(), data, "r", 11, callbacks=[SampleSheets(maps=3)])
    scalars = read_scalars(runner.log_dir)
    assert set(scalars) == TAGS
    for tag, points in scalars.items():
        assert sorted(points) == ([1, 2, 4, 6, 8, 10] if tag.startswith("train") else [0, 5, 10]), tag
        assert all(np.isfinite(value) for value in points.values())
    # Before the first update refined is synthetic and noise of 0.1 x 0.1 x 130 mm, on average 0.8 of that.
    assert scalars["val/shift_mm"][0] == pytest.approx(1.3 * 0.8, rel=0.15)
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


def test_drift_is_measured_without_noise_where_a_refiner_adds_it(data):
    def parts(first_noise):
        network = ResidualRefiner(channels=8, blocks=1, first_noise=first_noise, max_noise=0.5)
        model = simgan(refiner=network, average_decay=0.0)
        with torch.no_grad():
            model.validation_step(next(iter(data.val_dataloader())), 0)
        return model._probe_parts[0]

    synthetic, refined, _, steady, _ = parts(0.2)
    assert (refined - synthetic)[(refined < 1) & (synthetic < 1)].abs().mean() > 0.1
    both = (steady < 1) & (synthetic < 1)
    assert torch.equal(steady[both], synthetic[both])  # untrained, it moves nothing
    assert torch.equal(parts(0.0)[1][both], synthetic[both])


def test_best_checkpoints_are_kept_and_the_others_removed(data, monkeypatch):
    from pathlib import Path

    from refiner.simgan.probe import ProbeNumbers

    scores = iter([0.9, 0.8, 0.6, 0.95, 0.7])  # the first before any update
    monkeypatch.setattr("refiner.simgan.module.probe_numbers", lambda *_: ProbeNumbers(0.0, next(scores), 0.0, 0.0))
    runner = fit(simgan(), data, "r", 12, val_check_interval=3)
    names = sorted(path.name for path in Path(runner.log_dir, "checkpoints").iterdir())
    assert names == ["last.ckpt", "update=0000006-score=0.1000.ckpt", "update=0000012-score=0.2000.ckpt"]


def discs(count, generator):
    """Network depth of discs in random places, +1 around them."""
    v, u = torch.meshgrid(torch.arange(16), torch.arange(16), indexing="ij")
    middle = 6 + 4 * torch.rand((count, 2, 1, 1), generator=generator)
    radius = torch.hypot(u - middle[:, :1], v - middle[:, 1:])
    depth = torch.where(radius < 5, 0.1 * torch.rand((count, 1, 1, 1), generator=generator) + radius / 50, 1.0)
    return depth.float()


def test_what_a_camera_loses_far_away_is_lost_far_away_only():
    # The camera of this test sees nothing beyond a metre. No gradient of the discriminator says so: only trying does.
    torch.manual_seed(0)
    model = SimGAN(
        refiner := ResidualRefiner(8, 1, sees_distance=True),
        PatchDiscriminator([Layer(3, 1, 16), Layer(3, 2, 16)], classes=1, negative_slope=0.2, sees_distance=True),
        codec=DepthCodec(16, 260.0, 1.0),
        schedule=UpdateSchedule(0, 20, 1, 1),
        objective=Objective("least_squares", "identity", "mean", 0.5, 0.02, 1.0, 0.05),
        history_maps=64,
    )
    optimizers = [Adam(net.parameters(), lr=0.002, betas=(0.5, 0.999)) for net in (refiner, model.discriminator)]
    generator = torch.Generator().manual_seed(0)
    for step in range(300):
        distances_mm = 800 + 700 * torch.randint(0, 2, (2, 16), generator=generator).float()
        lost = (distances_mm[1] > 1000).view(-1, 1, 1, 1)
        batch = {
            "synthetic": discs(16, generator),
            "real": torch.where(lost, 1.0, discs(16, generator)),
            "synthetic_distance_mm": distances_mm[0],
            "real_distance_mm": distances_mm[1],
        }
        loss, _ = model.update_loss(batch, step)
        model.zero_grad()
        loss.backward()
        optimizers[0 if model.schedule.updates_refiner(step) else 1].step()
    x = discs(200, generator)
    noise, hand = torch.randn(refiner.noise_shape(200, 16, 16), generator=generator), x < 1
    near, far = ((refiner(x, noise, torch.full((200,), mm)) < 1)[hand].float().mean() for mm in (800.0, 1500.0))
    assert near > 0.8
    assert far < 0.4


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


def test_the_refiner_is_told_how_far_away_the_renders_are():
    model = simgan(ResidualRefiner(8, 1, sharpness=7.0, sees_distance=True), distance_mm=640.0)
    assert model.refiner.reference_mm == 640
    assert model.trained_refiner.reference_mm == 640


def test_the_refiner_is_told_the_size_of_the_cubes():
    model = simgan(ResidualRefiner(8, 1, camera_px=3), codec=DepthCodec(16, 200.0, 1.0))
    assert model.refiner.half_cube_mm == 100
    assert model.trained_refiner.half_cube_mm == 100
    with pytest.raises(ValueError, match="cubes of several sizes"):
        simgan(ResidualRefiner(8, 1, camera_px=3), codec=DepthCodec(16, None, 1.0))


def test_discriminator_judges_refined_maps_as_they_will_be_written(batch, monkeypatch):
    """With a unit of 4 mm every refined reading that D sees is a multiple of it; R still gets a gradient."""
    model = simgan(codec=DepthCodec(16, 260.0, 4.0), rounds=True)
    seen = []
    forward = model.discriminator.forward
    monkeypatch.setattr(model.discriminator, "forward", lambda maps, *_: (seen.append(maps.detach()), forward(maps))[1])
    monkeypatch.setattr(type(model), "global_rank", 0)
    model.refiner_losses(batch, 0)["train/refiner/adversarial"].backward()
    model.discriminator_losses(batch, 0, RefinedHistory(4, 0))
    assert max(g.abs().max() for g in gradients(model.refiner)) > 0
    for maps in (seen[0], seen[-1]):
        depth_mm = maps * 130 + batch["synthetic_distance_mm"].view(-1, 1, 1, 1)
        off = ((depth_mm / 4) - (depth_mm / 4).round())[maps < 1].abs()
        assert off.max() < 1e-3


def test_pairs_teach_the_refiner_where_there_are_any(batch):
    """The camera's map of the same hand lies 0.05 farther: descending on the term moves the refined map that way."""
    weights = Objective("sigmoid", "identity", "mean", 0.0, paired_weight=1.0)
    with pytest.raises(ValueError, match="paired_weight 1.0 without pairs"):
        simgan(objective=weights)
    model = simgan(objective=weights, paired=True)
    real = torch.where(batch["synthetic"] < 1, (batch["synthetic"] + 0.05).clamp(max=0.99), batch["synthetic"])
    losses = [model.refiner_losses(batch | {"real": maps}, 0) for maps in (real, batch["synthetic"])]
    assert losses[0]["train/refiner/paired"].item() == pytest.approx(0.05, abs=0.01)
    assert losses[1]["train/refiner/paired"].item() == pytest.approx(0.0, abs=0.01)
    losses[0]["train/refiner/paired"].backward()
    assert model.refiner.last.bias.grad[:4].sum() < 0  # of s: farther
