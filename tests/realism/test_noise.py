import numpy as np
import pytest
from plates import plates

from refiner.realism.noise import noise_distances


def test_inner_edges_differ_by_octaves():
    """A step of 12 mm down the middle of a plate, and the same step in three of 4 mm: two columns bend, across."""
    plate = np.zeros((1, 64, 64), np.float32)
    plate[0, 12:52, 12:52] = 600
    plate[0, 12:52, 32:52] += 12
    share = 2 * 34 / (2 * 34 * 34)
    soft = plate.copy()
    soft[0, 12:52, 31:33] = 604, 608
    octaves = noise_distances(soft, plate)["inner_edges"]  # two columns bend by 4 mm instead
    wanted = [np.log2((share + 1e-4) / 1e-4), 0, np.log2(1e-4 / (share + 1e-4)), 0, 0]
    assert octaves == pytest.approx(np.sqrt(np.mean(np.square(wanted))))


def test_distances_grow_with_the_difference():
    reference = plates(20, noise=2.0, holes=0.02)
    same = noise_distances(plates(20, noise=2.0, holes=0.02, seed=1), reference)
    near = noise_distances(plates(20, noise=3.0, holes=0.04, seed=2), reference)
    far = noise_distances(plates(20, noise=8.0, holes=0.2, seed=3), reference)
    for name in ("hole_rate", "depth_steps", "power_spectrum", "inner_edges"):
        assert same[name] < near[name] < far[name], name
    assert noise_distances(reference, reference) == dict.fromkeys(same, 0.0)
