import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from refiner.geometry.crop import crop_cube
from refiner.nets.refiner.sampling import camera_sampling, filtered, round_depth, round_disparity

HALF_MM = 100.0


def maps(values):
    return torch.tensor(values, dtype=torch.float32)[None, None]


def sampling(step_px, phase_px, map_sides, sides):
    return camera_sampling(torch.tensor(step_px), torch.tensor(phase_px), map_sides, sides)


def test_a_plane_stays_a_plane_both_ways():
    """Two maps of one image, with 1.5 and 1.25 of the camera's pixels along one of theirs."""
    steps, phases = [1.5, 1.25], [[0.25, -0.5], [0.0, 0.0]]
    at = sampling(steps, phases, (6, 8), (12, 16))
    image = 0.01 * (torch.arange(12.0)[:, None] - 5.5) - 0.02 * (torch.arange(16.0)[None, :] - 7.5)
    for item, (step, (down, across)) in enumerate(zip(steps, phases, strict=True)):
        rows, columns = step * (torch.arange(6.0) - 2.5) + down, step * (torch.arange(8.0) - 3.5) + across
        plane = 0.01 * rows[:, None] - 0.02 * columns[None, :]
        back = at.at_camera_pixels(plane.expand(2, 1, 6, 8))[item, 0]
        inside = slice(3, 9), slice(4, 12)  # beyond the outermost pixels of the map it is continued level
        torch.testing.assert_close(back[inside], image[inside], rtol=0, atol=1e-6)
        # A tent is symmetric, but where a pixel lies between two of the camera's their weights are made to add up to 1.
        found = at.at_map_pixels(image.expand(2, 1, 12, 16))[item, 0]
        torch.testing.assert_close(found, plane, rtol=0, atol=2e-3)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 1000), st.floats(1.0, 3.0), st.floats(-0.5, 0.5), st.floats(-0.5, 0.5))
def test_footprints_are_averaged_as_the_crop_does(seed, step_px, down, across):
    """The crop of a camera's frame, and the average here, are one, however its pixels lie to those of the map."""
    z_mm, focal_px, size, side = 600.0, 60.0, 8, 30
    noise_mm = np.random.default_rng(seed).normal(0, 1, (side, side)).astype(np.float32)
    middle = (side - 1) / 2
    cube_mm = size * step_px * z_mm / focal_px
    camera = (focal_px, focal_px, middle + across, middle + down)
    crop, _ = crop_cube(z_mm + noise_mm, camera, (0, 0, z_mm), cube_mm, size)
    found = sampling([step_px], [[down, across]], (size, size), (side, side)).at_map_pixels(maps(noise_mm))
    np.testing.assert_allclose(found[0, 0].numpy(), crop - z_mm, atol=2e-3)


def test_filters_go_round_the_borders():
    noise = torch.zeros(1, 1, 4, 6)
    noise[..., 0, 5] = 2.0
    weights = torch.tensor([[[[0.0, 0.0, 0.0], [0.0, 1.0, 0.5], [0.0, 0.0, 0.25]]]])
    wanted = torch.zeros(1, 1, 4, 6)
    wanted[..., 1, 0], wanted[..., 1, 1], wanted[..., 2, 1] = 2.0, 1.0, 0.5
    torch.testing.assert_close(filtered(noise, weights), wanted, rtol=0, atol=1e-6)


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
    at = sampling([1.5], [[0.1, 0.2]], (5, 5), (10, 10))
    measured = round_disparity(at.at_camera_pixels(depth), torch.tensor([800.0]), HALF_MM, 2.9)
    at.at_map_pixels(measured).sum().backward()
    assert depth.grad is not None
    assert depth.grad.sum().item() == pytest.approx(25, rel=1e-4)  # a map that is moved by 1 is measured 1 farther
