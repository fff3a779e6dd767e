import math

import pytest
import torch
from fakes import PARTS, awake, small_refiner
from scenes import METRE, discs, noise_for

from refiner.checkpoints import describe_network
from refiner.datasets.facts import TrainingFacts
from refiner.geometry.depth import DepthCodec
from refiner.nets.refiner import ComposedRefiner, Growth, MapNoise


@pytest.mark.parametrize("left_out", [(), *((name,) for name in PARTS), tuple(PARTS)])
def test_it_starts_as_the_identity_whatever_is_left_out(left_out):
    network, x = small_refiner(**dict.fromkeys(left_out)), discs(3)
    for training in (True, False):
        torch.testing.assert_close(network.train(training)(x, None, METRE.expand(3)), x, rtol=0, atol=0)
    assert {name.split(".")[0] for name in network.noise_shapes(16, 16)} == PARTS.keys() - set(left_out)
    noise = noise_for(network, 3)
    draw = awake(network).draw(x, noise, METRE.expand(3))
    assert torch.isfinite(draw.refined).all()
    assert len(draw.choices) == len(PARTS.keys() - {"measurement", *left_out})
    assert (draw.opposite is None) == (len(draw.choices) == 0)


def test_labels_cannot_be_broken():
    network = awake(
        small_refiner(max_shift=0.1, max_rim_shift=0.2, measurement=MapNoise(most=0.05), growth=Growth(reach_px=2))
    ).eval()
    x = discs(6)
    y = network(x, noise_for(network, 6), METRE.expand(6))
    assert y.min() >= -1
    assert y.max() <= 1
    both = (x < 1) & (y < 1)
    assert (y - x)[both].abs().max() <= 0.1 + 0.2 + 0.05 + 1e-6  # of which noise
    assert ((x < 1) & (y == 1)).any()  # some readings were taken away
    assert ((x == 1) & (y < 1)).any()  # and some added,
    near = torch.nn.functional.max_pool2d((x < 1).float(), 5, 1, 2) > 0
    assert (y[~near] == 1).all()  # but none out of reach


def test_surfaces_hold_and_rims_may_fly():
    network = ComposedRefiner(8, 1, max_shift=0.1, max_rim_shift=0.5)
    torch.nn.init.constant_(network.backbone.last.bias, 1e6)
    x = torch.ones(1, 1, 16, 16)
    x[..., 3:13, 3:13] = 0.0
    x[..., 10:13, 3:13] = -0.5  # a finger before a palm
    moved = (network(x, None, METRE) - x)[0, 0]
    torch.testing.assert_close(moved[6, 6], torch.tensor(0.1))
    for pixel in ((3, 6), (4, 6), (6, 4), (9, 6), (10, 7), (11, 7)):  # two at the outline and on both sides of an edge
        torch.testing.assert_close(moved[pixel], torch.tensor(0.6))


def test_a_draw_and_its_opposite_by_hand():
    network, x = awake(small_refiner(max_rim_shift=0.2)), discs(4)
    noise = noise_for(network, 4)
    draw = network.draw(x, noise, METRE.expand(4))
    torch.testing.assert_close(draw.refined, network(x, noise, METRE.expand(4)), rtol=0, atol=0)
    light, loss, growth = draw.choices
    for drawn, sign in ((draw.refined, 1), (draw.opposite, -1)):
        fallen = [choice.logit + sign * choice.noise > 0 for choice in (light, loss, growth)]
        of_render = (x < 1) & ~(fallen[0] | fallen[1])
        within = torch.nn.functional.max_pool2d(of_render.float(), 5, 1, 2) > 0
        kept = torch.where(x < 1, of_render, fallen[2] & within)
        assert torch.equal(drawn < 1, kept)
    assert not draw.opposite.requires_grad
    both = (draw.refined < 1) & (draw.opposite < 1)
    torch.testing.assert_close(draw.refined[both], draw.opposite[both], rtol=0, atol=0)  # depths are the same


