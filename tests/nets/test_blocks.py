import math

import numpy as np
import pytest
import torch

from refiner.nets.blocks import (
    ResidualBlock,
    beside_edge,
    curvature_channels,
    detail_channels,
    dimness_octaves,
    extend_readings,
    is_reading,
    mean_around,
    returned_light,
    widened,
)


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


def test_curvature_channels_by_hand():
    planes = curvature_channels(torch.tensor([[0.0, 0.1, 0.3], [0.2, 0.2, 0.2], [0.6, 1.0, 0.1]])[None, None], 2.0)
    across = [[0.0, 0.2, 0.0], [0.0, 0.0, 0.0], [0.0, 0.0, 0.0]]  # 2 (0.0 + 0.3 - 2 x 0.1); the last row has a hole
    down = [[0.0, 0.0, 0.0], [0.4, 0.0, 0.0], [0.0, 0.0, 0.0]]  # 2 (0.0 + 0.6 - 2 x 0.2); 2 (0.3 + 0.1 - 2 x 0.2)
    torch.testing.assert_close(planes[0], torch.tanh(torch.tensor([across, down])), rtol=0, atol=1e-6)


def test_returned_light_by_hand():
    """A plane that falls away by 3 px of depth in 4 px across has a cosine of 4 / 5, in a map of any size."""
    for size in (8, 16):
        step = 0.75 * 2 / size  # network depth is in half cubes, of size / 2 px each
        across = (torch.arange(size) * step - 0.7).expand(1, 1, size, size)
        for plane in (across, across.mT):
            light = returned_light(plane)
            torch.testing.assert_close(light[..., 1:-1, 1:-1], torch.full((1, 1, size - 2, size - 2), 0.8))
            assert light[0, 0, 0, 0].item() == pytest.approx(0.8 * 4 / 9)  # of nine pixels five are outside
            assert light[0, 0, 0, 2].item() == pytest.approx(0.8 * 6 / 9)


def test_light_of_a_finger_before_a_palm_is_its_own():
    """Two walls that face the camera, one before the other: the step between them is neither's slope."""
    depth = torch.zeros(1, 1, 8, 8)
    depth[..., 4:] = 0.5
    torch.testing.assert_close(returned_light(depth)[..., 1:-1, 1:-1], torch.ones(1, 1, 6, 6))
    depth[..., 4:] = 1.0
    assert returned_light(depth)[0, 0, 4, 2:6].tolist() == pytest.approx([1, 6 / 9, 3 / 9, 0])


@pytest.mark.parametrize("count_include_pad", [True, False])
@pytest.mark.parametrize("side", [1, 3, 7])
def test_means_around_are_those_of_a_square_window(side, count_include_pad):
    values = torch.randn(2, 3, 6, 9, generator=torch.Generator().manual_seed(0))
    square = torch.nn.functional.avg_pool2d(values, side, 1, side // 2, count_include_pad=count_include_pad)
    torch.testing.assert_close(mean_around(values, side, count_include_pad), square)


def test_dimness_by_hand():
    """Facing walls at the reference distance and twice as far: a quarter of the light, two octaves; and no wall."""
    depth = torch.zeros(3, 1, 8, 8)
    depth[2] = 1.0
    dimness = dimness_octaves(depth, torch.tensor([800.0, 1600.0, 800.0]), torch.tensor(800.0))
    assert dimness[:, 0, 4, 4].tolist() == pytest.approx([0, 2, math.log2(20)])
    with pytest.raises(ValueError, match="give distance_mm"):
        dimness_octaves(depth, None, torch.tensor(800.0))


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


def test_edges_are_steps_and_what_lies_two_pixels_from_them():
    depth = torch.ones(1, 1, 20, 20)
    depth[..., :12] = 0.0  # up to the map's border, which is none
    depth[..., 4:12] += 0.09 * torch.arange(8)  # a slope that is none
    beside = beside_edge(depth)[0, 0]
    assert beside.all(dim=0).nonzero().flatten().tolist() == [10, 11, 12, 13]
    assert torch.equal(beside_edge(depth.mT), beside_edge(depth).mT)
    assert torch.equal(beside, beside[:1].expand_as(beside))


@pytest.mark.parametrize("reach_px", [0, 1, 2])
def test_a_widened_mask_is_that_of_max_pooling(reach_px):
    mask = torch.rand((3, 1, 9, 12), generator=torch.Generator().manual_seed(0)) < 0.05
    wanted = torch.nn.functional.max_pool2d(mask.float(), 2 * reach_px + 1, 1, reach_px) > 0
    assert torch.equal(widened(mask, reach_px), wanted)
