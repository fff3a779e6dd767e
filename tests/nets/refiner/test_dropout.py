import math

import pytest
import torch
from scenes import discs, look, noise_for, zeros_for

from refiner.nets.refiner.dropout import Growth, LightLoss, PixelLoss, near_noise

NOTHING = torch.zeros(1, 0, 1, 1)


def wall(tilt_deg=0.0, size=32):
    """A wall through the middle of the cube that falls away to the right."""
    across = math.tan(math.radians(tilt_deg)) * (torch.arange(size) - size / 2) / (size / 2)
    return across.clamp(-0.9, 0.9).expand(1, 1, size, size)


@pytest.mark.parametrize(
    ("tilt_deg", "distance_mm", "octaves"),
    [(0, 1000, 0), (60, 1000, 1), (0, 1000 * math.sqrt(2), 1), (0, 4000, 4), (0, 500, -2)],
)
def test_light_decides_by_the_tilt_and_the_distance(tilt_deg, distance_mm, octaves):
    part, scene = LightLoss(sharpness=4.0, margin=1.0, gain=8.0), look(wall(tilt_deg), distance_mm)
    with torch.no_grad():
        part.threshold.fill_(0.25)
    choice, excess = part(NOTHING, part.drawn(zeros_for(part, 1, 32), scene), scene)
    middle = choice.logit[..., 12:20, 12:20]
    torch.testing.assert_close(middle, torch.full_like(middle, 8 * 0.25 - 1 - 4 * max(1.32 - octaves, 0)))
    assert excess == 0


def test_light_never_takes_all_that_faces_the_camera():
    part = LightLoss(sharpness=4.0, margin=1.0, gain=8.0)
    with torch.no_grad():
        part.threshold.fill_(100.0)
    scene = look(wall())
    choice, excess = part(NOTHING, part.drawn(zeros_for(part, 1, 32), scene), scene)
    inside = choice.logit[..., 1:-1, 1:-1]
    torch.testing.assert_close(inside, torch.full_like(inside, -4 * 0.07))  # half are lost at 0.95 of the light
    assert excess.item() == pytest.approx((800 - (1 + 4 * (1.32 - 0.07))) ** 2)


def test_the_noise_of_light_is_common_to_neighbours_and_map():
    part = LightLoss()
    scene = look(wall().expand(3000, 1, 32, 32))
    choice, _ = part(NOTHING, part.drawn(noise_for(part, 3000, 32), scene), scene)
    middle, beside, far = choice.noise[:, 0, 8, 4], choice.noise[:, 0, 8, 5], choice.noise[:, 0, 8, 20]
    assert middle.var().item() == pytest.approx(1, abs=0.1)
    for other, wanted in ((beside, 0.5 * 6 / 7 + 0.4), (far, 0.4)):
        assert torch.corrcoef(torch.stack([middle, other]))[0, 1].item() == pytest.approx(wanted, abs=0.07)


@pytest.mark.parametrize("part", [PixelLoss(margin=2.0, gain=0.5), Growth(margin=2.0, gain=0.5)])
def test_the_backbone_says_where(part):
    depth = discs(2)
    scene, numbers = look(depth), torch.full((2, 1, 16, 16), 3.0)
    choice, excess = part(numbers, zeros_for(part, 2), scene)
    near = torch.nn.functional.max_pool2d((depth < 1).float(), 5, 1, 2) > 0
    among = depth < 1 if isinstance(part, PixelLoss) else near & (depth == 1)
    torch.testing.assert_close(choice.logit, torch.where(among, 0.5 * 3 - 2, 0.0))
    assert excess == 0
    choice, excess = part(100 * numbers, zeros_for(part, 2), scene)
    torch.testing.assert_close(choice.logit, torch.where(among, 3.5, 0.0))
    assert excess.item() == pytest.approx((150 - 2 - 3.5) ** 2)


def test_choices_that_are_certain_stand_when_the_network_is_used():
    depth = discs(3).repeat(500, 1, 1, 1)
    scene, part = look(depth), PixelLoss(margin=2.4)
    noise, none = noise_for(part, 1500), torch.zeros(1500, 1, 16, 16)
    for training, margin, wanted in ((True, 2.4, 0.0082), (False, 2.4, 0.0082), (True, 3.1, 0.00097), (False, 3.1, 0)):
        part.margin = margin
        choice, _ = part.train(training)(none, noise, scene)
        lost = (choice.logit + choice.noise > 0)[depth < 1].float().mean().item()
        assert lost == pytest.approx(wanted, rel=0.25)


@pytest.mark.parametrize("kind", [PixelLoss, Growth])
def test_the_score_is_the_mean_of_the_noise_under_what_was_chosen(kind):
    """Where n and -n choose alike that is 0; elsewhere the mean of a normal number beyond the margin."""
    depth = torch.ones(1500, 1, 16, 16)
    depth[..., :8] = 0.0
    part = kind(margin=1.2)
    choice, _ = part(torch.zeros_like(depth), noise_for(part, 1500), look(depth))
    among = choice.logit != 0
    assert among.float().mean() > 0.1
    noise, score = choice.noise[among], choice.score[among]
    for here in ((noise.abs() <= 1.2), (noise > 1.2), (noise < -1.2)):
        torch.testing.assert_close(score[here], noise[here].mean().expand(int(here.sum())), rtol=0.02, atol=0.01)
    assert torch.equal(LightLoss()(NOTHING, {"tried": choice.noise}, look(depth))[0].score, choice.noise)


def test_the_backbone_sees_what_blots_are_made_of():
    part, noise = PixelLoss(), noise_for(PixelLoss(), 2000, 16)
    near, of_map = part.seen(noise)
    assert part.planes == 2
    assert near[:, 0, 8, 8].var().item() == pytest.approx(1, abs=0.1)
    assert torch.corrcoef(near[:, 0, 8, 7:9].T)[0, 1].item() == pytest.approx(6 / 7, abs=0.03)
    assert (of_map == noise["map"]).all()
    torch.testing.assert_close(near_noise(noise["near"]), near)


@pytest.mark.parametrize("part", [LightLoss(0.1, 0.2, 0.3), PixelLoss(0.1, 0.2), Growth(1, 0.2, 0.3)])
def test_settings_build_a_part_again(part):
    again = type(part)(**part.settings)
    assert vars(again).keys() == vars(part).keys()
    assert {name: getattr(again, name) for name in part.settings} == part.settings
