"""Nearest references and the order of propagation, on tables that are worked out by hand or word by word."""

import numpy as np
import pytest
from distance_tables import line, matrices
from hypothesis import given, settings
from hypothesis import strategies as st

from refiner.annotate.references import nearest
from refiner.annotate.references.nearest import nearest_references, propagation_order
from refiner.errors import UsageError


def test_nearest_references_by_hand():
    distances = line(0, 1, 2, 3, 3, 7)
    np.testing.assert_array_equal(nearest_references(distances, [4, 0]), [0, 0, 4, 4, 4, 4])
    np.testing.assert_array_equal(nearest_references(distances, [4, 2, 0]), [0, 0, 2, 4, 4, 4])
    np.testing.assert_array_equal(nearest_references(distances, [4, 3]), [3, 3, 3, 3, 4, 3])


def test_order_by_hand():
    frames, neighbours = propagation_order(line(0, 2, 3, 9, 7, 4.5), [0, 3])
    np.testing.assert_array_equal(frames, [1, 2, 5, 4])
    np.testing.assert_array_equal(neighbours, [0, 1, 2, 3])
    frames, neighbours = propagation_order(line(0, 1), [1, 0])
    assert len(frames) == len(neighbours) == 0
    with pytest.raises(UsageError, match="no reference"):
        propagation_order(line(0, 1), [])


@settings(max_examples=100, deadline=None)
@given(matrices(12), st.sets(st.integers(0, 11), min_size=1), st.integers(1, 12), st.integers(1, 12))
def test_every_frame_follows_its_nearest_known_one(distances, references, ahead, held):
    known = sorted({frame % len(distances) for frame in references})
    with pytest.MonkeyPatch.context() as patch:  # rows computed together, and held: few of them
        patch.setattr(nearest, "_AHEAD", ahead * len(distances))
        patch.setattr(nearest, "_HELD", held * len(distances))
        frames, neighbours = propagation_order(distances, known)
    assert sorted([*known, *frames]) == list(range(len(distances)))
    for frame, neighbour in zip(frames.tolist(), neighbours.tolist(), strict=True):
        assert neighbour in known
        left = [i for i in range(len(distances)) if i not in known]
        away = distances[np.ix_(left, known)]
        assert frame == left[away.min(axis=1).argmin()]
        assert distances[frame, neighbour] == away.min()
        known.append(frame)


class Counted:
    """A table that counts how often each row is asked for."""

    def __init__(self, table):
        self.table, self.asked = table, np.zeros(len(table), int)

    def __len__(self):
        return len(self.table)

    def __getitem__(self, frames):
        np.add.at(self.asked, frames, 1)
        return self.table[frames]


@pytest.mark.parametrize("held", [1, 3, 40])
def test_no_row_is_computed_twice(held, monkeypatch):
    places = np.random.default_rng(0).normal(size=40)
    table = Counted(line(*places))
    monkeypatch.setattr(nearest, "_AHEAD", 3 * 40)
    monkeypatch.setattr(nearest, "_HELD", held * 40)
    propagation_order(table, [7, 11])
    assert (table.asked == 1).all()  # of the references for what is nearest to them, of the others when they are solved
