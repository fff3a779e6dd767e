import pytest
import torch

from refiner.simgan.probe import ProbeNumbers, as_decoded, depth_shift_mm, probe_numbers, two_sample_accuracy


def discs(items, size=32, seed=0):
    """Tilted discs of various places, +1 around them."""
    generator = torch.Generator().manual_seed(seed)
    v, u = torch.meshgrid(torch.arange(size), torch.arange(size), indexing="ij")
    place = 16 + 4 * torch.rand((items, 2, 1, 1), generator=generator)
    inside = torch.hypot(u - place[:, 0], v - place[:, 1]) < 9
    return torch.where(inside, 0.02 * (u - place[:, 0]) - 0.1, torch.ones(()))[:, None]


def test_decoding_in_network_values():
    values = torch.tensor([-1.2, -1.0, 0.0, 0.94, 0.96, 1.0, 1.3])
    torch.testing.assert_close(as_decoded(values, 0.05), torch.tensor([-1.0, -1.0, 0.0, 0.94, 1.0, 1.0, 1.0]))


def test_shift_is_over_pixels_that_stay_readings():
    synthetic = torch.tensor([0.0, 0.5, 1.0, 0.2]).view(1, 1, 2, 2)
    refined = torch.tensor([0.1, 1.0, 0.0, 0.2]).view(1, 1, 2, 2)
    # The first moved by 0.1 half cubes of 100 mm, the last by nothing; one was lost and one gained.
    assert depth_shift_mm(synthetic, refined, torch.tensor([200.0])) == pytest.approx(5.0)
    assert depth_shift_mm(synthetic, torch.ones(1, 1, 2, 2), torch.tensor([200.0])) == 0


def test_shift_uses_each_maps_own_cube():
    synthetic, refined = torch.zeros(2, 1, 2, 2), torch.full((2, 1, 2, 2), 0.1)
    assert depth_shift_mm(synthetic, refined, torch.tensor([200.0, 400.0])) == pytest.approx(15.0)


def test_drift_is_what_noise_leaves_by_hand():
    # A checkerboard of +-0.1, and 0.04 everywhere: of nine pixels five are alike, so 0.04 +- 0.1 / 9, in half cubes.
    v, u = torch.meshgrid(torch.arange(8), torch.arange(8), indexing="ij")
    synthetic = torch.zeros(1, 1, 8, 8)
    noisy = (0.1 * (-1.0) ** (u + v))[None, None]
    cube_mm = torch.tensor([200.0])
    assert depth_shift_mm(synthetic, noisy, cube_mm) == pytest.approx(10.0)
    assert depth_shift_mm(synthetic, noisy, cube_mm, 3) < 10 / 8
    assert depth_shift_mm(synthetic, noisy + 0.04, cube_mm, 3) == pytest.approx(4.0, abs=0.2)
    # Windows average readings alone: what was lost does not water down what is left.
    lost = torch.where(u > 3, 1.0, 0.04)[None, None]
    assert depth_shift_mm(synthetic, lost, cube_mm, 3) == pytest.approx(4.0)
    assert depth_shift_mm(synthetic, torch.ones(1, 1, 8, 8), cube_mm, 3) == 0


def test_maps_of_one_kind_are_not_told_apart():
    assert two_sample_accuracy(discs(200), discs(200, seed=1)) == pytest.approx(0.5, abs=0.08)


@pytest.mark.parametrize(
    "camera",
    [
        lambda maps, noise: torch.where(maps < 1, maps + 0.01 * noise, maps),  # 1.3 mm of noise
        lambda maps, noise: torch.where(noise > 2, torch.ones(()), maps),  # 2 % holes
    ],
    ids=["noise", "holes"],
)
def test_what_a_camera_does_is_seen(camera):
    maps = discs(100, seed=1)
    noise = torch.randn(maps.shape, generator=torch.Generator().manual_seed(2))
    assert two_sample_accuracy(discs(100), camera(maps, noise)) > 0.7


def test_the_same_maps_give_the_same_number_and_no_global_randomness():
    state = torch.get_rng_state()
    assert two_sample_accuracy(discs(20), discs(20, seed=1)) == two_sample_accuracy(discs(20), discs(20, seed=1))
    assert torch.equal(torch.get_rng_state(), state)


def test_a_hand_that_vanished_is_told_apart():
    assert two_sample_accuracy(torch.ones(8, 1, 32, 32), discs(8)) == 1


def test_numbers_of_a_refiner_that_does_nothing():
    real = discs(60, seed=1)
    real[:, :, 16, 16] = 1.0
    numbers = probe_numbers(discs(60), discs(60), real, torch.full((60,), 260.0), 0.05)
    assert numbers.shift_mm == 0
    assert numbers.hole_rate_gap == pytest.approx(-1 / (81 * 3.14), rel=0.1)  # too few holes: negative
    assert numbers.two_sample_accuracy > 0.6


def test_noise_is_no_drift():
    synthetic = discs(60)
    noise = 0.3 * torch.randn(60, 1, 1, 1, generator=torch.Generator().manual_seed(0))  # alike over a whole map
    refined = torch.where(synthetic < 1, synthetic + noise, 1.0).clamp(-1, 1)
    cube_mm, real = torch.full((60,), 260.0), discs(60, seed=1)
    assert probe_numbers(synthetic, refined, real, cube_mm, 0.05).drift_mm > 20
    numbers = probe_numbers(synthetic, refined, real, cube_mm, 0.05, synthetic)
    assert numbers.drift_mm == 0
    assert numbers.shift_mm > 20
    moved = torch.where(synthetic < 1, synthetic + 0.1, 1.0)
    assert probe_numbers(synthetic, refined, real, cube_mm, 0.05, moved).drift_mm == pytest.approx(13.0)


def test_score_prefers_realism_but_not_at_the_price_of_labels():
    score = [
        ProbeNumbers(9.0, accuracy, 0.0, drift).score for drift, accuracy in ((1, 0.9), (1, 0.6), (1, 0.4), (9, 0.5))
    ]
    assert score == pytest.approx([0.4, 0.1, 0.1, 0.6])
