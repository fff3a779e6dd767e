import numpy as np

from experiments.smooth import mean_of_readings


def test_what_is_no_reading_has_no_part():
    depth = np.zeros((9, 9), np.float32)
    depth[3:6, 3:6] = 700
    share, mean = mean_of_readings(depth, 1.0)
    assert share[4, 4] > 0.7 > share[4, 6] > 0
    np.testing.assert_allclose(mean[4, 6], 700, rtol=1e-5)