def test_what_flies_out_of_the_cube_is_lost_and_called_back():
    network, x = ComposedRefiner(8, 1, max_shift=0.1, max_rim_shift=1.0), torch.ones(1, 1, 16, 16)
    torch.nn.init.constant_(network.backbone.last.bias, 9.0)  # s = r = 9
    x[..., 6:10, 6:10] = 0.0  # nothing but rims
    assert network.draw(x, None, METRE).excess == 0
    x[..., 6:10, 6:10] = 0.5
    draw = network.draw(x, None, METRE)
    assert (draw.refined == 1).all()
    beyond = 0.1 * math.tanh(1.35) + math.tanh(0.9) - 0.5
    assert draw.excess.item() == pytest.approx(16 * beyond**2 / 16**2)


def test_a_draw_has_its_depth_without_noise():
    network = ComposedRefiner(8, 1, max_shift=0.4, max_rim_shift=1e-6, measurement=MapNoise(first=0.05, most=10.0))
    torch.nn.init.constant_(network.backbone.last.bias, 2.0)  # s = a = 2
    x = discs(1).repeat(400, 1, 1, 1)
    draw = network.draw(x, noise_for(network, 400), METRE.expand(400))
    inside = x < 1
    wanted = 0.4 * torch.tanh(torch.tensor(0.03 / 0.4))
    torch.testing.assert_close((draw.noise_free - x)[inside], wanted.expand(int(inside.sum())))
    # An octave more than the first noise, and what a cone's top is dimmer than a surface that faces the camera.
    top = (draw.refined - draw.noise_free)[:, 0, 8, 8]
    assert 0.1 < top.std().item() < 0.15
    assert draw.noise_free.requires_grad


def test_depths_have_a_gradient_and_choices_have_theirs():
    network, x = awake(small_refiner()), discs(4)
    noise = noise_for(network, 4)
    draw = network.draw(x, noise, METRE.expand(4))
    draw.refined.sum().backward(retain_graph=True)
    shift, rim, loss, growth, spread = network.backbone.last.bias.grad.split(4)  # of four pixels each
    assert shift.abs().min() > 0
    assert rim.abs().min() > 0
    assert spread.abs().min() > 0
    assert (loss == 0).all()
    assert (growth == 0).all()
    assert network.parts["light"].threshold.grad is None
    sum(choice.logit.sum() for choice in draw.choices).backward()
    *_, loss, growth, spread = network.backbone.last.bias.grad.split(4)
    assert loss.abs().min() > 0
    assert growth.abs().min() > 0
    assert network.parts["light"].threshold.grad > 0


@pytest.mark.parametrize("training", [True, False])
def test_output_does_not_depend_on_batch_companions(training):
    network, x = awake(small_refiner()).train(training), discs(4)
    noise = noise_for(network, 4)
    each = [{name: values[i : i + 1] for name, values in noise.items()} for i in range(4)]
    alone = torch.cat([network(x[i : i + 1], each[i], METRE) for i in range(4)])
    torch.testing.assert_close(network(x, noise, METRE.expand(4)), alone, rtol=0, atol=1e-4)


def test_light_is_compared_at_the_renders_distance():
    network = small_refiner()
    network.meet(TrainingFacts(DepthCodec(16, 260.0, 1.0), 640.0))
    assert network.reference_mm == 640
    network.meet(TrainingFacts(DepthCodec(16, 260.0, 1.0)))
    assert network.reference_mm == 640


def test_a_description_names_parts_with_their_settings():
    described = describe_network(small_refiner(growth=None))["settings"]
    assert described["growth"] is None
    assert described["light"] == {
        "class": "LightLoss", "settings": {"sharpness": 7.0, "margin": 1.0, "gain": 8.0}
    }  # fmt: skip
    assert described["max_shift"] == 0.2
