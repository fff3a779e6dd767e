"""Two changes of one frame become one, or are refused."""

import numpy as np
import pytest
from desk_cases import as_dict, clicks
from hypothesis import assume, given
from hypothesis import strategies as st

from refiner.annotate.desk.merging import empty_labels, merge_labels
from refiner.annotate.sessions.labels import FrameLabels, check_labels
from refiner.errors import LabelConflictError, LabelError
from refiner.hand.skeleton import Skeleton

FOUR = Skeleton("four", ("root", "a", "b", "c"), (-1, 0, 1, 2))
BASE = {0: (1, 1), 1: (2, 2), 2: (3, 3)}


def four(at, nearer=()):
    return clicks(0, at, nearer, joints=4)


def merge(before, mine, theirs, **how):
    return merge_labels(before, mine, theirs, FOUR, **how)


def test_each_joint_is_as_the_one_has_it_who_changed_it():
    mine = four({0: (1, 1), 1: (9, 9), 2: (3, 3), 3: (7, 7, 1)})  # moved a, placed c
    theirs = four({0: (5, 5, 1), 1: (2, 2)})  # hid and moved the root, removed b
    found = merge(four(BASE), mine, theirs)
    assert as_dict(found) == {0: (5, 5, 1), 1: (9, 9, 2), 3: (7, 7, 1)}
    assert np.isnan(found.uv_px[2]).all()


def test_both_changed_one_joint():
    mine, theirs = four({**BASE, 1: (9, 9), 2: (8, 8)}), four({**BASE, 1: (9, 8), 2: (8, 7), 0: (4, 4)})
    with pytest.raises(LabelConflictError, match="has moved a, b of frame 0 since"):
        merge(four(BASE), mine, theirs)
    forced = merge(four(BASE), mine, theirs, force=True)
    assert as_dict(forced) == as_dict(four({0: (4, 4), 1: (9, 9), 2: (8, 8)}))  # what only they moved stays theirs


@pytest.mark.parametrize(
    ("mine", "theirs"),
    [
        ({0: (1, 1)}, {0: (2, 1)}),  # from nothing
        ({0: (1, 1)}, {0: (1, 1, 1)}),  # seen, or hidden
    ],
)
def test_both_place_one_joint_from_nothing(mine, theirs):
    with pytest.raises(LabelConflictError, match="moved root of"):
        merge(None, four(mine), four(theirs))


@pytest.mark.parametrize("mine_first", [True, False])
def test_one_removes_what_the_other_moves(mine_first):
    sides = [four({0: (1, 1), 2: (3, 3)}), four({**BASE, 1: (9, 9)})]
    mine, theirs = sides if mine_first else sides[::-1]
    with pytest.raises(LabelConflictError, match="moved a of"):
        merge(four(BASE), mine, theirs)


def test_both_did_the_same():
    changed = four({**BASE, 1: (9, 9)})
    near = four({**BASE, 1: (9.0005, 9)})  # one click, written twice
    assert as_dict(merge(four(BASE), near, changed)) == as_dict(changed)


def test_a_frame_that_was_emptied_meanwhile_keeps_what_is_new():
    assert as_dict(merge(four(BASE), four({**BASE, 3: (7, 7)}), None)) == {3: (7, 7, 2)}
    assert not merge(four(BASE), four({}), None).flag.any()


def test_the_order_is_merged_pair_by_pair():
    mine = four(BASE, [(1, 0), (2, 1)])  # of (0, 1) the opposite, and one more
    theirs = four(BASE, [(0, 1), (2, 0)])
    assert merge(four(BASE, [(0, 1)]), mine, theirs).nearer == ((2, 0), (1, 0), (2, 1))
    assert merge(four(BASE, [(0, 1)]), four(BASE), theirs).nearer == ((2, 0),)  # taken back


def test_orders_that_contradict_each_other():
    mine, theirs = four(BASE, [(1, 0)]), four(BASE, [(0, 1), (1, 2)])
    with pytest.raises(LabelConflictError, match="has turned the order of root and a of frame 0"):
        merge(four(BASE), mine, theirs)
    assert merge(four(BASE), mine, theirs, force=True).nearer == ((1, 2), (1, 0))
    round_about = four(BASE, [(0, 1), (1, 2)])
    with pytest.raises(LabelConflictError, match="order of a and b"):  # 2 before 0 before 1 before 2
        merge(four(BASE), four(BASE, [(2, 0)]), round_about)
    assert merge(four(BASE), four(BASE, [(2, 0)]), round_about, force=True).nearer == ((0, 1), (2, 0))


