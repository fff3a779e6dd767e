import pytest
import torch

from refiner.nets.refiner import PaperRefiner, ResidualRefiner


def count(network):
    return sum(weights.numel() for weights in network.parameters())


def balls(items, size=16):
    """Network depth of discs, +1 around them."""
    v, u = torch.meshgrid(torch.arange(size), torch.arange(size), indexing="ij")
    radius = torch.hypot(u - size / 2, v - size / 2)
    depth = torch.stack([torch.where(radius < 3 + i % 3, radius / 20 - 0.3 + 0.05 * i, 1.0) for i in range(items)])
    return depth[:, None]


def awake(network, seed=0):
    """Give every weight a random value, so that the network is not the identity."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for weights in network.parameters():
            weights.copy_(0.3 * torch.randn(weights.shape, generator=generator))
    return network


def test_papers_parameter_counts():
    assert count(PaperRefiner()) == 4_018_625
    assert count(PaperRefiner(channels=64, blocks=4, kernel=3)) == 296_129


def test_paper_refiner_against_a_forward_by_hand():
    network, x = awake(PaperRefiner(channels=3, blocks=1, kernel=3)), balls(2)
    weights = dict(network.named_parameters())

    def convolve(name, features, padding):
        return torch.conv2d(features, weights[f"{name}.weight"], weights[f"{name}.bias"], padding=padding)

    first = torch.relu(convolve("first", x, 1))
    inner = torch.relu(convolve("blocks.0.first", first, 1))
    expected = convolve("last", torch.relu(first + convolve("blocks.0.second", inner, 1)), 0)
    torch.testing.assert_close(network(x), expected)


@pytest.mark.parametrize("fold", [1, 2, 4])
@pytest.mark.parametrize("size", [16, 17])
def test_residual_refiner_starts_as_the_identity(fold, size):
    network, x = ResidualRefiner(channels=8, blocks=1, fold=fold, noise_channels=fold**2), balls(3, size)
    for training in (True, False):
        torch.testing.assert_close(network.train(training)(x), x, rtol=0, atol=0)
    noise = torch.randn(network.noise_shape(3, size, size), generator=torch.Generator().manual_seed(0))
    y = network(x, noise.clamp(-1.99, 1.99))
    torch.testing.assert_close(y, x, rtol=0, atol=0)
    # Beyond the margin of 2 a pixel changes its mind: 2.3 % of the hand's are lost, and depths stay.
    many, noise = x.repeat(100, 1, 1, 1), torch.randn(network.noise_shape(300, size, size))
    y = network(many, noise)
    assert (y == 1)[many < 1].float().mean().item() == pytest.approx(0.0228, abs=0.006)
    assert torch.equal(y[(y < 1) & (many < 1)], many[(y < 1) & (many < 1)])


def test_residual_refiner_cannot_break_labels():
    network, x = awake(ResidualRefiner(channels=8, blocks=2, max_shift=0.1, reach_px=2)).eval(), balls(6)
    y = network(x, torch.randn(network.noise_shape(6, 16, 16)))
    assert y.min() >= -1
    assert y.max() <= 1
    both = (x < 1) & (y < 1)
    assert (y - x)[both].abs().max() <= 0.1 + 1e-6
    assert ((x < 1) & (y == 1)).any()  # some readings were taken away
    assert ((x == 1) & (y < 1)).any()  # and some added,
    near = torch.nn.functional.max_pool2d((x < 1).float(), 5, 1, 2) > 0
    assert (y[~near] == 1).all()  # but none out of reach
    assert torch.isfinite(y).all()


def test_choice_of_readings_is_hard_and_has_a_gradient():
    network, x = awake(ResidualRefiner(channels=8, blocks=1)), balls(4)
    noise = torch.randn(network.noise_shape(4, 16, 16))
    trained, used = network.train()(x, noise), network.eval()(x, noise)
    torch.testing.assert_close(trained, used, rtol=0, atol=0)
    network.train()(x, noise)[(x < 1)].sum().backward()
    half = network.fold**2  # the first channels of the last layer shift, the others choose
    assert network.last.bias.grad[half:].abs().min() > 0
    assert network.last.bias.grad[:half].abs().min() > 0


def test_noise_matters_and_is_an_input():
    network, x = awake(ResidualRefiner(channels=8, blocks=1)).eval(), balls(2)
    noise = torch.randn(network.noise_shape(2, 16, 16))
    torch.testing.assert_close(network(x, noise), network(x, noise), rtol=0, atol=0)
    assert not torch.equal(network(x, noise), network(x, 0 * noise))
    torch.testing.assert_close(network(x), network(x, 0 * noise), rtol=0, atol=0)


def test_the_level_is_one_standard_normal_number_for_the_whole_map():
    network = ResidualRefiner(8, 1, choice_noise=(0.5, 0.0, 0.5)).eval()
    x, seen = balls(200), []
    network.first.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0][:, -1]))
    network(x, torch.randn(network.noise_shape(200, 16, 16), generator=torch.Generator().manual_seed(0)))
    (level,) = seen
    assert level.shape == (200, 8, 8)
    assert torch.equal(level, level[:, :1, :1].expand_as(level))
    assert level[:, 0, 0].mean().abs() < 0.2
    assert level[:, 0, 0].std() == pytest.approx(1, abs=0.15)
    assert torch.equal(network(x[:3]), x[:3])  # without noise it is 0


def test_noise_of_the_choice_is_common_to_neighbours_and_map():
    noise = torch.randn((4000, 4, 8, 8), generator=torch.Generator().manual_seed(0))
    for shares, near, far in (((1.0, 0.0, 0.0), 0, 0), ((0.0, 1.0, 0.0), 6 / 7, 0), ((0.0, 0.0, 1.0), 1, 1)):
        drawn = ResidualRefiner(8, 1, choice_noise=shares)._of_choice(noise)[:, 0]
        middle = drawn[:, 8, 4]
        assert middle.std() == pytest.approx(1, abs=0.05)
        for other, wanted in ((drawn[:, 8, 5], near), (drawn[:, 8, 12], far)):
            assert torch.corrcoef(torch.stack([middle, other]))[0, 1] == pytest.approx(wanted, abs=0.06)
    with pytest.raises(ValueError, match="add up to 1"):
        ResidualRefiner(8, 1, choice_noise=(1.0, 0.5, 0.0))


@pytest.mark.parametrize(
    "network",
    [
        PaperRefiner(4, 2, 3),
        ResidualRefiner(8, 2),
        ResidualRefiner(8, 1, 4, 0),
        ResidualRefiner(8, 1, choice_noise=(0.2, 0.5, 0.3)),
    ],
    ids=["paper", "fold2", "fold4", "choice"],
)
@pytest.mark.parametrize("training", [True, False])
def test_output_does_not_depend_on_batch_companions(network, training):
    awake(network).train(training)
    x = balls(4)
    noise = torch.randn(network.noise_shape(4, 16, 16))
    alone = torch.cat([network(x[i : i + 1], noise[i : i + 1]) for i in range(4)])
    torch.testing.assert_close(network(x, noise), alone, rtol=0, atol=1e-4)  # float convolutions differ between shapes


@pytest.mark.parametrize(
    "network", [PaperRefiner(4, 2, 5), ResidualRefiner(8, 2, 4, 5, 0.3, 2, 3.0, 1.5, 0.7, [0.2, 0.5, 0.3])]
)
def test_settings_rebuild_the_network(network):
    again = type(network)(**network.settings)
    again.load_state_dict(network.state_dict())
    assert again.settings == network.settings
    assert again.noise_shape(2, 16, 16) == network.noise_shape(2, 16, 16)
