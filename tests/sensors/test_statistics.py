import numpy as np
import torch
from plates import plates

from refiner.sensors.statistics import (
    all_hole_sizes_px,
    depth_steps_mm,
    edge_profile_mm,
    hole_rates,
    log_inner_edges,
    log_spectrum,
)
from refiner.simgan.probe import probe_numbers


def test_holes_by_hand():
    """A share of the hand, holes and all: a ring of 5 x 5 px about a hole of 3 x 3 px is 9/25 hole."""
    depth = np.zeros((3, 8, 8), np.float32)
    depth[0] = 600
    depth[0, 2, 2] = depth[0, 2, 3] = depth[0, 5, 5] = 0  # three of 64 px, less the corner
    depth[0, 0, 0] = 0  # open to the outside
    depth[1, 1:6, 1:6] = 600
    depth[1, 2:5, 2:5] = 0
    np.testing.assert_allclose(hole_rates(depth), [3 / 63, 9 / 25, 0])
    assert sorted(all_hole_sizes_px(depth)) == [1, 2, 9]
    assert all_hole_sizes_px(depth[2:]).tolist() == [0]


def test_the_probe_and_the_report_mean_the_same_by_a_share_of_holes():
    """Of rings of 1 px about larger and larger holes 9/25, 25/49 and 49/81: the report had said 9/16, 25/24, 49/32."""
    depth = np.zeros((3, 12, 12), np.float32)
    for map_, side in zip(depth, (5, 7, 9), strict=True):
        map_[1 : 1 + side, 1 : 1 + side] = 600
        map_[2:side, 2:side] = 0
    network = torch.from_numpy(np.where(depth > 0, 0, 1).astype(np.float32))[:, None]
    whole = torch.zeros(3, 1, 12, 12)
    gaps = [probe_numbers(whole[:1], one[None], whole, torch.full((1,), 260.0), 0.05).hole_rate_gap for one in network]
    np.testing.assert_allclose(gaps, hole_rates(depth))
    np.testing.assert_allclose(gaps, [9 / 25, 25 / 49, 49 / 81])


def test_steps_by_hand():
    assert (depth_steps_mm(plates()) == 0).all()  # a slope is no noise
    depth = np.array([[[600, 603, 601, 0, 600]]], np.float32)
    np.testing.assert_array_equal(depth_steps_mm(depth), [-5])


def test_edges_by_hand():
    depth = np.zeros((1, 32, 32), np.float32)
    depth[0, 4:28, 4:28] = 600
    assert (edge_profile_mm(depth) == 0).all()
    depth[0, 4, 4:28] = 640  # flying pixels along one side
    profile = edge_profile_mm(depth)
    assert (profile == 40).sum() == 24
    assert (profile == 0).sum() == 92 - 24


def test_white_noise_has_a_flat_spectrum_of_its_power():
    loud, quiet = log_spectrum(plates(40, noise=4.0)), log_spectrum(plates(40, noise=1.0))
    assert np.ptp(loud[1:]) < 2
    # In dB of mm^2: noise of 4 mm has 16 mm^2 at each frequency; the plane takes of the lowest.
    np.testing.assert_allclose(loud[2:], 10 * np.log10(16), atol=0.5)
    holed = plates(40, noise=4.0, holes=0.08, seed=1)
    np.testing.assert_allclose(log_spectrum(holed)[2:], 10 * np.log10(16), atol=0.5)
    np.testing.assert_allclose((loud - quiet)[1:], 20 * np.log10(4), atol=1.0)


def test_inner_edges_by_hand():
    """A plate of 40 x 40 px with a step of 12 mm down its middle: of 34 x 34 inner pixels two columns bend, across."""
    plate = np.zeros((1, 64, 64), np.float32)
    plate[0, 12:52, 12:52] = 600
    assert (log_inner_edges(plate) == np.log2(1e-4)).all()
    plate[0, 12:52, 32:52] += 12
    share = 2 * 34 / (2 * 34 * 34)
    np.testing.assert_allclose(log_inner_edges(plate), np.log2(np.array([0, 0, share, 0, 0]) + 1e-4))
