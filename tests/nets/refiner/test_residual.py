import math

import pytest
import torch
from fakes import awake
from scenes import METRE, discs, noise_for, zeros_for

from refiner.nets.blocks import dimness_octaves
from refiner.nets.refiner import PaperRefiner, ResidualRefiner


def mild(network, items, size=16, seed=0):
    """Noise that changes no untrained choice."""
    noise = noise_for(network, items, size, seed)
    return noise | {name: noise[name].clamp(-0.1, 0.1) for name in ("own", "near")}


@pytest.mark.parametrize("fold", [1, 2, 4])
@pytest.mark.parametrize("size", [16, 17])
def test_residual_refiner_starts_as_the_identity(fold, size):
    network, x = ResidualRefiner(channels=8, blocks=1, fold=fold), discs(3, size)
    for training in (True, False):
        torch.testing.assert_close(network.train(training)(x), x, rtol=0, atol=0)
    y = network(x, mild(network, 3, size))
    assert torch.equal(y == 1, x == 1)
    # 0.01 of noise, that of neighbours alike: two of three columns of the filter are shared.
    many = x.repeat(200, 1, 1, 1)
    y, hand = network(many, mild(network, 600, size)), many < 1
    change = torch.where(hand, y - many, torch.nan)
    assert change[hand].std().item() == pytest.approx(0.01, rel=0.06)
    pairs = torch.stack([change[..., :-1].flatten(), change[..., 1:].flatten()])
    pairs = pairs[:, ~pairs.isnan().any(dim=0)]
    assert torch.corrcoef(pairs)[0, 1].item() == pytest.approx(2 / 3, abs=0.04)
    # Beyond the margin of 2 a pixel changes its mind: 2.3 % of the hand's are lost.
    noise = noise_for(network, 600, size, seed=1)
    assert (network.train()(many, noise) == 1)[hand].float().mean().item() == pytest.approx(0.0228, abs=0.006)


def test_residual_refiner_cannot_break_labels():
    network = awake(ResidualRefiner(channels=8, blocks=2, max_shift=0.1, max_noise=0.05, reach_px=2)).eval()
    x = discs(6)
    y = network(x, noise_for(network, 6))
    assert y.min() >= -1
    assert y.max() <= 1
    both = (x < 1) & (y < 1)
    assert (y - x)[both].abs().max() <= 0.1 + 0.05 + 1e-6  # of which noise
    assert ((x < 1) & (y == 1)).any()  # some readings were taken away
    assert ((x == 1) & (y < 1)).any()  # and some added,
    near = torch.nn.functional.max_pool2d((x < 1).float(), 5, 1, 2) > 0
    assert (y[~near] == 1).all()  # but none out of reach
    assert torch.isfinite(y).all()


def test_a_draw_and_its_opposite_by_hand():
    network, x = awake(ResidualRefiner(channels=8, blocks=1)), discs(4)
    noise = noise_for(network, 4)
    draw = network.draw(x, noise)
    torch.testing.assert_close(draw.refined, network(x, noise), rtol=0, atol=0)
    turned = noise | {name: -noise[name] for name in ("own", "near")}
    torch.testing.assert_close(draw.opposite, network(x, turned), rtol=0, atol=0)
    possible = torch.nn.functional.max_pool2d((x < 1).float(), 3, 1, 1) > 0
    (choice,) = draw.choices
    wanted = (choice.logit + choice.noise > 0) | ~possible
    assert torch.equal(draw.refined == 1, wanted)
    assert not draw.opposite.requires_grad
    assert (choice.logit[~possible] == 0).all()


def test_a_draw_has_its_depth_without_noise():
    network, x = ResidualRefiner(8, 1, first_noise=0.05, max_noise=10.0), discs(200)
    torch.nn.init.constant_(network.last.bias, 0.7)  # s = a = 0.07, m does not depend on the noise
    noise = noise_for(network, 200)
    draw = network.draw(x, noise)
    both = (draw.refined < 1) & (x < 0.5)  # nothing is cut at the far face
    wanted = 0.1 * torch.tanh(torch.tensor(0.07))
    torch.testing.assert_close((draw.noise_free - x)[both], wanted.expand(int(both.sum())))
    assert (draw.refined - draw.noise_free)[both].std().item() == pytest.approx(0.05 + 0.1 * 0.07, rel=0.05)
    assert (draw.noise_free == 1)[(x < 0.5) & (draw.refined == 1)].all()
    assert draw.noise_free.requires_grad


