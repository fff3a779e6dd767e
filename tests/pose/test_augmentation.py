import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

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


def test_noise_is_white_and_of_a_strength_of_each_items_own():
    depth, joints = torch.zeros((400, 1, 32, 32)), torch.zeros((400, 1, 3))
    worn, worn_joints = PoseAugmentation(**STILL, noise=0.05)(depth, joints, KEY)
    assert torch.equal(worn_joints, joints)
    strengths = worn.flatten(1).std(1)
    # Uniform from 0 to 0.05: mean 0.025, standard deviation 0.0144, each within five standard errors of 400 items.
    assert strengths.mean().item() == pytest.approx(0.025, abs=0.0036)
    assert strengths.std().item() == pytest.approx(0.0144, abs=0.0025)
    assert strengths.max() < 0.055
    assert worn.mean().item() == pytest.approx(0, abs=0.001)
    neighbours = (worn[..., 1:] * worn[..., :-1]).mean() / worn.square().mean()
    assert abs(neighbours) < 0.02


def test_noise_makes_no_reading_and_stays_in_the_cube():
    depth = torch.full((64, 1, 16, 16), 0.95)
    depth[..., :8], depth[..., 0, :] = -0.95, 1.0
    worn, _ = PoseAugmentation(**STILL, noise=0.2)(depth, torch.zeros(64, 1, 3), KEY)
    assert (worn[..., 0, :] == 1).all()
    assert worn.min() == -1
    assert worn.max() == 1
    assert (worn[..., 1:, :8] < 1).all()  # none is lost in front
    assert 0.05 < (worn[..., 1:, 8:] == 1).float().mean() < 0.5  # those that left through the back


def test_readings_are_lost_one_by_one():
    depth = torch.zeros((400, 1, 32, 32))
    worn, _ = PoseAugmentation(**STILL, lost=0.2)(depth, torch.zeros(400, 1, 3), KEY)
    gone = worn == 1
    shares = gone.flatten(1).float().mean(1)
    assert shares.mean().item() == pytest.approx(0.1, abs=0.015)  # uniform from 0 to 0.2
    assert shares.max() < 0.25
    assert set(worn.unique().tolist()) == {0.0, 1.0}
    share = shares[:, None, None, None]
    both = (gone[..., 1:] & gone[..., :-1]).float().mean((1, 2, 3))
    assert both.mean().item() == pytest.approx((share**2).mean().item(), rel=0.05)  # neighbours are independent


def test_squares_are_erased_whole():
    depth = torch.zeros((300, 1, 64, 64))
    worn, _ = PoseAugmentation(**STILL, squares=1)(depth, torch.zeros(300, 1, 3), KEY)
    found = set()
    for map_ in worn[:, 0] == 1:
        if not map_.any():
            found.add(0)
            continue
        v, u = torch.nonzero(map_, as_tuple=True)
        height, width = v.max() - v.min() + 1, u.max() - u.min() + 1
        assert map_.sum() == height * width  # whole
        if v.max() < 63 and u.max() < 63:
            assert height == width
            found.add(int(height))
    assert found == set(range(9))  # none, and sides of 1 px to an eighth of 64


@given(
    noise=st.floats(0, 0.5), lost=st.floats(0, 0.9), squares=st.integers(0, 4), key=st.integers(0, 10**6)
)  # fmt: skip
def test_wear_takes_and_shifts_and_never_adds(noise, lost, squares, key):
    depth, joints = blob(count=3, size=32)
    worn, worn_joints = PoseAugmentation(**STILL, noise=noise, lost=lost, squares=squares)(depth, joints, (key,))
    assert torch.equal(worn_joints, joints)
    assert (worn[depth == 1] == 1).all()
    assert ((worn >= -1) & (worn <= 1)).all()
    if noise == 0:
        assert ((worn == depth) | (worn == 1)).all()


def test_wear_changes_no_move():
    """The frozen benchmark trains without it: its random numbers must not be shifted by its being there."""
    depth, joints = blob()
    plain, plain_joints = PoseAugmentation()(depth, joints, KEY)
    worn, worn_joints = PoseAugmentation(lost=0.3)(depth, joints, KEY)
    assert torch.equal(plain_joints, worn_joints)
    kept = worn < 1
    assert torch.equal(worn[kept], plain[kept])
    assert 0 < kept.sum() < (plain < 1).sum()


def test_the_key_alone_decides():
    depth, joints = blob()
    augmentation = PoseAugmentation(noise=0.1, lost=0.1, squares=2)
    a, b, c = (augmentation(depth, joints, key) for key in (KEY, KEY, (5, 7)))
    assert torch.equal(a[0], b[0])
    assert torch.equal(a[1], b[1])
    assert not torch.equal(a[1], c[1])


@pytest.mark.parametrize(
    "ranges",
    [{"scale": -0.1}, {"shift": 1.0}, {"rotation_deg": 200.0}, {"noise": 1.0}, {"lost": -0.1}, {"squares": -1}],
)
def test_impossible_ranges_are_refused(ranges):
    with pytest.raises(ValueError, match="wanted 0 <= rotation_deg"):
        PoseAugmentation(**ranges)
