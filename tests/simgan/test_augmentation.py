import pytest
import torch

from refiner.simgan.augmentation import FARTHEST, Augmentation

KEY = (1, 2, 3)


def maps(count=64):
    """Four rows of readings 0, 0.1, 0.2, 0.3 beside a column without a reading."""
    depth = torch.ones((count, 1, 4, 3))
    depth[..., :2] = torch.tensor([0.0, 0.1, 0.2, 0.3])[:, None]
    return depth


def test_the_default_changes_nothing():
    depth = maps()
    assert Augmentation()(depth, KEY) is depth


def test_one_offset_for_all_readings_of_a_map():
    before, after = maps(), Augmentation(depth_offset=0.5)(maps(), KEY)
    assert (after[..., 2] == 1).all()
    offset = (after - before)[..., :2]
    torch.testing.assert_close(offset, offset[..., :1, :1].expand_as(offset))
    assert offset.abs().max() <= 0.5
    assert offset.max() > 0.4
    assert offset.min() < -0.4


def test_readings_stay_apart_from_no_reading():
    depth = torch.full((32, 1, 2, 2), 0.9)
    after = Augmentation(depth_offset=0.5)(depth, KEY)
    assert after.max() == pytest.approx(FARTHEST)


@pytest.mark.parametrize(("flips", "axis"), [("flip_up_down", 2), ("flip_left_right", 3)])
def test_half_of_the_maps_are_flipped(flips, axis):
    depth = maps(400)
    after = Augmentation(**{flips: True})(depth, KEY)
    turned = (after == depth.flip(axis)).flatten(1).all(1)
    assert 160 < turned.sum() < 240
    assert torch.equal(after[~turned], depth[~turned])


def test_maps_are_moved_by_whole_pixels_and_what_comes_in_is_empty():
    """A single reading amid a map shows where it went: everywhere within a pixel, diagonals too."""
    depth = torch.ones(400, 1, 5, 5)
    depth[:, :, 2, 2] = 0.3
    after = Augmentation(shift_px=1)(depth, KEY)
    assert after.shape == depth.shape
    assert ((after < 1).sum(dim=(1, 2, 3)) == 1).all()
    assert (after == 0.3).nonzero()[:, 2:].unique(dim=0).tolist() == [[y, x] for y in (1, 2, 3) for x in (1, 2, 3)]
    lower_right = torch.ones(400, 1, 5, 5)
    lower_right[:, :, 4, 4] = 0.3
    assert 0.25 < (Augmentation(shift_px=1)(lower_right, KEY) == 1).all(dim=(1, 2, 3)).float().mean() < 0.75


def test_costs_go_back_with_maps_that_were_flipped_and_moved():
    augmentation = Augmentation(flip_up_down=True, flip_left_right=True, shift_px=2)
    depth = torch.ones(64, 1, 8, 6)
    depth[:, :, 2:6, 2:4] = torch.rand(64, 1, 4, 2, generator=torch.Generator().manual_seed(0)) - 1
    after = augmentation(depth, KEY)
    assert not torch.equal(after, depth)
    back = augmentation.turn_back(after, KEY)
    assert torch.equal(back[:, :, 2:6, 2:4], depth[:, :, 2:6, 2:4])
    assert set(back[depth == 1].unique().tolist()) == {0.0, 1.0}  # costs of what was moved out are not known


def test_costs_are_turned_back_to_where_the_maps_were():
    depth, augmentation = maps(400), Augmentation(depth_offset=0.5, flip_up_down=True)
    after = augmentation(depth, KEY)
    offset = (augmentation.turn_back(after, KEY) - depth)[..., :2]
    torch.testing.assert_close(offset, offset[..., :1, :1].expand_as(offset))
    assert Augmentation().turn_back(after, KEY) is after


def test_the_key_alone_decides():
    augmentation = Augmentation(depth_offset=0.5, flip_up_down=True)
    assert torch.equal(augmentation(maps(), KEY), augmentation(maps(), KEY))
    assert not torch.equal(augmentation(maps(), KEY), augmentation(maps(), (1, 2, 4)))


def test_gradients_pass_to_readings_and_to_holes():
    depth = maps().requires_grad_()
    weights = 0.1 + torch.rand((64, 1, 4, 3), generator=torch.Generator().manual_seed(0))
    (Augmentation(depth_offset=0.5, flip_up_down=True)(depth, KEY) * weights).sum().backward()
    assert depth.grad is not None
    assert (depth.grad >= 0.1).all()


def test_an_impossible_shift_is_refused():
    with pytest.raises(ValueError, match="Found shift_px -1, wanted shift_px >= 0"):
        Augmentation(shift_px=-1)


@pytest.mark.parametrize("offset", [-0.1, 1.5, float("nan")])
def test_an_impossible_offset_is_refused(offset):
    with pytest.raises(ValueError, match="0 <= depth_offset <= 1"):
        Augmentation(depth_offset=offset)
