"""Keys: what a frame was made from."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from refiner.annotate.sessions.labels import FrameLabels
from refiner.annotate.stages.changes import key_of, lift_keys, optimize_keys, propagate_keys, sweep_keys, unchanged


def labels(frame, u):
    return FrameLabels(frame, np.full((3, 2), float(u)), np.array([2, 1, 2], np.int8), ((2, 0),))


# References 0 and 4; 1 comes from 0, 2 from 1, 3 from 4.
ORDER = np.array([1, 3, 2]), np.array([0, 4, 1])
NEAREST = np.array([0, 0, 0, 4, 4])
STARTS = np.array([True, False, False, True, False])


def all_keys(first=1, last=2, common="same", starts=STARTS):
    lifted = lift_keys(5, {0: labels(0, first), 4: labels(4, last)}, common)
    propagated = propagate_keys(lifted, ORDER, NEAREST, common)
    swept = sweep_keys(propagated, np.isin(np.arange(5), (0, 4)), starts)
    return lifted, propagated, swept, optimize_keys(swept, NEAREST, starts, common)


def changed(ours, theirs):
    return [np.flatnonzero(~unchanged(a, b)).tolist() for a, b in zip(ours, theirs, strict=True)]


def test_a_change_reaches_what_was_made_from_it():
    assert changed(all_keys(), all_keys())[1:] == [[], [], []]
    assert changed(all_keys(first=9), all_keys()) == [[0, 1, 2, 3], [0, 1, 2], [0, 1, 2], [0, 1, 2]]
    assert changed(all_keys(last=9), all_keys()) == [[1, 2, 3, 4], [3, 4], [3, 4], [3, 4]]
    assert changed(all_keys(common="other"), all_keys())[1:] == [[0, 1, 2, 3, 4]] * 3


def test_between_labelled_frames_all_hang_together():
    unbroken = np.arange(5) == 0
    found = changed(all_keys(last=9, starts=unbroken), all_keys(starts=unbroken))
    assert found[1:] == [[3, 4], [1, 2, 3, 4], [0, 1, 2, 3, 4]]
    labelled = np.array([False, True, False, False, False, True, False])
    starts = np.array([True, False, False, True, False, False, False])
    ours = np.arange(1, 8, dtype=np.uint64)
    for frame, reached in ((0, [0]), (1, [0, 1, 2]), (2, [2]), (4, [3, 4]), (5, [3, 4, 5, 6]), (6, [6])):
        theirs = ours.copy()
        theirs[frame] += 10
        differ = ~unchanged(sweep_keys(ours, labelled, starts), sweep_keys(theirs, labelled, starts))
        assert np.flatnonzero(differ).tolist() == reached


def test_frames_without_labels_are_never_unchanged_in_the_lift():
    assert unchanged(all_keys()[0], all_keys()[0]).tolist() == [True, False, False, False, True]


def test_nothing_before_is_nothing_unchanged():
    assert not unchanged(all_keys()[1], None).any()


@given(st.lists(st.one_of(st.integers(), st.floats(allow_nan=False), st.text()), max_size=4))
@settings(max_examples=50, deadline=None)
def test_equal_parts_have_equal_keys(parts):
    assert key_of(*parts) == key_of(*parts)
    assert key_of(*parts) != key_of(*parts, "more")