def test_rims_may_fall_away_farther_than_the_rest():
    """A straight outline: the pixel at it has 15 readings of 25 around, the next 20, all others 25."""
    network = ResidualRefiner(8, 1, max_shift=0.1, rim_shift=0.4, gain=1.0).eval()
    torch.nn.init.constant_(network.last.bias, 20.0)  # s at its greatest; the choice's own number is cut off
    x = torch.full((1, 1, 16, 16), 0.0)
    x[..., :8] = 1.0
    noise_free = network.draw(x, zeros_for(network, 1)).noise_free
    torch.testing.assert_close(noise_free[0, 0, 8, 8:12], torch.tensor([0.5, 0.3, 0.1, 0.1]), rtol=0, atol=1e-5)


def test_noise_at_the_cameras_pixels_is_averaged_to_the_maps():
    """Two of the camera's pixels along one of the map, under a tent, with noise that is alike over three of them.

    A map of 16 px shows 260 mm: at 1 m a focal length of 123 px makes it two.
    """
    network = ResidualRefiner(8, 1, camera_px=2, focal_px=2000 / 260 * 16, first_noise=0.02).eval()
    x = torch.zeros(400, 1, 16, 16)
    noise = mild(network, 400)
    change = network(x, noise, METRE.expand(400))[:, 0, 2:-2, 2:-2]
    # Tent and box are filters in a row: variances are sums over products of their weights, for every phase.
    variances, apart = [], []
    for phase in torch.linspace(-0.5, 0.5, 21):
        tent = (1 - (torch.arange(-3.0, 4.0) - phase).abs() / 2).clamp(min=0)
        row = torch.nn.functional.conv1d((tent / tent.sum())[None, None], torch.full((1, 1, 3), 3**-0.5), padding=2)
        variances.append(row.square().sum().item())
        apart.append((row[..., 2:] * row[..., :-2]).sum().item())
    wanted = 0.02 * sum(variances) / len(variances)  # of a plane: rows' deviation times columns'
    assert change.std().item() == pytest.approx(wanted, rel=0.03)
    neighbours = torch.corrcoef(torch.stack([change[..., :-1].flatten(), change[..., 1:].flatten()]))[0, 1]
    assert neighbours.item() == pytest.approx(sum(apart) / sum(variances), abs=0.02)
    nearer = network(x, noise, 2 * METRE.expand(400))[:, 0, 2:-2, 2:-2]  # one of the camera's pixels to each
    assert nearer.std().item() > 1.1 * wanted


def test_noise_is_alike_as_far_as_the_camera_matches():
    """A filter of 7 begins as the mean of 5: neighbours share four of five columns, those five apart none."""
    network, x = ResidualRefiner(8, 1, field_px=7, first_noise=0.02).eval(), torch.zeros(100, 1, 16, 16)
    noise = mild(network, 100)
    change = network(x, noise)[:, 0, 3:-3, 3:-3]
    assert change.std().item() == pytest.approx(0.02, rel=0.05)
    for apart, wanted in ((1, 0.8), (5, 0.0)):
        pairs = torch.stack([change[..., apart:].flatten(), change[..., :-apart].flatten()])
        assert torch.corrcoef(pairs)[0, 1].item() == pytest.approx(wanted, abs=0.04)
    with pytest.raises(ValueError, match="field_px 4 and window_px 2, wanted an odd number"):
        ResidualRefiner(8, 1, field_px=4)


