import pytest
import torch

from refiner.nets.blocks import cell_depth, cell_grid
from refiner.nets.hourglass import HourglassEstimator
from refiner.nets.offsets import OffsetEstimator, SmallEstimator

SMALL = SmallEstimator(joints=3, channels=8)
ESTIMATORS = [
    SMALL,
    OffsetEstimator(joints=3, channels=8, input_px=64),
    HourglassEstimator(joints=3, channels=16, input_px=64),
]


def test_cells_by_hand():
    grid = cell_grid(2, 4, torch.zeros(1))
    assert grid[0, 0].tolist() == [-0.75, -0.25, 0.25, 0.75]
    assert grid[1, :, 0].tolist() == [-0.5, 0.5]
    depth = torch.ones(1, 1, 4, 4)
    depth[0, 0, 0, 0], depth[0, 0, 1, 1] = -0.5, 0.1
    assert torch.allclose(cell_depth(depth, 2, 2), torch.tensor([[[[-0.2, 0.0], [0.0, 0.0]]]]))


def test_votes_add_up_by_hand():
    depth = torch.full((1, 1, 64, 64), 0.5)
    maps = torch.zeros(1, 3 * 4, 2, 2)
    maps[0, 0, 0, 1] = 50.0  # joint 0: only the upper right cell counts
    maps[0, 1:4, 0, 1] = torch.tensor([0.1, -0.2, 0.3])
    joints = SMALL.joints(maps, depth)
    assert torch.allclose(joints[0, 0], torch.tensor([0.5 + 0.1, -0.5 - 0.2, 0.5 + 0.3]))
    assert torch.allclose(joints[0, 1], torch.tensor([0.0, 0.0, 0.5]), atol=1e-6)  # all cells the same: the middle


def test_a_heat_map_is_read_between_its_cells():
    network = ESTIMATORS[2]
    maps = torch.zeros(1, 6, 16, 16)
    maps[0, 0, 4, 8] = maps[0, 0, 4, 9] = 1.0
    maps[0, 3, 4, 8], maps[0, 3, 4, 9] = 0.2, 0.4
    joint = network.joints(maps, torch.ones(1, 1, 64, 64))[0, 0]
    assert torch.allclose(joint, torch.tensor([9 / 8 - 1, 4.5 / 8 - 1, 0.3]), atol=1e-4)


@pytest.mark.parametrize("network", ESTIMATORS, ids=lambda network: type(network).__name__)
def test_a_few_hands_are_learnt_by_heart(network):
    torch.manual_seed(0)
    depth = torch.where(torch.rand(4, 1, 64, 64) < 0.5, 1.0, torch.rand(4, 1, 64, 64) - 0.5)
    joints = torch.rand(4, 3, 3) - 0.5
    optimizer = torch.optim.Adam(network.train().parameters(), lr=5e-3)
    first = None
    for _ in range(25):
        loss = network.loss(depth, joints)
        first = first or loss.item()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.7 * first
    assert network.joints(network.stages(depth)[-1], depth).shape == (4, 3, 3)


@pytest.mark.parametrize("network", ESTIMATORS, ids=lambda network: type(network).__name__)
def test_unknown_joints_pull_at_nothing(network):
    depth, joints = torch.rand(2, 1, 64, 64) - 0.5, torch.rand(2, 3, 3)
    joints[:, 1] = torch.nan
    network.zero_grad()
    network.loss(depth, joints).backward()
    assert all(torch.isfinite(weights.grad).all() for weights in network.parameters() if weights.grad is not None)
    assert torch.isfinite(network.loss(depth, torch.full((2, 3, 3), torch.nan)))


def test_maps_of_other_sizes_are_taken():
    depth = torch.rand(2, 1, 128, 128) - 0.5
    for network in ESTIMATORS:
        assert network.eval().joints(network.stages(depth)[-1], depth).shape == (2, 3, 3)


def test_the_papers_hourglass():
    network = HourglassEstimator()
    assert network.settings == {"joints": 14, "stacks": 2, "channels": 256, "input_px": 256}
    with torch.no_grad():
        stages = network.eval().stages(torch.ones(1, 1, 256, 256))
    assert [tuple(stage.shape) for stage in stages] == [(1, 28, 64, 64)] * 2


def test_no_such_resnet():
    with pytest.raises(ValueError, match="wanted 18, 34 or 50"):
        OffsetEstimator(layers=20)
