import pytest
import torch

from refiner.nets.refiner.choice import ChoicePrior, at_outline, choice_noise, share_of_readings


def test_the_prior_by_hand():
    """A palm, a rim and a pixel beside it: 1, 0.6 and 0.4 of what is around them are readings."""
    reading, share = torch.tensor([1.0, 1.0, 0.0]), torch.tensor([1.0, 0.6, 0.4])
    dimness = torch.tensor([0.32, 2.0, 4.3])
    assert ChoicePrior(2.0)(reading, None, None).tolist() == [-2, -2, 2]
    light = ChoicePrior(2.0, sharpness=3.0)(reading, dimness, share)
    torch.testing.assert_close(light, torch.tensor([-5.0, -2.0, 2.0]))
    window = ChoicePrior(2.0, window=5.0)(reading, None, share)
    torch.testing.assert_close(window, torch.tensor([-4.0, -2.0, 2.0]))


@pytest.mark.parametrize(("prior", "most"), [(ChoicePrior(2.0), 4.4), (ChoicePrior(1.0, sharpness=4.0), 6.0)])
def test_what_is_learnt_is_bounded(prior, most):
    bounded, excess = prior.bounded(torch.tensor([-10.0, 0.5, 7.0]))
    torch.testing.assert_close(bounded, torch.tensor([-most, 0.5, most]))
    torch.testing.assert_close(excess, torch.tensor([10 - most, 0.0, 7 - most]))


def test_outlines_by_hand():
    """A straight edge: of 5 columns around a pixel 3, 4 and 5 are readings; at the map's border there are but 3."""
    reading = torch.zeros(1, 1, 9, 12)
    reading[..., 6:] = 1
    share = share_of_readings(reading)[0, 0, 4]
    torch.testing.assert_close(share[[0, 5, 6, 7, 8, 11]], torch.tensor([0.0, 0.4, 0.6, 0.8, 1.0, 1.0]))
    torch.testing.assert_close(at_outline(share)[5:9], torch.tensor([1.0, 1.0, 0.5, 0.0]))


@pytest.mark.parametrize("shares", [(1.0, 0.0, 0.0), (0.6, 0.4, 0.0), (0.0, 0.0, 1.0), (0.4, 0.3, 0.3)])
def test_noise_is_standard_normal_and_common_to_neighbours_and_map(shares):
    own, near = torch.randn(2, 4000, 1, 32, 32, generator=torch.Generator().manual_seed(0))
    drawn = choice_noise(own, near, shares, tries=True)[:, 0]
    middle, beside, far = drawn[:, 8, 4], drawn[:, 8, 5], drawn[:, 8, 20]
    assert middle.var().item() == pytest.approx(1, abs=0.1)
    for other, wanted in ((beside, shares[1] * 6 / 7 + shares[2]), (far, shares[2])):
        assert torch.corrcoef(torch.stack([middle, other]))[0, 1].item() == pytest.approx(wanted, abs=0.07)
    cut = choice_noise(own, near, shares, tries=False)[:, 0]
    torch.testing.assert_close(cut, drawn.clamp(-2.2, 2.2), rtol=0, atol=0)
    assert drawn.abs().max() > 3
