import numpy as np
import pytest

from refiner.sensors import random_field as compiled
from refiner.sensors.random_field import node_rows, normal, reach, slope, smooth_noise, uniform


def noise_key(seed, item, stream):
    return np.uint64(compiled.noise_key(seed, item, stream))  # Python would make it an int of any size


def field(key, origin, shape, cell):
    out, nodes = np.empty(shape, np.float32), node_rows(shape[1], cell)
    for v in range(shape[0]):
        smooth_noise(key, origin[0], origin[1] + v, cell, nodes, out[v])
    return out


def test_keys_tell_seed_item_and_stream_apart():
    keys = {noise_key(seed, item, stream) for seed in range(8) for item in range(8) for stream in range(8)}
    assert len(keys) == 512


def test_uniform_and_normal_have_their_moments():
    places = [(u, v) for u in range(200) for v in range(200)]
    flat = np.array([uniform(noise_key(1, 2, 3), *place) for place in places])
    assert 0 <= flat.min() < 1e-3
    assert 1 - 1e-3 < flat.max() < 1
    # 40,000 draws: the mean strays by 0.0014, the deviation of a normal by 0.0035.
    assert flat.mean() == pytest.approx(0.5, abs=0.006)
    bell = np.array([normal(noise_key(1, 2, 3), *place) for place in places])
    assert bell.mean() == pytest.approx(0, abs=0.02)
    assert bell.std() == pytest.approx(1, abs=0.015)
    assert 3 < np.abs(bell).max() < 3.5
    assert abs(np.corrcoef(bell[:-1], bell[1:])[0, 1]) < 0.02


@pytest.mark.parametrize("cell", [1, 3, 8])
def test_smooth_noise_has_variance_1_at_every_phase_and_fades_over_a_cell(cell):
    noise = np.stack([field(noise_key(0, item, 0), (5, 2), (24, 24), cell) for item in range(1500)])
    assert noise.std(axis=0) == pytest.approx(1, abs=0.1)
    flat = noise.reshape(1500, -1)
    correlation = np.corrcoef(flat.T).reshape(24, 24, 24, 24)
    near = np.mean([correlation[10, u, 10, u + 1] for u in range(8, 16)])
    far = np.mean([correlation[10, u, 10, u + 2 * cell] for u in range(0, 8)])
    assert abs(far) < 0.05
    assert (abs(near) < 0.05) if cell == 1 else near > 0.6


def test_smooth_noise_of_2_px_is_that_of_a_kinect_v2():
    # Measured in a still scene of a Kinect v2: 0.68 beside, 0.33 two pixels away, 0.1 three.
    noise = np.stack([field(noise_key(0, item, 0), (0, 0), (12, 12), 2) for item in range(800)]).reshape(800, -1)
    correlation = np.corrcoef(noise.T).reshape(12, 12, 12, 12)
    at = {step: np.mean([correlation[v, u, v, u + step] for v in range(12) for u in range(8)]) for step in (1, 2, 3)}
    assert at[1] == pytest.approx(0.68, abs=0.12)
    assert at[2] == pytest.approx(0.33, abs=0.12)
    assert at[3] == pytest.approx(0.1, abs=0.12)


def test_noise_does_not_depend_on_the_window():
    key = noise_key(7, 7, 7)
    whole, part = field(key, (0, 0), (40, 40), 4), field(key, (13, 9), (20, 17), 4)
    np.testing.assert_array_equal(part, whole[9:29, 13:30])


def test_reach_gives_the_columns_around_readings():
    depth = np.zeros((7, 9), np.float32)
    depth[3, 4] = depth[3, 6] = 500
    low, high = np.empty(7, np.int64), np.empty(7, np.int64)
    reach(depth, 1, low, high)
    assert low.tolist() == [9, 9, 3, 3, 3, 9, 9]
    assert high.tolist() == [-1, -1, 7, 7, 7, -1, -1]


def test_slope_takes_the_gentler_side():
    values = np.array([[0, 0, 0, 0], [7, 10, 12, 90], [0, 15, 0, 0], [0, 0, 0, 0]], np.float32)
    assert slope(values, 1, 1) == (2, 5)
