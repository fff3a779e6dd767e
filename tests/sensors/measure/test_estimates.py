import numpy as np
import pytest

from refiner.sensors.measure.estimates import Bootstrap, median_of, ratio


def test_sets_are_drawn_in_runs_of_neighbours():
    weights = Bootstrap(100, seed=0).weights
    assert (weights[0] == 1).all()
    assert (weights.sum(axis=1) == 100).all()
    # Ten runs of ten frames have at most twenty ends.
    assert (np.abs(np.diff(weights[1:], axis=1)) > 0).sum(axis=1).max() <= 20
    np.testing.assert_array_equal(weights, Bootstrap(100, seed=0).weights)


def test_an_interval_covers_the_mean_of_independent_frames():
    """Of 100 recordings of 100 frames about 95 intervals hold the mean; runs of ten make them a little narrow."""
    held = 0
    for seed in range(100):
        counts = np.ones(100)
        sums = np.stack([np.random.default_rng(seed).normal(5, 2, 100), counts], axis=1)
        estimate = Bootstrap(100, seed).estimate(sums, ratio, counts, fewest=10)
        assert estimate.low <= estimate.value <= estimate.high
        held += estimate.low <= 5 <= estimate.high
    assert 82 <= held <= 99


def test_neighbours_that_are_alike_widen_the_interval():
    rng = np.random.default_rng(1)
    alone = rng.normal(size=100)
    alike = np.repeat(rng.normal(size=10), 10)
    widths = []
    for values in (alone, alike):
        estimate = Bootstrap(100, 0).estimate(np.stack([values, np.ones(100)], axis=1), ratio, np.ones(100), 10)
        widths.append(estimate.high - estimate.low)
    assert widths[1] > 1.8 * widths[0]


@pytest.mark.parametrize("counts", [np.array([9.0, 0, 0]), np.array([3.0, 3, 3])])
def test_too_little_is_not_told(counts):
    sums = np.stack([counts, counts], axis=1)
    assert Bootstrap(3, 0).estimate(sums, ratio, counts, fewest=9.5) is None
    told = Bootstrap(3, 0).estimate(sums, ratio, counts, fewest=9)
    assert (told is None) == (np.count_nonzero(counts) < 2)


def test_medians_by_hand():
    median = median_of(np.array([0.0, 1.0, 2.0, 4.0]))
    np.testing.assert_allclose(median(np.array([[2.0, 2, 0], [0, 0, 6], [1, 2, 1]])), [1.0, 3.0, 1.5])
