import pytest
import torch
from fakes import small_refiner
from small_simgan import simgan
from torch.optim import Adam

from refiner.datasets.facts import CameraPixels, TrainingFacts
from refiner.geometry.depth import DepthCodec
from refiner.nets.discriminator import Layer, PatchDiscriminator
from refiner.nets.refiner import CameraNoise, MapNoise
from refiner.simgan.augmentation import Augmentation
from refiner.simgan.module import SimGAN
from refiner.simgan.objective import Objective
from refiner.simgan.schedule import UpdateSchedule
from refiner.simgan.updates import noise_of_batch


def test_drift_is_measured_without_noise_where_a_refiner_adds_it(data):
    def parts(first_noise):
        network = small_refiner(measurement=MapNoise(first_noise, most=0.5), light=None)
        model = simgan(refiner=network, average_decay=0.0)
        with torch.no_grad():
            model.validation_step(next(iter(data.val_dataloader())), 0)
        return model._probe_parts[0]

    synthetic, refined, _, noise_free, *_ = parts(0.2)
    assert (refined - synthetic)[(refined < 1) & (synthetic < 1)].abs().mean() > 0.05
    both = (noise_free < 1) & (synthetic < 1)
    assert torch.equal(noise_free[both], synthetic[both])  # untrained, it moves nothing
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
        refiner := small_refiner(light=None, growth=None),
        PatchDiscriminator([Layer(3, 1, 16), Layer(3, 2, 16)], slope_gain=0.0, sees_readings=False),
        facts=TrainingFacts(DepthCodec(16, 260.0, 1.0)),
        schedule=UpdateSchedule(0, 20, 1, 1, 0),
        objective=Objective("least_squares", "identity", "mean", 0.5, 0.02, 1.0, 0.05),
        augmentation=Augmentation(0.0, flip_up_down=False),
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
    noise, hand = noise_of_batch(refiner, x, (0,)), x < 1
    near, far = ((refiner(x, noise, torch.full((200,), mm)) < 1)[hand].float().mean() for mm in (800.0, 1500.0))
    assert near > 0.8
    assert far < 0.4


def test_the_refiner_is_told_how_far_away_the_renders_are():
    model = simgan(facts=TrainingFacts(DepthCodec(16, 260.0, 1.0), distance_mm=640.0))
    assert model.refiner.reference_mm == 640
    assert model.trained_refiner.reference_mm == 640


def test_the_refiner_is_told_of_the_camera():
    pixels = CameraPixels(100.0, 1.0, 2.9)
    facts = TrainingFacts(DepthCodec(16, 200.0, 1.0), 640.0, 500.0, pixels)
    model = simgan(small_refiner(measurement=CameraNoise()), facts=facts)
    for network in (model.refiner, model.trained_refiner):
        assert network.parts["measurement"].half_cube_mm == 100
        assert network.parts["measurement"].pixels == pixels


def test_terms_that_cannot_be_had_are_refused():
    with pytest.raises(ValueError, match="paired_weight 1.0 without pairs"):
        simgan(objective=Objective(paired_weight=1.0))
