import pytest
import torch
from scenes import METRE, look

from refiner.nets.refiner.scene import look_at


def test_a_pixel_is_continued_and_the_rest_is_as_rendered():
    depth = torch.ones(1, 1, 9, 9)
    depth[..., 4, 4] = 0.25
    scene = look(depth, 2000.0, reach_px=2)
    assert (scene.surface[..., 2:7, 2:7] == 0.25).all()
    assert (scene.surface < 1).sum() == 25
    assert scene.reading.sum() == 1
    assert scene.depth is depth
    flat = look(torch.zeros(1, 1, 9, 9), 2000.0).dimness[..., 1:-1, 1:-1]
    torch.testing.assert_close(flat, torch.full_like(flat, 2.0))  # a quarter of the light of 1 m


def test_distances_are_wanted():
    with pytest.raises(ValueError, match="give distance_mm"):
        look_at(torch.zeros(1, 1, 4, 4), None, METRE[0], 1)
