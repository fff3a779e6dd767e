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
    assert Augmentation(0.0, flip_up_down=False)(depth, KEY) is depth


def test_one_offset_for_all_readings_of_a_map():
    before, after = maps(), Augmentation(depth_offset=0.5, flip_up_down=False)(maps(), KEY)
    assert (after[..., 2] == 1).all()
    offset = (after - before)[..., :2]
    torch.testing.assert_close(offset, offset[..., :1, :1].expand_as(offset))
    assert offset.abs().max() <= 0.5
    assert offset.max() > 0.4
    assert offset.min() < -0.4


def test_readings_stay_apart_from_no_reading():
    depth = torch.full((32, 1, 2, 2), 0.9)
    after = Augmentation(depth_offset=0.5, flip_up_down=False)(depth, KEY)
    assert after.max() == pytest.approx(FARTHEST)


def test_half_of_the_maps_are_turned_upside_down():
    depth = maps(400)
    after = Augmentation(depth_offset=0.0, flip_up_down=True)(depth, KEY)
    turned = (after == depth.flip(2)).flatten(1).all(1)
    assert 160 < turned.sum() < 240
    assert torch.equal(after[~turned], depth[~turned])


def test_costs_are_turned_back_to_where_the_maps_were():
    depth, augmentation = maps(400), Augmentation(depth_offset=0.5, flip_up_down=True)
    after = augmentation(depth, KEY)
    offset = (augmentation.turn_back(after, KEY) - depth)[..., :2]
    torch.testing.assert_close(offset, offset[..., :1, :1].expand_as(offset))
    assert Augmentation(flip_up_down=False).turn_back(after, KEY) is after


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


@pytest.mark.parametrize("offset", [-0.1, 1.5, float("nan")])
def test_an_impossible_offset_is_refused(offset):
    with pytest.raises(ValueError, match="0 <= depth_offset <= 1"):
        Augmentation(depth_offset=offset)
