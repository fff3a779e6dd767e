import pytest
import torch
from scenes import look, noise_for

from refiner.datasets.facts import CameraPixels, TrainingFacts
from refiner.geometry.depth import DepthCodec
from refiner.nets.refiner import CameraNoise
from refiner.nets.refiner.measurement import mean_window
from refiner.nets.refiner.sampling import camera_sampling

FLAT = torch.zeros(50, 1, 16, 16)


def camera(per_map=1, unit_mm=1e-4, step_mm=0.0, rows_mm=0.0, **settings):
    """Build the noise of a camera with `per_map` pixels along each pixel of a map: 16 px, 260 mm wide, at 1 m."""
    part = CameraNoise(**settings)
    pixels = CameraPixels(per_map * 1000 / 260 * 16, unit_mm, step_mm, rows_mm)
    part.meet(TrainingFacts(DepthCodec(16, 260.0, 1.0), 1000.0, 1000.0, pixels))
    return part


def measured(part, depth=FLAT, octaves=0.0, noise=None, middle_on_middle=False):
    scene = look(depth)
    drawn = part.drawn(noise or noise_for(part, len(depth)), scene)
    if middle_on_middle:
        step_px, sides = torch.full((len(depth),), float(part.most_px)), 2 * (16 * part.most_px,)
        drawn |= camera_sampling(step_px, torch.zeros(len(depth), 2), (16, 16), sides)._asdict()
    return part(depth, torch.full_like(depth, octaves), drawn, scene)


def test_filters_begin_as_means_of_unit_variance():
    window = mean_window(3, 7)[0, 0]
    assert window.square().sum().item() == pytest.approx(1)
    assert window[2:5, 2:5].unique().tolist() == pytest.approx([1 / 3])
    assert window.sum().item() == pytest.approx(3)


def test_rows_alternate_at_the_cameras_pixels():
    """One of the camera's pixels to one of the map: rows lie half the offset either way, or average out between."""
    found = 130 * measured(camera(rows_mm=2.0, first=1e-9))
    assert found.std(dim=3).max() < 1e-3  # columns are alike
    rows = found[:, 0, 2:-2, 0]
    torch.testing.assert_close(rows[:, 1:], -rows[:, :-1], rtol=0, atol=0.01)
    assert 0.8 < rows.abs().max() <= 1.0  # of a map whose pixels lie on the camera's
    assert rows.abs().min() < 0.2  # and of one whose pixels lie between two rows
    assert abs(rows.mean().item()) < 0.1


@pytest.mark.parametrize(("per_map", "parts"), [(1, 1), (2, 64)])
def test_whole_units_are_mixed_by_the_crop(per_map, parts):
    """A wall at 1000.3 mm in whole millimetres: mixed of 4 x 4 of them, in shares of 1/8 and 3/8 along each axis."""
    part = camera(per_map, unit_mm=1.0, first=2 / 130, filter_px=3)
    found_mm = 130 * measured(part, torch.full_like(FLAT, 0.3 / 130), middle_on_middle=True)
    found_mm = found_mm[..., 1:-1, 1:-1]  # shares at the borders are others
    torch.testing.assert_close(found_mm * parts, (found_mm * parts).round(), rtol=0, atol=0.01)
    whole = ((found_mm - found_mm.round()).abs() < 1e-3).float().mean()
    assert whole == 1 if parts == 1 else whole < 0.1
    assert found_mm.mean().item() == pytest.approx(0.3, abs=0.1)


def test_steps_are_those_of_disparity():
    """A camera with steps of 3 mm at 1 m, a pixel for each of the map's: depths are 1e6 / (3 k) mm."""
    depth_mm = 1000 + 130 * measured(camera(step_mm=3.0, first=4 / 130), middle_on_middle=True)
    disparity = (1e6 / 3 / depth_mm)[..., 1:-1, 1:-1]
    torch.testing.assert_close(disparity, disparity.round(), rtol=0, atol=0.02)
    assert len(disparity.round().unique()) > 3


def test_noise_is_bounded():
    assert measured(camera(most=0.05), octaves=20.0).abs().max().item() <= 0.05 + 1e-5


def test_noise_is_as_strong_as_it_is_told_to_be():
    """By octaves for 2 of the backbone's numbers, as far as the filter's window is one pixel wide in the map."""
    part = camera(filter_px=3)
    weak, strong = (measured(part, octaves=octaves).std().item() for octaves in (-4.0, -2.0))
    assert strong == pytest.approx(2 * weak, rel=0.01)


def test_what_the_network_sees_is_the_noise_of_the_map():
    part = camera(2, first=1e-3)
    noise = noise_for(part, 50)
    (seen,) = part.seen(part.drawn(noise, look(FLAT)))
    shown = measured(part, noise=noise)[..., 3:-3, 3:-3]  # less light comes back beside the border
    torch.testing.assert_close(shown, 1e-3 * seen[..., 3:-3, 3:-3], rtol=0, atol=1e-5)


def test_as_many_pixels_are_drawn_as_the_nearest_hand_has():
    part, codec = CameraNoise(), DepthCodec(64, 260.0, 1.0)
    part.meet(TrainingFacts(codec, 900.0, 600.0, CameraPixels(575.0, 1.0)))  # 3.9 along one of the map
    assert part.noise_shapes(64, 64) == {"pixel": (1, 256, 256), "phase": (1, 1, 2)}


@pytest.mark.parametrize(
    ("facts", "message"),
    [
        (TrainingFacts(DepthCodec(16, 260.0, 1.0), 700.0, 600.0), "Prepare the recording again from whole images"),
        (TrainingFacts(DepthCodec(16, None, 1.0), 700.0, 600.0, CameraPixels(400.0, 1.0)), "cubes of several sizes"),
    ],
)
def test_maps_that_say_too_little_are_refused(facts, message):
    with pytest.raises(ValueError, match=message):
        CameraNoise().meet(facts)


def test_it_has_to_be_told_of_a_camera():
    told, untold = camera(), CameraNoise()
    drawn = told.drawn(noise_for(told, 50), look(FLAT))
    with pytest.raises(ValueError, match="tell it of one"):
        untold(FLAT, FLAT, drawn, look(FLAT))
    untold.load_state_dict(told.state_dict())
    torch.testing.assert_close(untold(FLAT, FLAT, drawn, look(FLAT)), told(FLAT, FLAT, drawn, look(FLAT)))


def test_the_filter_learns():
    part = camera(2)
    measured(part).square().mean().backward()
    assert part.filter.grad is not None
    assert part.filter.grad.abs().max() > 0
