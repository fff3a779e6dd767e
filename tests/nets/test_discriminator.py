import pytest
import torch

from refiner.nets.discriminator import EYE_LAYERS, HAND_LAYERS, Layer, PatchDiscriminator


def count(network):
    return sum(weights.numel() for weights in network.parameters())


@pytest.mark.parametrize(
    ("layers", "padding", "shape", "parameters", "patches"),
    [
        (HAND_LAYERS, "same", (224, 224), 178_050, (7, 7)),
        (HAND_LAYERS, "valid", (224, 224), 178_050, (5, 5)),
        (EYE_LAYERS, "same", (35, 55), 75_906, (9, 14)),
    ],
)
def test_papers_parameters_and_patches(layers, padding, shape, parameters, patches):
    network = PatchDiscriminator(layers, padding=padding)
    assert count(network) == parameters
    with torch.no_grad():
        assert network(torch.zeros(1, 1, *shape)).shape == (1, 2, *patches)


@pytest.mark.parametrize("slope", [0.0, 0.2])
def test_logits_are_not_clamped(slope):
    logits = []
    for seed in range(8):
        torch.manual_seed(seed)
        network = PatchDiscriminator(EYE_LAYERS, negative_slope=slope)
        logits.append(network(torch.rand(1, 1, 32, 32)).detach().flatten())
    assert (torch.cat(logits) < 0).any()
    assert (torch.cat(logits) > 0).any()


def test_judgement_does_not_depend_on_batch_companions():
    torch.manual_seed(0)
    network, maps = PatchDiscriminator(EYE_LAYERS, detail_gain=20.0).train(), torch.rand(4, 1, 32, 32)
    alone = torch.cat([network(maps[i : i + 1]) for i in range(4)])
    torch.testing.assert_close(network(maps), alone, rtol=0, atol=1e-6)


def test_detail_makes_millimetres_visible():
    torch.manual_seed(0)
    x = torch.zeros(1, 1, 32, 32)
    rough = x + 0.01 * torch.randn(x.shape)
    changes = []
    for gain in (0.0, 20.0):
        torch.manual_seed(1)
        network = PatchDiscriminator([Layer(3, 2, 16)], detail_gain=gain)
        changes.append((network(rough) - network(x)).abs().mean().item())
    assert changes[1] > 3 * changes[0]


def test_settings_rebuild_the_network():
    network = PatchDiscriminator(
        [Layer(3, 2, 8), Layer(3, 1)], classes=1, padding="valid", negative_slope=0.1, detail_gain=5
    )
    again = PatchDiscriminator(**network.settings)  # the layers as plain dictionaries
    again.load_state_dict(network.state_dict())
    assert again.settings == network.settings