def test_steps_are_made_at_the_cameras_pixels():
    """Steps of 5 mm at 1 m: a surface that faces the camera comes back at the nearest one, whatever the map's unit."""
    network = ResidualRefiner(8, 1, camera_px=2, focal_px=100.0, step_mm=5.0, first_noise=0.0).eval()
    for depth_mm in (-3.0, 0.0, 2.4):
        x = torch.full((1, 1, 16, 16), depth_mm / 130)
        found_mm = network(x, None, METRE) * 130 + 1000
        steps = 1e6 / 5.0 / found_mm
        torch.testing.assert_close(steps, steps.round(), rtol=0, atol=1e-3)
        assert (found_mm - 1000 - depth_mm).abs().max() <= 2.6
    with pytest.raises(ValueError, match="give distance_mm"):
        network(x)


@pytest.mark.parametrize(
    "wrong",
    [
        {"camera_px": 0},
        {"camera_px": 3},
        {"step_mm": 2.9},
        {"unit_mm": 1.0},
        {"dots_per_px": 0.2},
        {"row_offset": 0.01},
        {"focal_px": 575.0, "noise": False},
    ],
)
def test_camera_pixels_that_cannot_be_are_refused(wrong):
    with pytest.raises(ValueError, match="wanted a camera_px >= 1, a focal_px > 0"):
        ResidualRefiner(8, 1, **wrong)


@pytest.mark.parametrize(("dots_per_px", "step_mm"), [(0.2, 0.0), (1.0, 2.9), (-0.1, 2.9)])
def test_dots_that_cannot_be_are_refused(dots_per_px, step_mm):
    with pytest.raises(ValueError, match=r"wanted 0 <= dots_per_px < 1, and a step_mm > 0"):
        ResidualRefiner(8, 1, focal_px=575.0, dots_per_px=dots_per_px, step_mm=step_mm)


def test_dots_have_numbers_of_their_own():
    network = ResidualRefiner(8, 1, camera_px=2, focal_px=100.0, step_mm=3.0, dots_per_px=0.2, first_noise=0.0).eval()
    assert network.noise_shapes(16, 16)["depth"] == (32, 8, 8)
    slope = (torch.arange(16.0) / 130).expand(1, 1, 16, 16)
    noise = mild(network, 1)
    flipped = noise["depth"].clone()
    flipped[:, -16:] = flipped[:, -16:].flip(1)
    others = noise | {"depth": flipped}
    assert not torch.equal(network(slope, noise, METRE), network(slope, others, METRE))
    assert torch.isfinite(network(slope, None, METRE)).all()


def test_what_sends_little_light_back_is_less_certain_and_noisier():
    """Walls that face the camera and that fall away by 60 degrees, one octave dimmer, at 1 m and twice as far away."""
    network = ResidualRefiner(8, 1, margin=1.0, sharpness=4.0)
    noise = zeros_for(network, 1, 32)
    noise["depth"] += 1
    facing = torch.zeros(1, 1, 32, 32)
    tilted = facing + math.sqrt(3) * (torch.arange(32) - 16) / 16
    for depth, distance_mm, octaves in (
        (facing, METRE, 0),
        (tilted.clamp(-0.9, 0.9), METRE, 1),
        (facing, math.sqrt(2) * METRE, 1),
        (facing, 4 * METRE, 4),
        (facing, METRE / 2, -2),
    ):
        draw = network.draw(depth, noise, distance_mm)
        inside = (slice(None), slice(None), slice(12, 20), slice(12, 20))
        torch.testing.assert_close(
            draw.choices[0].logit[inside], torch.full((1, 1, 8, 8), -1 - 4 * max(1.32 - octaves, 0.0))
        )
        # f is 3 inside, the sum of a filter that keeps the variance of independent numbers; noise grows over 2 octaves.
        wanted = 0.3 * math.tanh(3 * 0.01 * 2 ** min(octaves, 2) / 0.3)
        torch.testing.assert_close((draw.refined - draw.noise_free)[inside], torch.full((1, 1, 8, 8), wanted))
    assert (network.draw(torch.ones(1, 1, 32, 32), noise, METRE).choices[0].logit == 0).all()
    with pytest.raises(ValueError, match="give distance_mm"):
        network(facing, noise)


