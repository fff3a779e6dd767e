import math

import pytest
import torch
from torch.nn import functional as F

from refiner.simgan.losses import (
    adversarial_loss,
    discriminator_accuracy,
    dropout_loss,
    gradient_penalty,
    offset_loss,
    paired_loss,
    pixel_costs,
    self_regularization_loss,
)

REDUCTIONS = ["sum", "mean"]


def test_cross_entropy_against_the_paper_by_hand():
    # One map, patches with P(refined) = 3/4 and 1/4: L_D of a refined map is -log 3/4 - log 1/4.
    logits = torch.tensor([[0.0, 0.0], [math.log(3), -math.log(3)]]).view(1, 2, 1, 2)
    as_refined = adversarial_loss(logits, target_refined=True, kind="cross_entropy", reduction="sum")
    assert as_refined.item() == pytest.approx(-math.log(3 / 4) - math.log(1 / 4))
    as_real = adversarial_loss(logits, target_refined=False, kind="cross_entropy", reduction="mean")
    assert as_real.item() == pytest.approx((-math.log(1 / 4) - math.log(3 / 4)) / 2)
    assert discriminator_accuracy(logits, target_refined=True, kind="cross_entropy") == 0.5


def test_classes_are_not_mixed_with_positions():
    # Every patch is surely refined. `logits.view(-1, 2)` would pair the same class of neighbouring patches: log 2 each.
    logits = torch.stack([torch.full((2, 3), -9.0), torch.full((2, 3), 9.0)])[None].repeat(4, 1, 1, 1)
    assert adversarial_loss(logits, target_refined=True, kind="cross_entropy", reduction="mean").item() < 1e-6
    assert discriminator_accuracy(logits, target_refined=True, kind="cross_entropy") == 1
    wrong = F.cross_entropy(logits.view(-1, 2), torch.ones(24, dtype=torch.long))
    assert wrong.item() == pytest.approx(math.log(2))


def test_sigmoid_is_the_cross_entropy_of_the_logits_difference():
    torch.manual_seed(0)
    two = torch.randn(3, 2, 4, 5)
    one = two[:, 1:] - two[:, :1]
    for refined in (True, False):
        for reduction in REDUCTIONS:
            a = adversarial_loss(two, target_refined=refined, kind="cross_entropy", reduction=reduction)
            b = adversarial_loss(one, target_refined=refined, kind="sigmoid", reduction=reduction)
            torch.testing.assert_close(a, b)


def test_least_squares_by_hand():
    logits = torch.tensor([0.0, 2.0]).view(1, 1, 1, 2)
    assert adversarial_loss(logits, target_refined=True, kind="least_squares", reduction="sum") == 1.0
    assert adversarial_loss(logits, target_refined=False, kind="least_squares", reduction="mean") == 1.0
    assert discriminator_accuracy(logits, target_refined=True, kind="least_squares") == 0.5


@pytest.mark.parametrize("kind", ["cross_entropy", "sigmoid", "least_squares"])
def test_sum_is_mean_times_patches_and_batch(kind):
    torch.manual_seed(0)
    logits = torch.randn(5, 2 if kind == "cross_entropy" else 1, 7, 7)
    total, mean = (adversarial_loss(logits, target_refined=False, kind=kind, reduction=r) for r in REDUCTIONS)
    torch.testing.assert_close(total, mean * 5 * 49)


def test_wrong_number_of_classes_is_refused():
    with pytest.raises(ValueError, match="wants 1 logits per patch, found 2"):
        adversarial_loss(torch.zeros(1, 2, 3, 3), target_refined=True, kind="sigmoid", reduction="sum")


def test_gradient_for_surely_wrong_logits_does_not_vanish():
    # The refiner's term is -log(1 - D), not log D: where D is sure of "refined", the gradient is 1.
    logits = torch.tensor([-30.0, 30.0]).view(1, 2, 1, 1).requires_grad_()
    adversarial_loss(logits, target_refined=False, kind="cross_entropy", reduction="sum").backward()
    torch.testing.assert_close(logits.grad.flatten(), torch.tensor([-1.0, 1.0]))


def test_self_regularization_by_hand():
    x = torch.zeros(1, 1, 2, 2)
    y = torch.tensor([[1.0, 0.0], [-2.0, 0.0]]).view(1, 1, 2, 2)
    assert self_regularization_loss(y, x, psi="identity", reduction="sum") == 3
    assert self_regularization_loss(y, x, psi="identity", reduction="mean") == 0.75
    # Differences to the right 1 and 2, downwards 3 and 0.
    assert self_regularization_loss(y, x, psi="gradients", reduction="sum") == 6
    assert self_regularization_loss(y, x, psi="gradients", reduction="mean") == 1.5


def test_readings_that_came_or_went_have_a_weight_of_their_own():
    synthetic = torch.tensor([0.0, 0.5, 1.0, 1.0]).view(1, 1, 2, 2)
    refined = torch.tensor([0.25, 1.0, 0.75, 1.0]).view(1, 1, 2, 2)  # moved, lost, won, still nothing
    loss = self_regularization_loss(refined, synthetic, psi="identity", reduction="sum", missing_weight=0.1)
    assert loss == pytest.approx(0.25 + 0.1 * 0.5 + 0.1 * 0.25)
    whole = self_regularization_loss(refined, synthetic, psi="identity", reduction="sum")
    assert whole == pytest.approx(0.25 + 0.5 + 0.25)


