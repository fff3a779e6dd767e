"""Mixed surfaces."""

import math

import numpy as np

from refiner.render.blur import mean_of_readings, mix_surfaces


def test_a_step_becomes_the_share_of_either_side_by_hand():
    """A step of 40 mm between two pixels, 1/2 and 3/2 px away: (1 + erf(0.5 / (0.7 sqrt 2))) / 2 = 0.76 of it."""
    depth = np.tile(np.array([700] * 8 + [740] * 8, np.float32), (9, 1))
    mixed = mix_surfaces(depth, 0.7)[4]
    weights = np.exp(-0.5 * (np.arange(-3, 4) / 0.7) ** 2)
    far = weights[3:].sum() / weights.sum()  # seen from the first far pixel
    assert abs(far - (1 + math.erf(0.5 / (0.7 * math.sqrt(2)))) / 2) < 0.03
    np.testing.assert_allclose(mixed[7:9], [700 + 40 * (1 - far), 700 + 40 * far], atol=0.1)
    np.testing.assert_allclose(mixed[[0, 4, 11, 15]], [700, 700, 740, 740], atol=0.01)


def test_what_is_no_reading_has_no_part():
    depth = np.zeros((9, 9), np.float32)
    depth[3:6, 3:6] = 700
    np.testing.assert_allclose(mix_surfaces(depth, 1.0), depth, rtol=1e-6)
    share, mean = mean_of_readings(depth, 1.0)
    assert share[4, 4] > 0.7 > share[4, 6] > 0
    np.testing.assert_allclose(mean[4, 6], 700, rtol=1e-5)
    assert mix_surfaces(depth, 0.0) is depth
