import math

import pytest
import torch
from scenes import look, noise_for

from refiner.nets.refiner.measurement import MapNoise

FLAT = torch.zeros(400, 1, 16, 16)


def change(part, octaves=0.0, distance_mm=1000.0, lines=(0.0, 0.0)):
    part.lines.data = torch.tensor(lines)
    noise = noise_for(part, 400)
    scene = look(FLAT, distance_mm)
    measured = part(FLAT, torch.full_like(FLAT, octaves), part.drawn(noise, scene), scene)
    return measured[:, 0, 4:-4, 4:-4]


def test_noise_is_alike_as_far_as_the_filter_says():
    """A filter of 5 begins as the mean of 3: neighbours share two of three columns, those three apart none."""
    found = change(MapNoise(first=0.01))
    assert found.std().item() == pytest.approx(0.01, rel=0.05)
    for apart, wanted in ((1, 2 / 3), (3, 0.0)):
        pairs = torch.stack([found[..., apart:].flatten(), found[..., :-apart].flatten()])
        assert torch.corrcoef(pairs)[0, 1].item() == pytest.approx(wanted, abs=0.04)


@pytest.mark.parametrize(("lines", "axis"), [((2.0, 0.0), 2), ((0.0, 2.0), 1)])
def test_rows_and_columns_have_noise_of_their_own(lines, axis):
    """Four fifths of the variance are common to a row, or to a column, and none to others."""
    found = change(MapNoise(first=0.01), lines=lines)
    assert found.std().item() == pytest.approx(0.01 * 5**0.5, rel=0.05)
    for along, wanted in ((axis, 4 / 5), (3 - axis, 0.0)):
        apart = [found.narrow(along, start, found.shape[along] - 3).flatten() for start in (0, 3)]
        assert torch.corrcoef(torch.stack(apart))[0, 1].item() == pytest.approx(wanted, abs=0.05)


@pytest.mark.parametrize(
    ("octaves", "distance_mm", "times"),
    [(2.0, 1000, 2), (-4.0, 1000, 0.25), (0.0, 1000 * math.sqrt(2), 2), (0, 8000, 4)],
)
def test_noise_grows_by_octaves(octaves, distance_mm, times):
    """By half an octave for 1 of the backbone's; as light falls, but for more than two octaves."""
    part = MapNoise(first=0.01, most=10.0)
    assert change(part, octaves, distance_mm).std().item() == pytest.approx(0.01 * times, rel=0.05)


def test_noise_is_bounded_and_its_mean_is_0():
    found = change(MapNoise(first=0.1, most=0.05), octaves=8.0)
    assert found.abs().max() <= 0.05
    assert abs(found.mean().item()) < 0.003


def test_filters_that_cannot_be_are_refused():
    for filter_px in (1, 4):
        with pytest.raises(ValueError, match=f"Found filter_px {filter_px}, wanted an odd number from 3 on"):
            MapNoise(filter_px=filter_px)
