"""Bone lengths from labels and depth."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from labelled_sequence import CAMERA, SIZE, THREE, write_sequence, write_unlabelled
from shipped_sequence import STORE

from refiner.annotate.estimate import bones_from_labels, estimate_bones, median_with_error, usual_lengths_mm
from refiner.annotate.references.select import equally_spaced
from refiner.annotate.sessions.labels import FrameLabels
from refiner.annotate.sessions.session import Session
from refiner.annotate.sessions.truth import bones_of_store
from refiner.annotate.simulate import labels_of_truth
from refiner.datasets.store import DepthStore
from refiner.errors import SolveError
from refiner.hand.skeleton import HAND21


def plate(frames=1):
    return np.full((frames, SIZE, SIZE), 700, np.uint16), np.tile(np.float64(CAMERA), (frames, 1))


def clicked(frame, uv_px, flag):
    return FrameLabels(frame, np.array(uv_px, float), np.array(flag, np.int8))


def estimate(labels, skeleton=THREE):
    depth, cameras = plate(len(labels))
    return bones_from_labels(labels, depth, 1.0, cameras, skeleton)


def test_pixels_on_a_plate_by_hand():
    # 700 mm away with 100 px of focal length a pixel is 7 mm: 3 and 4 px across and down are 35 mm.
    labels = [
        clicked(0, [[5, 5], [8, 9], [10, 9]], [2, 2, 2]),
        clicked(1, [[5, 5], [8, 9], [13, 9]], [2, 2, 2]),
        clicked(2, [[5, 5], [8, 9], [11, 9]], [2, 2, 2]),
        clicked(3, [[5, 5], [28, 9], [11, 9]], [1, 2, 1]),  # hidden ends say nothing
    ]
    found = estimate(labels)
    np.testing.assert_allclose(found.lengths_mm, [np.nan, 35, 21], rtol=1e-6)
    np.testing.assert_array_equal(found.samples, [0, 3, 3])
    assert found.spread_mm[2] > found.spread_mm[1] >= 1
    assert not found.guessed.any()


def test_bones_that_point_at_the_camera_count_little():
    depth, cameras = plate(2)
    depth[1, :, 16:] = 740  # the second bone of the second frame goes 40 mm back
    labels = [clicked(n, [[5, 5], [12, 9], [end, 9]], [2, 2, 2]) for n, end in ((0, 15), (1, 20))]
    found = bones_from_labels(labels, depth, 1.0, cameras, THREE)
    assert abs(found.lengths_mm[2] - 21) < abs(found.lengths_mm[2] - 70)


def test_the_order_of_the_labels_does_not_matter():
    rng = np.random.default_rng(0)
    labels = [clicked(n, 5 + rng.uniform(0, 20, (3, 2)), [2, 2, 2]) for n in range(7)]
    first, second = estimate(labels), estimate(labels[::-1])
    np.testing.assert_allclose(first.lengths_mm, second.lengths_mm)
    np.testing.assert_allclose(first.spread_mm, second.spread_mm)


def test_a_bone_that_was_never_seen_has_the_usual_proportions():
    uv_px = np.full((21, 2), np.nan)
    flag = np.zeros(21, np.int8)
    uv_px[0], uv_px[9], flag[0], flag[9] = (5, 5), (15, 5), 2, 2
    found = estimate([FrameLabels(0, uv_px, flag)], HAND21)
    usual = usual_lengths_mm()
    np.testing.assert_allclose(found.lengths_mm[1:] / usual[1:], found.lengths_mm[9] / usual[9])
    assert found.guessed.sum() == 19
    assert found.spread_mm[5] == pytest.approx(0.15 * found.lengths_mm[5])


def test_what_cannot_be_told_is_said(tmp_path):
    with pytest.raises(SolveError, match="together with their parents: tip; wanted one of each"):
        estimate([clicked(0, [[5, 5], [8, 9], [10, 9]], [2, 2, 1])])
    with pytest.raises(SolveError, match="together with their parents"):
        estimate([FrameLabels(0, np.full((21, 2), 5.0), np.full(21, 1, np.int8))], HAND21)
    write_unlabelled(tmp_path / "a.zarr")
    nothing = pytest.raises(SolveError, match="no labelled frame")
    with Session.create(tmp_path / "s", tmp_path / "a.zarr") as session, nothing:
        estimate_bones(session)


def test_a_session_is_read(tmp_path):
    write_sequence(tmp_path / "a.zarr")
    with Session.create(tmp_path / "s", tmp_path / "a.zarr") as session:
        session.put_labels([clicked(4, [[5, 5], [8, 9], [10, 9]], [2, 2, 2])], "anna")
        np.testing.assert_allclose(estimate_bones(session).lengths_mm, [np.nan, 35, 14], rtol=1e-6)


def test_ten_labelled_frames_of_a_rendered_hand_suffice():
    store = DepthStore(STORE)
    frames = equally_spaced(len(store), 10)
    depth, cameras = store.read("depth")[frames], store.read("camera")[frames].astype(float)
    labels = labels_of_truth(store, frames)
    found = bones_from_labels(labels, depth, store.depth_unit_mm, cameras, HAND21)
    off_mm = np.abs(found.lengths_mm - bones_of_store(store))[1:]
    assert off_mm.mean() < 2.5
    assert (off_mm < 2 * found.spread_mm[1:]).mean() >= 0.85


@given(st.lists(st.tuples(st.floats(3, 200), st.floats(0.01, 1)), min_size=1, max_size=30))
@settings(max_examples=100, deadline=None)
def test_a_weighted_median_lies_among_its_values(pairs):
    values, weights = np.array(pairs).T
    middle, spread = median_with_error(values, weights)
    assert values.min() - 1e-9 <= middle <= values.max() + 1e-9
    assert np.isfinite(spread)
    assert spread >= 1
    half = 0.5 * (weights.sum() + weights.max()) + 1e-9  # of the weight, with half of a value's own
    assert weights[values < middle - 1e-9].sum() <= half
    assert weights[values > middle + 1e-9].sum() <= half