def test_pairs_by_hand():
    synthetic = torch.tensor([0.0, 0.0, 0.0, 0.0, 1.0, 0.0]).view(1, 1, 2, 3)
    real = torch.tensor([0.05, -0.05, 0.3, 1.0, 0.0, 0.02]).view(1, 1, 2, 3)  # too far, lost, won
    refined = torch.tensor([0.02, 0.02, 0.5, 0.5, 0.5, 1.0]).view(1, 1, 2, 3).requires_grad_()  # the last is lost
    loss = paired_loss(refined, real, synthetic, 0.1)
    assert loss.item() == pytest.approx((0.03 + 0.07) / 2)
    (slope,) = torch.autograd.grad(loss, refined)
    assert slope.flatten().tolist() == [-0.5, 0.5, 0, 0, 0, 0]
    assert paired_loss(refined, torch.ones_like(real), synthetic, 0.1) == 0


def test_psi_forgives_what_it_should():
    torch.manual_seed(0)
    x = 0.8 * torch.rand(2, 1, 12, 12)
    assert self_regularization_loss(x + 0.1, x, psi="gradients", reduction="mean").item() == pytest.approx(0, abs=1e-6)


def test_lambda_of_the_docstring_makes_sums_and_means_proportional():
    torch.manual_seed(0)
    refined, synthetic, logits = torch.rand(3, 1, 16, 16), torch.rand(3, 1, 16, 16), torch.randn(3, 2, 4, 4)
    totals = []
    for reduction, weight in (("sum", 0.01), ("mean", 0.01 * 256 / 16)):
        adversarial = adversarial_loss(logits, target_refined=False, kind="cross_entropy", reduction=reduction)
        change = self_regularization_loss(refined, synthetic, psi="identity", reduction=reduction)
        totals.append(adversarial + weight * change)
    torch.testing.assert_close(totals[0], totals[1] * 3 * 16)


def test_losses_are_float32_under_mixed_precision():
    half = torch.full((1, 2, 4, 4), 300.0, dtype=torch.float16)
    assert adversarial_loss(half, target_refined=True, kind="cross_entropy", reduction="sum").dtype == torch.float32
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = self_regularization_loss(half + 1, half, psi="identity", reduction="sum")
    assert loss.dtype == torch.float32


def test_gradient_penalty_by_hand():
    # Logits w x at both pixels of each of three maps: the sum's slope is w at each of 2 pixels, over 2 patches.
    w = torch.tensor(3.0, requires_grad=True)
    inputs = torch.rand(3, 1, 1, 2, requires_grad=True)
    penalty = gradient_penalty(w * inputs, inputs)
    assert penalty.item() == pytest.approx(9.0)
    penalty.backward()
    assert w.grad.item() == pytest.approx(6.0)  # a penalty that can be descended on


def test_costs_of_patches_go_to_their_pixels_by_hand():
    # Two patches of 3 px beside each other in a map of 2 x 4 px, a quarter of a patch for each pixel.
    costs = torch.tensor([[[8.0, 16.0]]])
    # Spread: 2 2 4 4 in both rows. Each pixel then takes the sum over its 3 x 3 neighbours.
    expected = torch.tensor([8.0, 16.0, 20.0, 16.0]).expand(2, 4)
    torch.testing.assert_close(pixel_costs(costs, 3, 2, 4)[0, 0], expected)


def test_gradient_of_a_choice_against_its_closed_form():
    # A pixel costs 3 if m + n > 0 and 1 if not: E = 1 + 2 Phi(m), so dE/dm = 2 phi(m).
    noise = torch.randn((1, 1, 1000, 1000), generator=torch.Generator().manual_seed(0))
    for m in (-2.0, -0.5, 1.0):
        logit = torch.full_like(noise, m).requires_grad_()
        costs, opposite = (1.0 + 2.0 * (m + n > 0).float() for n in (noise, -noise))
        dropout_loss(costs, opposite, logit, noise).backward()
        assert logit.grad is not None
        wanted = 2 * math.exp(-m * m / 2) / math.sqrt(2 * math.pi)
        assert logit.grad.mean().item() == pytest.approx(wanted, rel=0.02)


def test_the_offset_leaves_out_what_is_beside_edges():
    """A render of 8 x 8 px whose left half is a palm; its two columns at the edge fly."""
    synthetic = torch.ones(1, 1, 8, 8)
    synthetic[..., :4] = 0.0
    moved = synthetic + 0.1 * (synthetic < 1)
    moved[..., 2:4] = 0.4
    assert offset_loss(moved, synthetic).item() == pytest.approx(0.1)
    assert offset_loss(torch.ones_like(synthetic), synthetic) == 0


def test_offset_by_hand():
    synthetic = torch.tensor([[0.0, 0.05, 0.0, 0.05], [0.0, 0.0, 0.0, 0.0]]).view(2, 1, 2, 2)
    refined = torch.tensor([[0.1, 0.35, 0.2, 1.0], [0.1, -0.1, 0.2, -0.2]]).view(2, 1, 2, 2)
    # First map: +0.1, +0.3 and +0.2 where both have a reading, 0.2 on average; the second's noise averages to nothing.
    assert offset_loss(refined, synthetic).item() == pytest.approx(0.1)
    assert offset_loss(torch.ones(2, 1, 2, 2), synthetic) == 0