def test_dimness_counts_from_the_reference_distance():
    network, twice = (ResidualRefiner(8, 1, sharpness=4.0) for _ in range(2))
    twice.reference_mm.fill_(2000.0)
    x, noise = discs(2), zeros_for(network, 2)
    near, far = (torch.full((2,), mm) for mm in (900.0, 1800.0))
    torch.testing.assert_close(
        network.draw(x, noise, near).choices[0].logit, twice.draw(x, noise, far).choices[0].logit
    )


def test_what_faces_the_camera_is_never_lost_altogether():
    network = ResidualRefiner(8, 1, margin=1.0, sharpness=4.0)
    torch.nn.init.constant_(network.last.bias, 100.0)  # m = 0.1 * 100 without bound
    draw = network.draw(torch.zeros(1, 1, 16, 16), zeros_for(network, 1), METRE)
    inside = draw.choices[0].logit[..., 1:-1, 1:-1]  # half are lost at 0.95 of the light
    torch.testing.assert_close(inside, torch.full_like(inside, -4 * 0.07))
    assert draw.excess.item() == pytest.approx((10 - (1 + 4 * (1.32 - 0.07))) ** 2)


def test_choices_are_learnt_for_areas():
    network = awake(ResidualRefiner(8, 1, choice_px=7, choice_gain=0.3, margin=99.0))
    single = ResidualRefiner(**(network.settings | {"choice_px": 1, "choice_gain": 1.0}))
    single.load_state_dict(network.state_dict())
    noise = zeros_for(network, 2)
    depth = 0.1 * torch.rand(2, 1, 16, 16)
    whole, each = (net.draw(depth, noise) for net in (network, single))
    assert each.choices[0].logit.std() > 0
    torch.testing.assert_close(
        whole.choices[0].logit[..., 8, 8] + 99, 0.3 * (each.choices[0].logit[..., 5:12, 5:12] + 99).mean(dim=(2, 3))
    )


def test_one_threshold_for_all_maps_is_what_the_camera_has():
    network = awake(ResidualRefiner(8, 1, choice_px=None, choice_gain=8.0, margin=1.0, sharpness=4.0))
    with torch.no_grad():
        network.threshold.fill_(0.25)
    depth, noise = discs(3), zeros_for(network, 3)
    draw = network.draw(depth, noise, torch.full((3,), 1000.0))
    dimness = dimness_octaves(depth, torch.full((3,), 1000.0), network.reference_mm)
    wanted = 8 * 0.25 - 1 - 4 * (1.32 - dimness).clamp(min=0)
    hand = depth < 1
    torch.testing.assert_close(draw.choices[0].logit[hand], wanted[hand])
    draw.choices[0].logit[hand].sum().backward()
    assert network.threshold.grad == 8 * int(hand.sum())


def test_slits_are_closed_before_outlines_grow():
    network = awake(ResidualRefiner(8, 1, reach_px=2, choice_px=None, choice_gain=8.0, margin=1.0, window=5.0))
    with torch.no_grad():
        network.threshold.fill_(0.25)
        network.growth.fill_(-0.125)
    depth = torch.ones(1, 1, 20, 24)
    depth[..., 5:10] = 0.0  # two fingers,
    depth[..., 11:16] = 0.0  # and a slit of a pixel
    draw = network.draw(depth, None)
    choice = draw.choices[0].logit[0, 0, 10]
    # Of 5 columns so many are readings; what a straight edge has, 3 inside and 2 outside, is neither for nor against.
    for column, readings in {5: 3, 7: 5, 9: 4, 11: 4}.items():
        assert choice[column].item() == pytest.approx(8 * 0.25 - 1 - 5 * (readings - 3) / 5)
    for column, readings in {3: 1, 4: 2, 10: 4}.items():
        assert choice[column].item() == pytest.approx(8 * -0.125 + 1 - 5 * (readings - 2) / 5, abs=1e-6)
    assert draw.refined[0, 0, 10, 10] < 1
    draw.choices[0].logit[..., 10].sum().backward()
    assert (network.growth.grad, network.threshold.grad) == (8 * 20, 0)