def test_an_order_goes_with_its_joints():
    mine, theirs = four(BASE, [(0, 1)]), four({0: (1, 1), 2: (3, 3)}, [(0, 2)])
    assert merge(four(BASE), mine, theirs).nearer == ((0, 2),)  # they removed joint 1
    gone = four({0: (1, 1), 1: (2, 2)}, [(0, 1)])
    assert merge(four(BASE, [(0, 1)]), gone, four(BASE, [(0, 1), (0, 2)])).nearer == ((0, 1),)


places = st.one_of(st.none(), st.tuples(st.integers(0, 3), st.integers(0, 3), st.integers(1, 2)))


@st.composite
def frames(draw):
    at = {k: place for k in range(4) if (place := draw(places)) is not None}
    rank = draw(st.permutations(range(4)))  # pairs along one order make no circle
    pairs = [(a, b) for a in at for b in at if rank[a] < rank[b]]
    return four(at, draw(st.lists(st.sampled_from(pairs), unique=True, max_size=4)) if pairs else ())


def place(labels, joint):
    return as_dict(labels).get(joint)


def text(labels):
    return as_dict(labels), labels.nearer


@given(frames(), frames(), frames(), st.booleans())
def test_what_comes_out_is_sound(before, mine, theirs, force):
    try:
        found = merge(before, mine, theirs, force=force)
    except LabelConflictError:
        assert not force
        return
    check_labels(found, FOUR, 32, 1)
    for joint in range(4):
        was, my, their = (place(one, joint) for one in (before, mine, theirs))
        assert place(found, joint) == (their if my == was else my)
    for pair in found.nearer:
        assert pair in mine.nearer or pair in theirs.nearer
        assert found.flag[list(pair)].all()


@given(frames(), frames(), frames())
def test_a_conflict_is_a_joint_that_both_changed(before, mine, theirs):
    before, mine, theirs = (FrameLabels(0, one.uv_px, one.flag) for one in (before, mine, theirs))
    both = [
        FOUR.joints[k]
        for k in range(4)
        if len({place(before, k), place(mine, k), place(theirs, k)}) == 3
    ]  # fmt: skip
    if not both:
        merge(before, mine, theirs)
        return
    with pytest.raises(LabelConflictError, match=f"moved {', '.join(both)} of"):
        merge(before, mine, theirs)


@given(frames(), frames(), frames(), st.sets(st.integers(0, 3)))
def test_it_does_not_matter_whose_change_comes_first(before, a, b, of_a):
    def only(changed, joints):
        at = {k: found for k in range(4) if (found := place(changed if k in joints else before, k)) is not None}
        own = [pair for pair in changed.nearer if set(pair) <= joints & set(at)]
        rest = [pair for pair in before.nearer if set(pair) <= set(at) and not set(pair) <= joints]
        return four(at, dict.fromkeys(rest + own))

    a, b = only(a, of_a), only(b, set(range(4)) - of_a)
    try:
        check_labels(a, FOUR, 32, 1)
        check_labels(b, FOUR, 32, 1)
        one = merge(before, a, b)
    except LabelError:  # the pairs of one contradict those of the other, or what they began with
        assume(False)
    other = merge(before, b, a)
    assert as_dict(one) == as_dict(other)
    assert set(one.nearer) == set(other.nearer)


@given(frames(), frames())
def test_one_change_alone_is_itself(before, changed):
    assert text(merge(before, changed, changed)) == text(changed)  # it came twice: an answer was lost on its way
    assert text(merge(before, before, changed)) == text(changed)  # a page that is behind, and wants nothing
    alone = merge(before, changed, before)
    assert (as_dict(alone), set(alone.nearer)) == (as_dict(changed), set(changed.nearer))
    assert text(merge(None, changed, None)) == text(changed)


def test_empty_labels_are_of_no_joint():
    empty = empty_labels(3, 4)
    assert (empty.frame, empty.uv_px.shape, empty.flag.tolist(), empty.nearer) == (3, (4, 2), [0] * 4, ())
