import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from refiner.geometry.crop import crop_cube
from refiner.nets.sampling import at_camera_pixels, average_over_footprint, round_depth, round_disparity

HALF_MM = torch.tensor(100.0)


def maps(values):
    return torch.tensor(values, dtype=torch.float32)[None, None]


def test_a_plane_stays_the_plane_at_the_cameras_pixels():
    at = torch.arange(6.0)
    plane = 0.01 * at[:, None] - 0.02 * at[None, :]
    fine = (torch.arange(18.0) - 1) / 3  # in pixels of the map: the middle one of three lies on the map's pixel
    found = at_camera_pixels(plane[None, None], 3, HALF_MM)[0, 0]
    torch.testing.assert_close(found, 0.01 * fine[:, None] - 0.02 * fine[None, :])


def test_surfaces_are_not_joined_at_the_cameras_pixels():
    # Slopes of 2 mm on the left, then a step of 50 mm, a surface of one pixel, and no reading.
    found = at_camera_pixels(maps([[0.0, 0.02, 0.52, 1.0]]), 3, HALF_MM)[0, 0, 1]
    third = 0.02 / 3
    wanted = [-third, 0.0, third, 0.02 - third, 0.02, 0.02 + third, 0.52, 0.52, 0.52, 1.0, 1.0, 1.0]
    torch.testing.assert_close(found, torch.tensor(wanted))


def test_opposite_borders_are_no_neighbours():
    found = at_camera_pixels(maps([[0.0], [0.5], [0.05]]), 3, HALF_MM)
    torch.testing.assert_close(found, maps([[0.0], [0.5], [0.05]]).repeat_interleave(3, 2).repeat_interleave(3, 3))


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 1000))
def test_footprints_are_averaged_as_the_crop_does(seed):
    """A camera whose pixels lie three to one of a map's: the crop of its frame, and the average here, are one."""
    rng = np.random.default_rng(seed)
    size, k, z_mm, focal_px = 8, 3, 600.0, 60.0
    # Two surfaces 40 mm apart with noise that goes beyond what counts as one surface, and holes.
    frame = z_mm + 40 * (np.arange(k * size) > 11)[:, None] + rng.normal(0, 6, (k * size, k * size))
    frame = np.where(rng.random(frame.shape) < 0.1, 0, frame).astype(np.float32)
    middle = (k * size - 1) / 2
    cube_mm = size * k * z_mm / focal_px
    crop, _ = crop_cube(frame, (focal_px, focal_px, middle, middle), (0, 0, z_mm), cube_mm, size)
    half_mm = torch.tensor(cube_mm / 2)
    network = torch.from_numpy(np.where(frame > 0, (frame - z_mm) / (cube_mm / 2), 1).astype(np.float32))[None, None]
    found = average_over_footprint(network, k, half_mm)[0, 0] * half_mm + z_mm
    seen = crop > 0
    assert seen.sum() > size
    np.testing.assert_allclose(found.numpy()[seen], crop[seen], atol=0.02)


def test_steps_of_disparity_by_hand():
    """At 2 m one step is four times as deep as at 1 m, and what lies between two steps goes to the nearer one."""
    distance_mm = torch.tensor([1000.0, 2000.0])
    depth = torch.linspace(-0.2, 0.2, 4001).expand(2, 1, 1, -1)
    found_mm = distance_mm.view(2, 1, 1, 1) + round_disparity(depth, distance_mm, HALF_MM, 3.0) * 100
    for row, step_mm in zip(found_mm[:, 0, 0], (3.0, 12.0), strict=True):
        steps = row.unique().diff()
        steps = steps[steps > 0.1]
        assert steps.mean().item() == pytest.approx(step_mm, rel=0.02)
    change_mm = (found_mm[:, 0, 0] - distance_mm[:, None] - depth[:, 0, 0] * 100).abs().amax(dim=1)
    assert change_mm.tolist() == pytest.approx([1.5, 6.0], rel=0.05)


def test_depths_are_rounded_from_the_camera_and_not_from_the_centre():
    depth = maps([[0.0, 0.014, 1.0]]).requires_grad_()
    found = round_depth(depth, torch.tensor([700.3]), torch.tensor([200.0]), 1.0)  # 700.3, 701.7 mm
    torch.testing.assert_close(found, maps([[-0.003, 0.017, 1.0]]), rtol=0, atol=1e-6)
    assert found[..., 2].item() == 1
    (gradient,) = torch.autograd.grad(found.sum(), depth)
    torch.testing.assert_close(gradient, torch.ones_like(depth))


def test_gradients_pass_through_steps_and_averages():
    depth = (torch.rand(1, 1, 5, 5) * 0.02).requires_grad_()
    camera = at_camera_pixels(depth, 3, HALF_MM)
    average_over_footprint(round_disparity(camera, torch.tensor([800.0]), HALF_MM, 2.9), 3, HALF_MM).sum().backward()
    assert depth.grad is not None
    assert depth.grad.sum().item() == pytest.approx(25, rel=1e-4)  # a map that is moved by 1 is measured 1 farther
