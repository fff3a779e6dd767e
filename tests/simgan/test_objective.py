from dataclasses import replace

import pytest
import torch

from refiner.simgan.objective import Objective

PUBLISHED = Objective("cross_entropy", "identity", "mean", 1.024, 1.0, 0.0, 0.0)


def plain(terms):
    return {name: (weight, value.item()) for name, weight, value in terms}


def test_terms_of_the_refiner_and_their_weights():
    refined, synthetic = torch.full((2, 1, 4, 4), 0.5), torch.zeros(2, 1, 4, 4)
    objective = Objective("least_squares", "identity", "mean", 3.0, offset_weight=0.0)
    terms = plain(objective.refiner_terms(refined, synthetic, torch.ones(2, 1, 2, 2)))
    # The target is real = 0: (1 - 0)^2 / 2.
    assert terms == {"self_regularization": (3.0, pytest.approx(0.5)), "adversarial": (1.0, pytest.approx(0.5))}


def test_what_weighs_is_a_term():
    refined, synthetic = torch.full((1, 1, 4, 4), 0.1), torch.zeros(1, 1, 4, 4)
    objective = Objective(offset_weight=2.0, paired_weight=3.0)
    terms = plain(objective.refiner_terms(refined, synthetic, None, real=synthetic))
    assert terms == {
        "self_regularization": (0.5, pytest.approx(0.1)),
        "offset": (2.0, pytest.approx(0.1)),
        "paired": (3.0, pytest.approx(0.1)),
    }


def test_the_offset_leaves_edges_out():
    synthetic = torch.ones(1, 1, 12, 12)
    synthetic[..., :6] = 0.0
    refined = synthetic + 0.1 * (synthetic < 1)
    refined[..., 4:6] = 0.7  # rims fly
    found = plain(Objective(offset_weight=2.0).refiner_terms(refined, synthetic, None))
    assert found["offset"] == (2.0, pytest.approx(0.1))


def test_refiner_without_a_discriminator():
    """Lambda of the recipe, and of the equations as printed; 16 pixels are moved by 1."""
    moved, synthetic = torch.full((1, 1, 4, 4), 0.5), torch.full((1, 1, 4, 4), -0.5)
    assert plain(PUBLISHED.refiner_terms(moved, synthetic, None)) == {"self_regularization": (1.024, 1.0)}
    printed = replace(PUBLISHED, reduction="sum", self_regularization_weight=0.001)
    assert plain(printed.refiner_terms(moved, synthetic, None)) == {"self_regularization": (0.001, 16.0)}


def test_parts_of_the_discriminator():
    terms = Objective("least_squares", reduction="mean").discriminator_terms(
        torch.tensor([0.2, 0.9]).view(1, 1, 1, 2), torch.tensor([0.0, 1.0, 1.0, 1.0]).view(1, 1, 2, 2)
    )
    assert {name: value.item() for name, value in terms.items()} == pytest.approx(
        {
            "train/discriminator/real": (0.04 + 0.81) / 4,
            "train/discriminator/accuracy_real": 0.5,
            "train/discriminator/refined": 1 / 8,
            "train/discriminator/accuracy_refined": 0.75,
        }
    )


def test_penalty_comes_regularly_or_never():
    assert [i for i in range(17) if Objective(penalty_weight=0.1, penalty_every=8).penalizes(i)] == [0, 8, 16]
    assert not any(PUBLISHED.penalizes(i) for i in range(17))


@pytest.mark.parametrize(("kept", "wanted"), [(0.5, 20 * (0.9 - 0.5 / 0.8)), (0.74, 0.0), (0.8, 0.0), (0.9, 0.0)])
def test_losing_has_a_price_where_fewer_are_kept_than_the_camera_has(kept, wanted):
    price = Objective(deficit_weight=20.0).price_of_loss(torch.tensor(kept), torch.tensor(0.8))
    assert price.item() == pytest.approx(wanted, abs=1e-5)


def test_pixels_are_charged_with_the_price_where_their_reading_is_lost():
    synthetic, refined = torch.zeros(1, 1, 4, 4), torch.zeros(1, 1, 4, 4)
    synthetic[..., 3], refined[..., 2:] = 1.0, 1.0  # no reading in the last column, one lost in that before it
    objective, logits = Objective(self_regularization_weight=0.0), torch.zeros(1, 1, 2, 2)
    free, priced = (
        objective.pixel_costs(refined, synthetic, logits, 3, lambda costs: costs, price) for price in (0.0, 5.0)
    )
    charged = (priced - free)[0, 0]
    torch.testing.assert_close(charged, torch.tensor([0.0, 0.0, 5.0 / 4, 0.0]).expand(4, 4))  # in shares of 4 patches
