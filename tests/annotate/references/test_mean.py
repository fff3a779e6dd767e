"""A mean of maps that come in parts."""

import numpy as np
import pytest
import torch

from refiner.annotate.references.mean import Mean


@pytest.mark.parametrize("count", [1, 2, 15, 16, 17, 300, 5000])
def test_it_is_to_the_bit_that_of_all_maps_together(count):
    maps = np.random.default_rng(count).normal(3, 1, (count, 8, 8)).astype(np.float32)
    mean = Mean(count)
    for start in range(0, count, 7):
        mean.add(maps[start : start + 7])
    np.testing.assert_array_equal(mean.value(), torch.from_numpy(maps).mean(dim=0).numpy())
    # Sums of 16 levels of 16 or fewer: at most some dozen roundings of 6e-8 of a mean of 3.
    np.testing.assert_allclose(mean.value(), maps.astype(np.float64).mean(axis=0), rtol=5e-6)
