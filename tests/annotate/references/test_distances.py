"""Distances row by row: the same number whatever is asked beside it."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from refiner.annotate.quality import most_helpful
from refiner.annotate.references import distances as distances_module
from refiner.annotate.references import nearest, neighbours
from refiner.annotate.references.distances import CosineDistances, in_blocks
from refiner.annotate.references.nearest import nearest_references, propagation_order
from refiner.annotate.references.select import coverage_curve, select_references


def walk(count, numbers=8, seed=0):
    """Descriptors of a sequence: a random walk that is drawn back to the middle."""
    rng = np.random.default_rng(seed)
    steps, places = rng.normal(size=(count, numbers)), np.zeros((count, numbers))
    for n in range(1, count):
        places[n] = 0.98 * places[n - 1] + 0.2 * steps[n]
    return places.astype(np.float32)


def test_cosine_distances_by_hand():
    rows = np.array([[3, 0], [0, 0.5], [-2, 0], [1, 1], [0, 0]])
    half = 1 - np.sqrt(0.5)
    wanted = np.array(
        [
            [0, 1, 2, half, 1],
            [1, 0, 1, half, 1],
            [2, 1, 0, 2 - half, 1],
            [half, half, 2 - half, 0, 1],
            [1, 1, 1, 1, 0],
        ]
    )
    distances = CosineDistances(rows)
    assert len(distances) == 5
    assert distances[:].dtype == np.float32
    np.testing.assert_allclose(distances[:], wanted, atol=1e-6)
    np.testing.assert_allclose(distances[3], wanted[3], atol=1e-6)
    np.testing.assert_allclose(distances[np.array([4, 1])], wanted[[4, 1]], atol=1e-6)
    assert (distances.min(), distances.max()) == (0, 2)


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 40), st.sampled_from([1, 2, 3, 4, 7, 48, 64, 65, 130]), st.integers(0, 99), st.integers(1, 7))
def test_a_distance_is_the_same_in_any_company(count, numbers, seed, rows):
    rng = np.random.default_rng(seed)
    descriptors = rng.normal(size=(count, numbers)).astype(np.float32)
    distances = CosineDistances(descriptors)
    table = distances[:]
    exact = descriptors.astype(np.float64)
    exact /= np.linalg.norm(exact, axis=1, keepdims=True)
    np.testing.assert_allclose(table, np.clip(1 - exact @ exact.T, 0, 2), atol=2e-6)
    np.testing.assert_array_equal(table, table.T)
    assert (np.diagonal(table) == 0).all()
    some = rng.integers(0, count, 5)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(distances_module, "_BLOCK", rows * count)
        found = list(in_blocks(distances, some))
        assert distances.max() == table.max()
    np.testing.assert_array_equal(np.concatenate([frames for frames, _ in found]), some)
    np.testing.assert_array_equal(np.concatenate([part for _, part in found]), table[some])
    assert all(len(part) <= rows for _, part in found)
    np.testing.assert_array_equal(distances[int(some[0])], table[some[0]])


def test_distances_do_not_depend_on_the_parts_they_are_computed_in():
    """4,100 frames of 70 numbers: three tiles of 2,048 frames, two of 64 numbers."""
    descriptors = walk(4100, 70)
    exact = descriptors.astype(np.float64)
    exact /= np.maximum(np.linalg.norm(exact, axis=1, keepdims=True), 1e-9)
    distances, some = CosineDistances(descriptors), np.array([0, 2047, 2048, 4095, 4096, 4099])
    wanted = np.clip(1 - exact[some] @ exact.T, 0, 2)
    np.testing.assert_allclose(np.delete(distances[some], 0, axis=1), np.delete(wanted, 0, axis=1), atol=2e-6)
    greatest = max(rows.max() for _, rows in in_blocks(distances, np.arange(len(distances))))
    assert distances.max() == greatest


def test_descriptors_that_are_no_numbers_are_refused():
    descriptors = np.ones((3, 2), np.float32)
    descriptors[1, 1] = np.nan
    with pytest.raises(ValueError, match="finite"):
        CosineDistances(descriptors)


def test_no_step_holds_the_table_of_all_pairs(monkeypatch):
    """2,000 frames: the table has 16 MB. Blocks have 2 rows of 8 kB; 4 rows are held, and 100 pairs a frame."""
    count = 2000
    monkeypatch.setattr(distances_module, "_BLOCK", 2 * count)
    monkeypatch.setattr(nearest, "_AHEAD", 2 * count)
    monkeypatch.setattr(nearest, "_HELD", 4 * count)
    monkeypatch.setattr(neighbours, "KEPT_PAIRS", 100 * count)
    distances = CosineDistances(walk(count))
    references = select_references(distances, 40, 0.1).frames
    tracemalloc.start()
    try:
        select_references(distances, 40)
        select_references(distances, 40, 0.01)
        coverage_curve(distances, references)
        nearest_references(distances, references)
        propagation_order(distances, references)
        most_helpful(distances, references, np.ones(count), 1)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    # 0.2 M pairs of 8 bytes, 1.6 MB, and 400 bytes for each frame's two arrays and their place in a dictionary, 0.8 MB;
    # a dozen arrays of 2,000 numbers of 8 bytes and as many lists, 0.5 MB; four blocks of 16 kB, 0.1 MB.
    assert peak < 4e6


@pytest.mark.parametrize("kept", [0, 5000, 10**6])
def test_lists_are_kept_as_far_as_there_is_room(kept, monkeypatch):
    monkeypatch.setattr(neighbours, "KEPT_PAIRS", kept)
    distances, every = CosineDistances(walk(300)), np.arange(300)
    table = distances[:]
    found = neighbours.Neighbours(distances, 0.0, 0.3)
    for _ in range(2):
        lists = {frame: (near, away) for frame, near, away in found.of(every)}
        assert sorted(lists) == every.tolist()
        for frame, (near, away) in lists.items():
            np.testing.assert_array_equal(near, np.flatnonzero(table[frame] < 0.3))
            np.testing.assert_array_equal(away, table[frame, near])
    pairs = int((table < 0.3).sum())
    assert sum(len(near) for near, _ in found._kept.values()) <= kept
    assert found.hold(every) == (pairs <= kept)
    assert 5000 < pairs < 10**6
