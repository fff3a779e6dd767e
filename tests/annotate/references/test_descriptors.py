import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from refiner.annotate.references.descriptors import BINS, CELLS, HOG_NUMBERS, hog


def maps(count=3, size=64, seed=0):
    """Rough blobs with holes, hundreds of millimetres before nothing."""
    rng = np.random.default_rng(seed)
    depth = 500 + rng.uniform(0, 200, (count, size, size)).astype(np.float32)
    v, u = np.mgrid[:size, :size] / size - 0.5
    outside = np.hypot(u, v) > rng.uniform(0.2, 0.4, (count, 1, 1))
    depth[outside | (rng.random(depth.shape) < 0.1)] = 0
    return depth


def blocks(numbers):
    return numbers.reshape(-1, CELLS - 1, CELLS - 1, 2, 2, BINS)


def test_a_slope_by_hand():
    right = np.tile(np.arange(600, 616, dtype=np.float32), (16, 1))
    # Brightness falls along u alone: its direction, 0 or 180 degrees, lies between the last and the first bin.
    numbers = blocks(hog(right[None]))[0]
    assert (numbers[..., 1:8] == 0).all()
    # 49 blocks weigh the same; those without the border's cells, which have half the edge, are eight equal numbers.
    np.testing.assert_allclose(numbers[:, 1:6, ..., [0, 8]], 1 / np.sqrt(49 * 8), rtol=1e-3)
    # 90 degrees is the middle of the fifth bin.
    numbers = blocks(hog(right.T[None]))[0]
    np.testing.assert_allclose(numbers[1:6, ..., 4], 1 / np.sqrt(49 * 4), rtol=1e-3)
    np.testing.assert_allclose(np.delete(numbers, 4, axis=-1), 0, atol=1e-6)


def test_an_edge_is_where_it_is():
    depth = np.zeros((1, 64, 64), np.float32)
    depth[0, 16:24, 16:24] = np.linspace(600, 700, 8)  # the third cell of eight, both ways
    numbers = blocks(hog(depth))[0]
    near = np.zeros((CELLS - 1, CELLS - 1), bool)
    near[:4, :4] = True  # its own and its neighbours' cells, in the blocks that hold them
    assert (numbers.any(axis=(2, 3, 4)) <= near).all()
    assert numbers[1:3, 1:3].any(axis=(2, 3, 4)).all()


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 1000), st.sampled_from([32, 64, 128]))
def test_a_mirror_image_has_mirrored_numbers(seed, size):
    depth = maps(1, size, seed)
    mirrored = blocks(hog(depth))[:, :, ::-1, :, ::-1, ::-1]
    np.testing.assert_allclose(blocks(hog(depth[:, :, ::-1])), mirrored, atol=1e-4)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 1000), st.floats(0.5, 4), st.floats(-100, 1000))
def test_only_relative_depth_counts(seed, gain, offset):
    depth = maps(1, seed=seed)
    other = np.where(depth > 0, depth * gain + offset, 0).astype(np.float32)
    np.testing.assert_allclose(hog(other), hog(depth), atol=1e-3)


@pytest.mark.parametrize("size", [8, 50, 64, 128])
def test_any_size_gives_as_many_numbers_of_length_one(size):
    numbers = hog(maps(size=size))
    assert numbers.shape == (3, HOG_NUMBERS) == (3, 1764)
    assert numbers.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(numbers, axis=1), 1, rtol=1e-5)


def test_a_frame_does_not_depend_on_the_others():
    depth = maps(40)
    together = hog(depth)
    for frame in (0, 15, 16, 39):
        np.testing.assert_array_equal(hog(depth[frame : frame + 1])[0], together[frame])


def test_what_has_no_edge_is_zero():
    plate = np.full((16, 16), 600.0, np.float32)
    assert (hog(np.stack([np.zeros_like(plate), plate])) == 0).all()
    assert hog(np.zeros((0, 16, 16), np.float32)).shape == (0, HOG_NUMBERS)


def test_maps_without_cells_are_refused():
    with pytest.raises(ValueError, match="at least 8 px"):
        hog(np.zeros((1, 7, 9), np.float32))
    with pytest.raises(ValueError, match="at least 8 px"):
        hog(np.zeros((64, 64), np.float32))
