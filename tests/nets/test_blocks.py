import numpy as np
import pytest
import torch

from refiner.nets.blocks import ResidualBlock, detail_channels, extend_readings, is_reading


def brute_force_extension(depth, reach):
    out = depth.copy()
    for v, u in zip(*np.nonzero(depth == 1), strict=True):
        out[v, u] = depth[max(v - reach, 0) : v + reach + 1, max(u - reach, 0) : u + reach + 1].min()
    return out


@pytest.mark.parametrize("reach", [0, 1, 2, 4])
def test_extension_is_the_nearest_surface_within_reach(reach):
    rng = np.random.default_rng(0)
    depth = np.where(rng.random((9, 11)) < 0.2, rng.uniform(-1, 0.9, (9, 11)), 1).astype(np.float32)
    found = extend_readings(torch.from_numpy(depth)[None, None], reach)[0, 0].numpy()
    np.testing.assert_array_equal(found, brute_force_extension(depth, reach))


def test_readings_are_what_is_nearer_than_the_far_face():
    assert is_reading(torch.tensor([-1.0, 0.999, 1.0])).tolist() == [True, True, False]


def test_detail_channels_by_hand():
    planes = detail_channels(torch.tensor([[0.0, 0.1], [0.3, 0.3]])[None, None], 2.0)
    assert planes.shape == (1, 3, 2, 2)
    torch.testing.assert_close(planes[0, 1], torch.tanh(torch.tensor([[0.2, 0.0], [0.0, 0.0]])))
    torch.testing.assert_close(planes[0, 2], torch.tanh(torch.tensor([[0.6, 0.4], [0.0, 0.0]])))


def test_slopes_are_between_readings_only():
    planes = detail_channels(torch.tensor([[0.0, 1.0, 0.0, 0.2]])[None, None], 2.0)
    torch.testing.assert_close(planes[0, 1], torch.tensor([[0.0, 0.0, 0.3799, 0.0]]), rtol=0, atol=1e-4)


def test_residual_block_is_the_papers_formula():
    torch.manual_seed(0)
    block, x = ResidualBlock(4, 3), torch.randn(2, 4, 6, 5)
    kept = x.clone()
    expected = torch.relu(block.second(torch.relu(block.first(x))) + x)
    torch.testing.assert_close(block(x), expected)
    torch.testing.assert_close(x, kept, rtol=0, atol=0)  # works in place on its own results only


def test_residual_block_gradient():
    torch.manual_seed(0)
    block = ResidualBlock(2, 3).double()
    assert torch.autograd.gradcheck(block, torch.randn(1, 2, 4, 4, dtype=torch.float64, requires_grad=True))
