"""What each of the two updates descends on, and whom it moves."""

from dataclasses import replace

import pytest
import torch
from fakes import small_refiner

from refiner.nets.discriminator import Layer, PatchDiscriminator
from refiner.nets.refiner import ComposedRefiner, MapNoise
from refiner.simgan.augmentation import Augmentation
from refiner.simgan.history import RefinedHistory
from refiner.simgan.objective import Objective
from refiner.simgan.readings import MeanReadings
from refiner.simgan.updates import Game, discriminator_update, refiner_update

KEY = 0, 0, 0


@pytest.fixture
def game():
    torch.manual_seed(0)
    discriminator = PatchDiscriminator([Layer(3, 2, 8), Layer(3, 1)], sees_distance=False)
    objective = Objective("sigmoid", "identity", "mean", 0.1, 1.0, 0.0, 0.0)
    return Game(small_refiner(), discriminator, objective, Augmentation(0.0, flip_up_down=False), MeanReadings())


def weighing(game, **weights):
    return replace(game, objective=replace(game.objective, **weights))


def gradients(network):
    return [weights.grad for weights in network.parameters() if weights.grad is not None]


def test_refiner_gets_a_gradient_from_the_discriminator(game, batch):
    refiner_update(weighing(game, self_regularization_weight=0.0), batch, KEY)[0].backward()
    assert max(g.abs().max() for g in gradients(game.refiner)) > 0


def test_refiner_alone_gets_none(game, batch):
    loss, values = refiner_update(game, batch, KEY, alone=True)
    assert "train/refiner/adversarial" not in values
    loss.backward()
    assert gradients(game.discriminator) == []


def test_the_loss_is_the_weighted_sum_of_its_terms(game, batch):
    loss, values = refiner_update(game, batch, KEY, learns_dropout=False)
    parts = values["train/refiner/adversarial"] + 0.1 * values["train/refiner/self_regularization"]
    torch.testing.assert_close(loss, parts)
    assert values["train/refiner/total"] is loss


def test_noise_is_not_charged(game, batch):
    """An untrained refiner without dropout moves readings by its noise alone."""
    refiner = ComposedRefiner(8, 1, measurement=MapNoise(0.2, most=0.5))
    terms = refiner_update(weighing(replace(game, refiner=refiner), offset_weight=2.0), batch, KEY)[1]
    assert terms["train/refiner/self_regularization"] == 0
    assert terms["train/refiner/offset"] == 0


def test_dropout_is_learnt_where_it_is_asked_for(game, batch):
    bias = game.refiner.backbone.last.bias

    def gradients_of_dropout(**options):
        game.refiner.zero_grad()
        refiner_update(game, batch, KEY, **options)[0].backward()
        return bias.grad.view(5, 4)[2:4].abs().amax(dim=1).tolist()  # loss and growth, of four pixels each

    assert min(gradients_of_dropout()) > 0
    assert gradients_of_dropout(learns_dropout=False) == [0, 0]
    assert gradients_of_dropout(alone=True) == [0, 0]


def test_discriminator_update_leaves_the_refiner_alone(game, batch):
    discriminator_update(game, batch, KEY, RefinedHistory(7, 0))[0].backward()
    assert gradients(game.refiner) == []
    assert max(g.abs().max() for g in gradients(game.discriminator)) > 0


def test_discriminator_sees_refined_maps_never_raw_ones(game, batch, monkeypatch):
    seen = []
    forward = game.discriminator.forward
    monkeypatch.setattr(game.discriminator, "forward", lambda maps, _: (seen.append(maps), forward(maps))[1])
    monkeypatch.setattr(game.refiner, "forward", lambda depth, *_: depth * 0 + 0.123)
    discriminator_update(game, batch, KEY, RefinedHistory(4, 0))
    assert torch.equal(seen[0], batch["real"])
    assert (seen[1] == 0.123).all()


