import pytest
import torch

from refiner.nets.refiner.camera_noise import CameraNoise, mean_window
from refiner.nets.refiner.sampling import camera_sampling

DISTANCE_MM = torch.full((50,), 1000.0)


def drawn(camera, seed=0, side=16):
    """Draw noise for maps of 16 px that show 260 mm."""
    numbers = 2 if camera.dots_per_px > 0 else 1
    sides = 50, numbers, camera.most_px * side, camera.most_px * side
    generator = torch.Generator().manual_seed(seed)
    independent, phase = torch.randn(sides, generator=generator), torch.randn(50, 2, generator=generator)
    return camera.draw(independent, phase, DISTANCE_MM, side, side)


def measured(camera, deviation, seed=0):
    flat = torch.zeros(50, 1, 16, 16)
    return camera(flat, flat + deviation, drawn(camera, seed))


def test_filters_begin_as_means_of_unit_variance():
    window = mean_window(3, 7)[0, 0]
    assert window.square().sum().item() == pytest.approx(1)
    assert window[2:5, 2:5].unique().tolist() == pytest.approx([1 / 3])
    assert window.sum().item() == pytest.approx(3)


def test_rows_alternate_at_the_cameras_pixels():
    """One of the camera's pixels to one of the map: rows lie half the offset either way, or average out between."""
    camera = CameraNoise(1000 / 260 * 16, 1, row_offset=0.02)
    found = measured(camera, 0.0)
    assert found.std(dim=3).max() < 1e-6  # columns are alike
    rows = found[:, 0, 2:-2, 0]
    torch.testing.assert_close(rows[:, 1:], -rows[:, :-1], rtol=0, atol=1e-4)
    assert 0.008 < rows.abs().max() <= 0.01  # of a map whose pixels lie on the camera's
    assert rows.abs().min() < 0.002  # and of one whose pixels lie between two rows
    assert abs(rows.mean().item()) < 1e-3


@pytest.mark.parametrize(("pixels", "parts"), [(1, 1), (2, 64)])
def test_whole_units_are_mixed_by_the_crop(pixels, parts):
    """A wall at 1000.3 mm in whole millimetres: mixed of 4 x 4 of them, in shares of 1/8 and 3/8 along each axis."""
    camera = CameraNoise(pixels * 1000 / 260 * 16, pixels, field_px=3, window_px=1, unit_mm=1.0)
    draw, wall = drawn(camera), torch.full((50, 1, 16, 16), 0.3 / 130)
    sides = 16 * pixels, 16 * pixels
    middle_on_middle = camera_sampling(torch.full((50,), float(pixels)), torch.zeros(50, 2), (16, 16), sides)
    found_mm = camera(wall, torch.full_like(wall, 2 / 130), draw._replace(sampling=middle_on_middle)) * 130
    found_mm = found_mm[..., 1:-1, 1:-1]  # shares at the borders are others
    torch.testing.assert_close(found_mm * parts, (found_mm * parts).round(), rtol=0, atol=0.01)
    whole = ((found_mm - found_mm.round()).abs() < 1e-3).float().mean()
    assert whole == 1 if parts == 1 else whole < 0.1
    assert found_mm.mean().item() == pytest.approx(0.3, abs=0.05)


def dotted(dots_per_px):
    """A camera that has a pixel for each of the map's, steps of 3 mm at 1 m and windows of 5 px."""
    return CameraNoise(1000 / 260 * 32, 1, step_mm=3.0, field_px=7, window_px=5, dots_per_px=dots_per_px)


def shown(camera, depth, reading=None):
    return camera(depth, torch.zeros_like(depth), drawn(camera, side=32), reading)


def test_between_dots_a_wall_is_still_a_wall():
    wall = torch.full((50, 1, 32, 32), 0.1)
    torch.testing.assert_close(shown(dotted(0.2), wall), shown(dotted(0.0), wall), rtol=0, atol=1e-6)


def test_dots_give_terraces_straight_edges():
    """A plane that falls 1 mm a pixel to the lower right: terraces are stairs, with a corner at every step."""
    down = torch.arange(32.0) / 130
    slope = (down[:, None] + down[None, :]).expand(50, 1, 32, 32) - 0.2
    corners = []
    for dots_per_px in (0.0, 0.2):
        steps = (1e6 / 3 / (1000 + 130 * shown(dotted(dots_per_px), slope))).round()[..., 4:-4, 4:-4]
        corners.append((steps.diff(dim=2).diff(dim=3) != 0).float().mean().item())
    plain, with_dots = corners
    assert with_dots < 0.8 * plain
    off_mm = 130 * (shown(dotted(0.2), slope) - slope)[..., 4:-4, 4:-4]
    assert abs(off_mm.mean().item()) < 0.1
    assert off_mm.abs().max() < 3.2 + 1.6 + 0.1  # a step by the dots, half a one by rounding


def test_dots_beyond_an_outline_say_nothing():
    depth, reading = torch.zeros(50, 1, 32, 32), torch.ones(50, 1, 32, 32)
    depth[..., 16:], reading[..., 16:] = 1.0, 0.0
    found, alone = shown(dotted(0.2), depth, reading), shown(dotted(0.2), torch.zeros_like(depth))
    torch.testing.assert_close(found[..., :14], alone[..., :14], rtol=0, atol=1e-5)
    assert (shown(dotted(0.2), depth) - alone)[..., 12:14].abs().max() > 0.01  # without being told they do


def test_noise_is_bounded():
    camera = CameraNoise(1000 / 260 * 16, 1, max_noise=0.05)
    assert measured(camera, 10.0).abs().max().item() <= 0.05 + 1e-6


def test_noise_is_as_strong_as_it_is_told_to_be():
    camera = CameraNoise(1000 / 260 * 16, 1, field_px=3, window_px=1)
    weak, strong = measured(camera, 0.001).std().item(), measured(camera, 0.002).std().item()
    assert strong == pytest.approx(2 * weak, rel=0.01)


def test_what_the_network_sees_is_the_noise_of_the_map():
    camera = CameraNoise(1500 / 260 * 16, 2)
    draw, flat = drawn(camera), torch.zeros(50, 1, 16, 16)
    torch.testing.assert_close(camera(flat, flat + 1e-3, draw), 1e-3 * draw.seen, rtol=0, atol=1e-6)


def test_cameras_with_more_pixels_than_there_are_are_refused():
    camera = CameraNoise(575.0, 2)
    camera.check(128, 800.0)  # 1.5 of them
    with pytest.raises(
        ValueError, match=r"Found 2.9 of the camera's pixels .* give model.refiner.init_args.camera_px 4"
    ):
        camera.check(64, 800.0)


def test_filter_and_offset_learn():
    camera = CameraNoise(100.0, 2, row_offset=0.01)
    measured(camera, 0.01).square().mean().backward()
    assert camera.filter.grad is not None
    assert camera.filter.grad.abs().max() > 0
    assert camera.rows.grad is not None
    assert camera.rows.grad > 0
