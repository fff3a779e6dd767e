"""A simulated annotator's clicks."""

import numpy as np
import pytest
from labelled_sequence import three_joints, write_sequence, write_unlabelled

from refiner.annotate.simulate import check_same_frames, labels_of_truth
from refiner.datasets.store import DepthStore
from refiner.errors import StoreError


@pytest.fixture
def store(tmp_path):
    return DepthStore(write_sequence(tmp_path / "a.zarr", count=6))


def test_exact_clicks_are_projections(store):
    (found,) = labels_of_truth(store, [2])
    assert found.frame == 2
    x, y, z = three_joints(1)[0].T
    np.testing.assert_allclose(found.uv_px, np.stack([100 * x / z + 15.5, 100 * y / z + 15.5], axis=-1), rtol=1e-6)
    assert found.nearer == ((1, 2),)  # the tip is 18 mm behind


def test_noise_is_of_its_frame_alone_and_stays_in_the_map(store):
    one, many = labels_of_truth(store, [4], 1.5, 3), labels_of_truth(store, range(6), 1.5, 3)
    np.testing.assert_array_equal(one[0].uv_px, many[4].uv_px)
    assert (one[0].uv_px != labels_of_truth(store, [4], 1.5, 4)[0].uv_px).all()
    wild = np.stack([found.uv_px for found in labels_of_truth(store, range(6), 50.0)])
    assert wild.min() >= -0.5
    assert wild.max() <= store.size - 0.5
    exact = np.stack([found.uv_px for found in labels_of_truth(store, range(6))])
    noisy = np.stack([found.uv_px for seed in range(30) for found in labels_of_truth(store, range(6), 1.5, seed)])
    assert 1.3 < (noisy.reshape(30, *exact.shape) - exact).std() < 1.7


def test_a_truth_of_other_frames_is_refused(store, tmp_path):
    check_same_frames(store, store)
    with pytest.raises(StoreError, match="holds 5 frames.*wanted the same frames"):
        check_same_frames(store, DepthStore(write_sequence(tmp_path / "b.zarr", count=5)))
    with pytest.raises(StoreError, match="no joints_mm"):
        check_same_frames(store, DepthStore(write_unlabelled(tmp_path / "c.zarr", count=6)))
