import pytest
import torch
from fakes import awake
from scenes import discs, look

from refiner.nets.refiner.backbone import Backbone


@pytest.mark.parametrize("fold", [1, 2, 4])
@pytest.mark.parametrize("size", [16, 17])
def test_it_says_nothing_at_first_and_keeps_the_resolution(fold, size):
    backbone, scene = Backbone(1, 3, channels=8, blocks=1, fold=fold), look(discs(2, size))
    planes = [torch.randn(2, 1, size, size)]
    assert torch.equal(backbone(scene, planes), torch.zeros(2, 3, size, size))
    assert awake(backbone)(scene, planes).shape == (2, 3, size, size)


def test_it_sees_depth_distance_and_planes():
    backbone, depth = awake(Backbone(1, 1, channels=8, blocks=1, fold=2)), discs(1)
    none, some = torch.zeros(1, 1, 16, 16), torch.ones(1, 1, 16, 16)
    seen = backbone(look(depth), [none])
    assert not torch.equal(seen, backbone(look(depth - 0.1 * (depth < 1)), [none]))
    assert not torch.equal(seen, backbone(look(depth, 700.0), [none]))
    assert not torch.equal(seen, backbone(look(depth), [some]))


def test_no_unit_dies():
    backbone = awake(Backbone(0, 1, channels=8, blocks=1, fold=2))
    torch.nn.init.constant_(backbone.blocks[0].second.bias, -100.0)  # all units of the block below 0, everywhere
    backbone(look(discs(2)), []).sum().backward()
    assert backbone.blocks[0].second.bias.grad.abs().min() > 0
