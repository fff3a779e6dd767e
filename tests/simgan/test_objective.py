import pytest
import torch

from refiner.simgan.objective import Objective


def test_parts_of_the_refiner_and_their_weight():
    refined, synthetic = torch.full((2, 1, 4, 4), 0.5), torch.zeros(2, 1, 4, 4)
    objective = Objective("least_squares", "identity", "mean", self_regularization_weight=3.0)
    terms = objective.refiner_terms(refined, synthetic, torch.ones(2, 1, 2, 2))
    # The target is real = 0: (1 - 0)^2 / 2.
    assert {name: value.item() for name, value in terms.items()} == pytest.approx(
        {
            "train/refiner/self_regularization": 0.5,
            "train/refiner/adversarial": 0.5,
            "train/refiner/total": 0.5 + 3.0 * 0.5,
        }
    )


def test_noise_is_not_charged():
    synthetic, steady = torch.zeros(1, 1, 4, 4), torch.full((1, 1, 4, 4), 0.1)
    objective = Objective(reduction="mean", self_regularization_weight=0.5, offset_weight=2.0)
    terms = objective.refiner_terms(steady + 0.3, synthetic, None, steady)
    assert terms["train/refiner/offset"].item() == pytest.approx(0.1)
    assert terms["train/refiner/self_regularization"].item() == pytest.approx(0.1)
    assert terms["train/refiner/total"].item() == pytest.approx(0.5 * 0.1 + 2 * 0.1)
    assert objective.refiner_terms(steady + 0.3, synthetic, None)["train/refiner/offset"].item() == pytest.approx(0.4)


def test_refiner_without_a_discriminator():
    terms = Objective().refiner_terms(torch.ones(1, 1, 2, 2), torch.zeros(1, 1, 2, 2), None)
    assert set(terms) == {"train/refiner/self_regularization", "train/refiner/total"}
    assert terms["train/refiner/total"].item() == pytest.approx(1.024)  # lambda times the mean of |1 - 0|
    terms = Objective(reduction="sum", self_regularization_weight=0.001).refiner_terms(
        torch.ones(1, 1, 2, 2), torch.zeros(1, 1, 2, 2), None
    )
    assert terms["train/refiner/total"].item() == pytest.approx(0.001 * 4)  # the equations as printed


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
    assert not any(Objective().penalizes(i) for i in range(17))
