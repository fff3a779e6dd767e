import torch
from fakes import awake

from refiner.nets.refiner import PaperRefiner


def count(network):
    return sum(weights.numel() for weights in network.parameters())


def test_papers_parameter_counts():
    assert count(PaperRefiner()) == 4_018_625
    assert count(PaperRefiner(channels=64, blocks=4, kernel=3)) == 296_129


def test_paper_refiner_against_a_forward_by_hand():
    network, x = awake(PaperRefiner(channels=3, blocks=1, kernel=3)), torch.rand(2, 1, 16, 16)
    weights = dict(network.named_parameters())

    def convolve(name, features, padding):
        return torch.conv2d(features, weights[f"{name}.weight"], weights[f"{name}.bias"], padding=padding)

    first = torch.relu(convolve("first", x, 1))
    inner = torch.relu(convolve("blocks.0.first", first, 1))
    expected = convolve("last", torch.relu(first + convolve("blocks.0.second", inner, 1)), 0)
    torch.testing.assert_close(network(x), expected)
