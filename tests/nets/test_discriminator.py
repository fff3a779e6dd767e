import math

import pytest
import torch

from refiner.nets.discriminator import EYE_LAYERS, HAND_LAYERS, Layer, PatchDiscriminator

DEPTH_ALONE = {"slope_gain": 0.0, "sees_readings": False, "sees_distance": False}


def count(network):
    return sum(weights.numel() for weights in network.parameters())


@pytest.mark.parametrize(
    ("layers", "shape", "parameters", "patches"),
    [(HAND_LAYERS, (224, 224), 178_050, (7, 7)), (EYE_LAYERS, (35, 55), 75_906, (9, 14))],
)
def test_papers_parameters_and_patches(layers, shape, parameters, patches):
    network = PatchDiscriminator(layers, 2, 0.0, **DEPTH_ALONE)
    assert count(network) == parameters
    with torch.no_grad():
        assert network(torch.zeros(1, 1, *shape)).shape == (1, 2, *patches)


@pytest.mark.parametrize("slope", [0.0, 0.2])
def test_logits_are_not_clamped(slope):
    logits = []
    for seed in range(8):
        torch.manual_seed(seed)
        network = PatchDiscriminator(EYE_LAYERS, negative_slope=slope, **DEPTH_ALONE)
        logits.append(network(torch.rand(1, 1, 32, 32)).detach().flatten())
    assert (torch.cat(logits) < 0).any()
    assert (torch.cat(logits) > 0).any()


def test_judgement_does_not_depend_on_batch_companions():
    torch.manual_seed(0)
    network, maps = PatchDiscriminator(EYE_LAYERS, sees_distance=False).train(), torch.rand(4, 1, 32, 32)
    alone = torch.cat([network(maps[i : i + 1]) for i in range(4)])
    torch.testing.assert_close(network(maps), alone, rtol=0, atol=1e-6)


def test_side_of_a_patch_by_what_a_pixel_changes():
    layers = [Layer(3, 1, 4), Layer(3, 2, 4), Layer(3, 1), Layer(1, 1, 4)]  # 3, then 5, then 9 px
    torch.manual_seed(0)
    network = PatchDiscriminator(layers, **DEPTH_ALONE)
    assert network.patch_px == 9
    x = torch.rand(1, 1, 64, 64).requires_grad_()
    network(x)[0, 0, 16, 16].backward()
    assert x.grad is not None
    rows = x.grad[0, 0].abs().sum(1).nonzero()
    assert rows.max() - rows.min() < 9  # max pooling passes to one pixel of three


def test_distance_is_seen_where_asked_for():
    torch.manual_seed(0)
    network, x = PatchDiscriminator([Layer(3, 2, 8)]), torch.rand(2, 1, 16, 16)
    near, far = torch.full((2,), 500.0), torch.full((2,), 700.0)
    assert not torch.equal(network(x, near), network(x, far))
    with pytest.raises(ValueError, match="give distance_mm"):
        network(x)


def test_detail_makes_millimetres_visible():
    torch.manual_seed(0)
    x = torch.zeros(1, 1, 32, 32)
    rough = x + 0.01 * torch.randn(x.shape)
    changes = []
    for gain in (0.0, 20.0):
        torch.manual_seed(1)
        network = PatchDiscriminator([Layer(3, 2, 16)], **DEPTH_ALONE | {"slope_gain": gain})
        changes.append((network(rough) - network(x)).abs().mean().item())
    assert changes[1] > 3 * changes[0]


def test_steep_slopes_do_not_look_alike():
    """Rims that fly by 20 and by 50 mm, seen with a gain of 20."""
    network = PatchDiscriminator([Layer(3)], slope_gain=20.0)
    depths = (torch.zeros(1, 1, 8, 8) + mm / 130 * (torch.arange(8) == 4) for mm in (20.0, 50.0))
    seen = [network.planes(depth)[0, 1, 0, 3].item() for depth in depths]
    assert seen == pytest.approx([math.asinh(20 * 20 / 130), math.asinh(20 * 50 / 130)])
    assert seen[1] > 1.3 * seen[0]


def test_curvatures_show_noise_on_a_tilted_surface():
    """A slope of 0.03 a pixel compresses slopes seen with a gain of 60; the noise on it is curvature alone."""
    torch.manual_seed(0)
    tilted = (0.03 * torch.arange(32.0) - 0.5).expand(1, 1, 32, 32)
    rough = tilted + 0.005 * torch.randn(tilted.shape)
    changes = []
    for gain in (0.0, 60.0):
        network = PatchDiscriminator([Layer(3, 2, 16)], **DEPTH_ALONE | {"slope_gain": 60.0}, curvature_gain=gain)
        changes.append((network.planes(rough) - network.planes(tilted)).abs().mean(dim=(0, 2, 3)))
    assert len(changes[0]) == 3
    assert len(changes[1]) == 5
    assert changes[1][3] > 2 * changes[0][1]


def test_settings_rebuild_the_network():
    network = PatchDiscriminator(
        [Layer(3, 2, 8), Layer(3, 1)],
        classes=2,
        negative_slope=0.1,
        slope_gain=5,
        curvature_gain=6,
        sees_readings=False,
        sees_distance=False,
    )
    again = PatchDiscriminator(**network.settings)  # the layers as plain dictionaries
    again.load_state_dict(network.state_dict())
    assert again.settings == network.settings