def test_history_takes_part_in_discriminator_updates_only(game, batch):
    history = RefinedHistory(7, 0)
    refiner_update(game, batch, KEY)
    assert len(history) == 0
    discriminator_update(game, batch, KEY, history)
    assert len(history) == 2


def test_steep_discriminators_are_charged(game, batch):
    game = weighing(game, penalty_weight=0.1, penalty_every=2)
    plain, penalized = (discriminator_update(game, batch, KEY, None, penalized=p)[0] for p in (False, True))
    assert penalized > plain


def test_sums_and_means_differ_as_documented(game, batch):
    def values(game):
        return refiner_update(game, batch, KEY)[1] | discriminator_update(game, batch, KEY, None)[1]

    mean, total = values(game), values(weighing(game, reduction="sum"))
    patches, pixels = 4 * 8 * 8, 4 * 16 * 16
    for name, factor in (
        ("train/refiner/adversarial", patches), ("train/discriminator/real", patches),
        ("train/refiner/self_regularization", pixels), ("train/discriminator/accuracy_real", 1),
    ):  # fmt: skip
        torch.testing.assert_close(total[name], mean[name] * factor)


def test_noise_is_a_function_of_the_key(game, batch):
    with torch.no_grad():
        game.refiner.backbone.last.weight.normal_(generator=torch.Generator().manual_seed(0))

    def refined(*key):
        return refiner_update(game, batch, key)[1]["train/refiner/self_regularization"].item()

    assert refined(0, 3, 0) == refined(0, 3, 0)
    assert len({refined(0, 3, 0), refined(0, 4, 0), refined(0, 3, 1), refined(1, 3, 0)}) == 4


def test_what_went_beyond_its_bounds_is_called_back_with_and_without_a_discriminator(game, batch, monkeypatch):
    for alone in (True, False):
        plain = refiner_update(game, batch, KEY, alone=alone)[0]
        draw = game.refiner.draw
        with monkeypatch.context() as patched:
            patched.setattr(game.refiner, "draw", lambda *words, draw=draw: draw(*words)._replace(excess=3.0))
            torch.testing.assert_close(refiner_update(game, batch, KEY, alone=alone)[0], plain + 3.0)


def test_discriminator_judges_refined_maps_as_they_will_be_written(game, batch, monkeypatch):
    """With a unit of 4 mm every refined reading that D sees is a multiple of it; R still gets a gradient."""
    game, seen = replace(game, unit_mm=4.0), []
    forward = game.discriminator.forward
    monkeypatch.setattr(game.discriminator, "forward", lambda maps, *_: (seen.append(maps.detach()), forward(maps))[1])
    refiner_update(game, batch, KEY)[1]["train/refiner/adversarial"].backward()
    discriminator_update(game, batch, KEY, RefinedHistory(4, 0))
    assert max(g.abs().max() for g in gradients(game.refiner)) > 0
    for maps in (seen[0], seen[-1]):
        depth_mm = maps * 130 + batch["synthetic_distance_mm"].view(-1, 1, 1, 1)
        off = ((depth_mm / 4) - (depth_mm / 4).round())[maps < 1].abs()
        assert off.max() < 1e-3


def test_pairs_teach_the_refiner_where_there_are_any(game, batch):
    """The camera's map of the same hand lies 0.05 farther: descending on the term moves the refined map that way."""
    game = replace(weighing(game, paired_weight=1.0), paired=True)
    real = torch.where(batch["synthetic"] < 1, (batch["synthetic"] + 0.05).clamp(max=0.99), batch["synthetic"])
    terms = [
        refiner_update(game, batch | {"real": maps}, KEY)[1]["train/refiner/paired"]
        for maps in (real, batch["synthetic"])
    ]
    assert terms[0].item() == pytest.approx(0.05, abs=0.01)
    assert terms[1].item() == pytest.approx(0.0, abs=0.01)
    terms[0].backward()
    assert game.refiner.backbone.last.bias.grad[:4].sum() < 0  # of the shift: farther
