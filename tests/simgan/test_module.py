from dataclasses import replace

import pytest
import torch
from small_simgan import simgan
from torch.optim import Adam

from refiner.geometry.depth import DepthCodec
from refiner.nets.discriminator import Layer, PatchDiscriminator
from refiner.nets.refiner import ResidualRefiner
from refiner.simgan.history import RefinedHistory
from refiner.simgan.module import SimGAN
from refiner.simgan.objective import Objective
from refiner.simgan.schedule import UpdateSchedule


@pytest.fixture
def alone(monkeypatch):
    """A module outside a trainer: what is asked of the trainer is fixed."""
    monkeypatch.setattr(SimGAN, "global_rank", 0)
    return simgan()


def gradients(network):
    return [weights.grad for weights in network.parameters() if weights.grad is not None]


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


def test_the_refiner_is_told_how_far_away_the_renders_are():
    model = simgan(ResidualRefiner(8, 1, sharpness=7.0, sees_distance=True), distance_mm=640.0)
    assert model.refiner.reference_mm == 640
    assert model.trained_refiner.reference_mm == 640


def test_the_refiner_is_told_the_size_of_the_cubes():
    model = simgan(ResidualRefiner(8, 1, focal_px=100.0), codec=DepthCodec(16, 200.0, 1.0))
    assert model.refiner.camera.half_cube_mm == 100
    assert model.trained_refiner.camera.half_cube_mm == 100
    with pytest.raises(ValueError, match="cubes of several sizes"):
        simgan(ResidualRefiner(8, 1, focal_px=100.0), codec=DepthCodec(16, None, 1.0))


def test_spectra_of_noise_are_compared_where_they_weigh(alone, batch):
    objective = replace(alone.objective, spectrum_weight=2.0)
    model = simgan(objective=objective)
    model.spectrum.real.fill_(1.0)  # as if there had been smooth patches: these maps show none
    model.spectrum.refined.fill_(3.0)
    flat = batch | {name: torch.zeros_like(batch[name]) for name in ("synthetic", "real")}
    for refiner in (model.refiner, alone.refiner):
        refiner.prior = replace(refiner.prior, margin=9.0)  # no reading is lost, so that there is a whole patch
    values, plain = model.refiner_losses(flat, 0), alone.refiner_losses(flat, 0)
    distance = values["train/refiner/spectrum"]
    assert distance > 0.5
    total = plain["train/refiner/total"] + 2 * distance
    torch.testing.assert_close(values["train/refiner/total"], total, rtol=1e-4, atol=1e-5)
    assert "train/refiner/spectrum" not in plain
    with pytest.raises(ValueError, match="cubes of several sizes"):
        simgan(objective=objective, codec=DepthCodec(16, None, 1.0))


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
