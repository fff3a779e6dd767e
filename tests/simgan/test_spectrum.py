import math

import pytest
import torch
from torch import distributed as dist

from refiner.simgan.spectrum import NoiseSpectrum

HALF_MM = 100.0


def noisy(sd_mm, seed, maps=24, side=64):
    """Surfaces that bend as cubics do, with white noise."""
    at = torch.linspace(-1, 1, side)
    surface = 0.3 * at[:, None] ** 3 - 0.2 * at[:, None] * at[None, :] + 0.1 * at[None, :] ** 2
    noise = torch.randn(maps, 1, side, side, generator=torch.Generator().manual_seed(seed))
    return surface + sd_mm / HALF_MM * noise


def test_power_of_white_noise_by_hand():
    """The power at every wavelength that no cubic shows is the variance, in mm^2."""
    powers = NoiseSpectrum(HALF_MM).powers(noisy(1.5, 0)).mean(dim=0)
    assert powers.shape == (16, 9)
    torch.testing.assert_close(powers[4:13, 4:], torch.full((9, 5), 2.25), rtol=0.2, atol=0)
    assert powers[4:13, 4:].mean().item() == pytest.approx(2.25, rel=0.02)
    assert powers[0, 0] < 0.3  # what a cubic shows is taken away


def test_distance_of_two_strengths_by_hand():
    """Twice the deviation is four times the power everywhere: (log 4)^2, and as much of the mean of logarithms."""
    spectrum = NoiseSpectrum(HALF_MM)
    assert spectrum(noisy(2.0, 0), noisy(1.0, 1)).item() == pytest.approx(2 * math.log(4) ** 2, rel=0.1)
    assert NoiseSpectrum(HALF_MM)(noisy(1.0, 0), noisy(1.0, 1)).item() < 0.02


def test_uneven_noise_is_told_from_even_noise_of_the_same_strength():
    uneven = torch.cat([noisy(math.sqrt(1.9), 0), noisy(math.sqrt(0.1), 1)])
    assert NoiseSpectrum(HALF_MM)(uneven, noisy(1.0, 2, maps=48)).item() > 0.2


def test_patches_with_an_edge_a_crease_or_a_hole_do_not_count():
    spectrum = NoiseSpectrum(HALF_MM)
    for spoil in ("edge", "crease", "hole"):
        maps = noisy(0.5, 0, maps=1, side=16)
        assert len(spectrum.powers(maps)) == 1
        if spoil == "edge":
            maps[..., 8:] += 0.1
        elif spoil == "crease":
            maps += 0.8 * (torch.arange(16) - 7.5).abs() / 8
        else:
            maps[..., 3, 5] = 1.0
        assert len(spectrum.powers(maps)) == 0
        assert spectrum(maps, maps).item() == 0
    assert torch.isnan(spectrum.real).all()


def test_descending_on_it_finds_the_cameras_noise():
    """A refiner whose only weight is how strong its noise is comes from 0.6 to 1.2 mm; slowly, since means lag."""
    spectrum, strength = NoiseSpectrum(HALF_MM), torch.tensor(math.log(0.6), requires_grad=True)
    optimizer = torch.optim.Adam([strength], lr=0.005)
    for step in range(300):
        flat, noise = noisy(0.0, 0, maps=4), noisy(1.0, 1000 + step, maps=4) - noisy(0.0, 0, maps=4)
        optimizer.zero_grad()
        spectrum(flat + torch.exp(strength) * noise, noisy(1.2, 5000 + step, maps=4)).backward()
        optimizer.step()
    assert torch.exp(strength).item() == pytest.approx(1.2, rel=0.1)


def _on_one_of_two_devices(rank, folder):
    """Score the first or the second half of what one device scores whole; write what comes of it."""
    dist.init_process_group("gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=2)
    spectrum, strength = NoiseSpectrum(HALF_MM), torch.tensor(1.0, requires_grad=True)
    refined, real = (part[8 * rank : 8 * rank + 8] for part in (noisy(2.0, 0, maps=12), noisy(1.0, 1, maps=12)))
    score = spectrum(strength * refined, real)
    score.backward()
    torch.save((spectrum.state_dict(), score.detach(), strength.grad), f"{folder}/{rank}.pt")
    dist.destroy_process_group()


@pytest.mark.slow
def test_two_devices_have_the_spectrum_of_all_maps(tmp_path):
    """Of 12 maps one device sees 8, the other 4; averaged, as devices do, their gradients are that of all 12."""
    torch.multiprocessing.spawn(_on_one_of_two_devices, (str(tmp_path),), nprocs=2)
    parts = [torch.load(tmp_path / f"{rank}.pt", weights_only=True) for rank in (0, 1)]
    spectrum, strength = NoiseSpectrum(HALF_MM), torch.tensor(1.0, requires_grad=True)
    score = spectrum(strength * noisy(2.0, 0, maps=12), noisy(1.0, 1, maps=12))
    score.backward()
    for state, found, _ in parts:
        torch.testing.assert_close(found, score.detach())
        for name, value in spectrum.state_dict().items():
            torch.testing.assert_close(state[name], value)
    torch.testing.assert_close((parts[0][2] + parts[1][2]) / 2, strength.grad)


def test_spectra_are_kept_in_checkpoints():
    spectrum, again = NoiseSpectrum(HALF_MM), NoiseSpectrum(HALF_MM)
    spectrum(noisy(2.0, 0), noisy(1.0, 1))
    again.load_state_dict(spectrum.state_dict())
    assert torch.equal(again.real, spectrum.real)
    assert not torch.isnan(again.refined).any()
