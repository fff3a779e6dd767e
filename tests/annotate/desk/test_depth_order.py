"""Which end of a bone is nearer, proposed, and left alone where a person said it."""

import numpy as np
import pytest
from desk_cases import clicks
from hypothesis import given
from hypothesis import strategies as st
from labelled_sequence import THREE

from refiner.annotate.desk.depth_order import pair_of_bone, proposed_pair, with_proposals
from refiner.annotate.sessions.labels import check_labels

NAN = np.nan


def at_depth(*z_mm):
    return np.array([(0.0, 0.0, z) for z in z_mm])


@pytest.mark.parametrize(
    ("parent_mm", "child_mm", "pair"),
    [(700, 711, (0, 1)), (711, 700, (1, 0)), (700, 710, None), (710, 700, None), (NAN, 700, None), (700, NAN, None)],
)
def test_more_than_10_mm_are_an_order(parent_mm, child_mm, pair):
    assert proposed_pair(0, 1, at_depth(parent_mm, child_mm)) == pair


def test_the_pair_of_a_bone_is_found_either_way_round():
    labels = clicks(0, {0: (1, 1), 1: (1, 1), 2: (1, 1)}, [(2, 0), (1, 0)])
    assert pair_of_bone(labels, 0, 1) == (1, 0)
    assert pair_of_bone(labels, 1, 2) is None


ALL = {0: (1, 1), 1: (1, 1), 2: (1, 1)}


def proposals(after, before, moved, now_mm, before_mm):
    after, before = (clicks(0, ALL, pairs) for pairs in (after, before))
    return with_proposals(after, before, moved, at_depth(*now_mm), at_depth(*before_mm), THREE).nearer


def test_depth_says_it_of_bones_whose_ends_moved():
    assert proposals([], [], [0], (700, 760, 820), (NAN, 760, 820)) == ((0, 1),)
    assert proposals([], [], [1], (700, 760, 820), (700, NAN, 820)) == ((0, 1), (1, 2))
    assert proposals([(0, 1)], [(0, 1)], [1], (700, 640, NAN), (700, 760, NAN)) == ((1, 0),)
    assert proposals([(0, 1)], [(0, 1)], [1], (700, 705, NAN), (700, 760, NAN)) == ()
    assert proposals([], [], [], (700, 760, 820), (NAN, 760, 820)) == ()


def test_what_a_person_said_stays():
    said = [(1, 0)]  # against the depth
    assert proposals(said, said, [0, 1], (700, 780, NAN), (700, 760, NAN)) == ((1, 0),)
    assert proposals(said, said, [1], (700, NAN, NAN), (700, 760, NAN)) == ((1, 0),)
    assert proposals([], [], [1], (700, 780, NAN), (700, 760, NAN)) == ()  # took the order away


def test_what_this_change_says_stays():
    assert proposals([(1, 0)], [(0, 1)], [1], (700, 760, NAN), (700, 760, NAN)) == ((1, 0),)
    assert proposals([], [(0, 1)], [1], (700, 760, NAN), (700, 760, NAN)) == ()


def test_the_same_again_leaves_pairs_in_their_places():
    pairs = [(0, 1), (1, 2)]
    assert proposals(pairs, pairs, [0], (700, 760, 820), (700, 760, 820)) == ((0, 1), (1, 2))


def test_a_joint_that_becomes_hidden_or_absent_takes_the_proposal_along():
    before = clicks(0, ALL, [(0, 1), (1, 2)])
    seen, hidden = at_depth(700, 760, 820), at_depth(700, NAN, 820)
    found = with_proposals(clicks(0, ALL | {1: (1, 1, 1)}, before.nearer), before, [1], hidden, seen, THREE)
    assert found.nearer == ()  # the depth under a hidden joint is not its own
    back = with_proposals(clicks(0, ALL), found, [1], seen, hidden, THREE)
    assert back.nearer == ((0, 1), (1, 2))
    absent = clicks(0, {0: (1, 1), 2: (1, 1)}, [*before.nearer, (0, 2)])
    assert with_proposals(absent, before, [1], hidden, seen, THREE).nearer == ((0, 2),)
    own = clicks(0, ALL, [(1, 0)])
    kept = with_proposals(clicks(0, ALL | {1: (1, 1, 1)}, [(1, 0)]), own, [1], hidden, seen, THREE)
    assert kept.nearer == ((1, 0),)  # a person said it: a hidden joint may well be nearer


def test_nothing_is_proposed_against_what_stays():
    """Files may hold orders of joints that no bone joins."""
    said = [(2, 0)]
    assert proposals(said, said, [1], (700, 760, 820), (700, NAN, 820)) == ((2, 0), (0, 1))


depths = st.one_of(st.just(NAN), st.sampled_from([700.0, 705.0, 760.0, 820.0]))
orders = st.sampled_from([(), ((0, 1),), ((1, 0),), ((1, 2),), ((2, 1), (0, 1)), ((2, 0),), ((0, 2), (1, 0))])


@given(orders, orders, st.sets(st.integers(0, 2)), st.tuples(*[depths] * 3), st.tuples(*[depths] * 3))
def test_proposals_never_contradict_and_come_once(after, before, moved, now_mm, before_mm):
    found = proposals(after, before, moved, now_mm, before_mm)

    check_labels(clicks(0, ALL, found), THREE, 32, 1)
    assert len({frozenset(pair) for pair in found}) == len(found)
    for parent, child in THREE.bones:
        if not {parent, child} & moved:
            here = {(parent, child), (child, parent)}
            assert here & set(found) == here & set(after)
