import numpy as np
import pytest
import torch

from refiner.pose.augmentation import PoseAugmentation

KEY = (5, 6)
STILL = {"rotation_deg": 0.0, "scale": 0.0, "shift": 0.0, "depth_shift": 0.0}


def blob(count=16, size=64):
    """A blob of 3 x 3 readings with its centre as the joint."""
    depth = torch.ones((count, 1, size, size))
    rng = np.random.default_rng(0)
    joints = torch.zeros((count, 1, 3))
    for item, (v, u) in enumerate(rng.integers(22, 42, (count, 2))):
        depth[item, 0, v - 1 : v + 2, u - 1 : u + 2] = 0.25
        joints[item, 0] = torch.tensor([(u + 0.5) * 2 / size - 1, (v + 0.5) * 2 / size - 1, 0.25])
    return depth, joints


def where(depth):
    """Mean crop coordinates of the readings of each map."""
    found = []
    for map_ in depth[:, 0]:
        v, u = torch.nonzero(map_ < 1, as_tuple=True)
        size = map_.shape[0]
        found.append(
            [(u.float().mean() + 0.5) * 2 / size - 1, (v.float().mean() + 0.5) * 2 / size - 1, map_[v, u].mean()]
        )
    return torch.tensor(found)


def test_no_range_changes_nothing():
    depth, joints = blob()
    moved, moved_joints = PoseAugmentation(**STILL)(depth, joints, KEY)
    assert torch.equal(moved, depth)
    assert torch.equal(moved_joints, joints)


@pytest.mark.parametrize(
    "ranges", [{"rotation_deg": 90.0}, {"scale": 0.3}, {"shift": 0.2}, {"depth_shift": 0.3}, {}], ids=str
)
def test_joints_move_with_the_map(ranges):
    depth, joints = blob()
    augmentation = PoseAugmentation(**(STILL | ranges if ranges else {}))
    moved, moved_joints = augmentation(depth, joints, KEY)
    assert (moved_joints - joints).abs().max() > 0.05
    torch.testing.assert_close(where(moved), moved_joints[:, 0], atol=0.03, rtol=0)  # a pixel is 0.031


def test_depths_are_picked_and_never_mixed():
    depth, joints = blob()
    moved, _ = PoseAugmentation(**STILL | {"rotation_deg": 45.0, "scale": 0.2})(depth, joints, KEY)
    assert set(moved.unique().tolist()) == {0.25, 1.0}


def test_what_leaves_through_the_back_is_gone():
    depth, joints = torch.full((64, 1, 8, 8), 0.9), torch.zeros(64, 1, 3)
    moved, _ = PoseAugmentation(**STILL | {"depth_shift": 0.3})(depth, joints, KEY)
    assert ((moved == 1) | (moved < 1)).all()
    gone = (moved == 1).flatten(1).all(1)
    assert 0 < gone.sum() < 64


def test_the_key_alone_decides():
    depth, joints = blob()
    a, b, c = (PoseAugmentation()(depth, joints, key) for key in (KEY, KEY, (5, 7)))
    assert torch.equal(a[0], b[0])
    assert torch.equal(a[1], b[1])
    assert not torch.equal(a[1], c[1])


@pytest.mark.parametrize("ranges", [{"scale": -0.1}, {"shift": 1.0}, {"rotation_deg": 200.0}])
def test_impossible_ranges_are_refused(ranges):
    with pytest.raises(ValueError, match="wanted 0 <= rotation_deg"):
        PoseAugmentation(**ranges)