def test_choices_that_are_certain_stand_when_the_network_is_used():
    network, x = ResidualRefiner(8, 1, margin=2.4), discs(3).repeat(100, 1, 1, 1)
    noise = noise_for(network, 300)
    assert (network.train()(x, noise) == 1)[x < 1].float().mean().item() == pytest.approx(0.0082, abs=0.004)
    assert torch.equal(network.eval()(x, noise) == 1, x == 1)


def test_shares_of_the_choices_noise_add_up():
    with pytest.raises(ValueError, match="add up to 1"):
        ResidualRefiner(8, 1, choice_noise=(1.0, 0.5, 0.0))


def test_depths_have_a_gradient_and_choices_have_theirs():
    network, x = awake(ResidualRefiner(channels=8, blocks=1)), discs(4)
    noise = noise_for(network, 4)
    network(x, noise).sum().backward()
    shifts, spreads, choices = network.last.bias.grad.split(4)  # as the last layer gives them: s, a, m of four pixels
    assert shifts.abs().min() > 0
    assert spreads.abs().min() > 0
    assert (choices == 0).all()
    network.draw(x, noise).choices[0].logit.sum().backward()
    assert network.last.bias.grad[8:].abs().min() > 0


def test_no_unit_dies():
    network = awake(ResidualRefiner(channels=8, blocks=1))
    torch.nn.init.constant_(network.blocks[0].second.bias, -100.0)  # all units of the block below 0, everywhere
    network(discs(2), noise_for(network, 2)).sum().backward()
    assert network.blocks[0].second.bias.grad.abs().min() > 0


def test_distance_is_seen_where_asked_for():
    x = discs(2)
    near, far = torch.tensor([500.0, 500.0]), torch.tensor([700.0, 700.0])
    blind, seeing = (awake(ResidualRefiner(8, 1, sees_distance=sees)).eval() for sees in (False, True))
    assert torch.equal(blind(x, None, near), blind(x, None, far))
    assert not torch.equal(seeing(x, None, near), seeing(x, None, far))
    with pytest.raises(ValueError, match="give distance_mm"):
        seeing(x)


def test_noise_matters_and_is_an_input():
    network, x = awake(ResidualRefiner(channels=8, blocks=1)).eval(), discs(2)
    noise = noise_for(network, 2)
    torch.testing.assert_close(network(x, noise), network(x, noise), rtol=0, atol=0)
    assert not torch.equal(network(x, noise), network(x, zeros_for(network, 2)))
    torch.testing.assert_close(network(x), network(x, zeros_for(network, 2)), rtol=0, atol=0)


@pytest.mark.parametrize(
    "network",
    [
        PaperRefiner(4, 2, 3),
        ResidualRefiner(8, 2),
        ResidualRefiner(8, 1, 4, noise=False),
        ResidualRefiner(8, 1, camera_px=2, focal_px=100.0),
    ],
    ids=["paper", "fold2", "fold4", "focal_px"],
)
@pytest.mark.parametrize("training", [True, False])
def test_output_does_not_depend_on_batch_companions(network, training):
    awake(network).train(training)
    x = discs(4)
    noise = noise_for(network, 4)
    alone = torch.cat(
        [network(x[i : i + 1], {name: values[i : i + 1] for name, values in noise.items()}, METRE) for i in range(4)]
    )
    together = network(x, noise, METRE.expand(4))
    torch.testing.assert_close(together, alone, rtol=0, atol=1e-4)  # float convolutions differ between shapes


@pytest.mark.parametrize(
    "network",
    [
        PaperRefiner(4, 2, 5),
        ResidualRefiner(
            8, 2, 4, True, 0.3, 2, 3.0, 1.5, [0.2, 0.5, 0.3], 0.2, 0.4, 0.0, True, 5.0, 3, 0.2, 4.0, 3, 9.0, 2.9, 0.2, 7
        ),
    ],
)
def test_settings_rebuild_the_network(network):
    again = type(network)(**network.settings)
    again.load_state_dict(network.state_dict())
    assert again.settings == network.settings
    assert again.noise_shapes(16, 16) == network.noise_shapes(16, 16)
