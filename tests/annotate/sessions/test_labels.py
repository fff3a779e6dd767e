import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from labelled_sequence import THREE

from refiner.annotate.sessions.labels import FrameLabels, check_labels, inside, merged
from refiner.errors import LabelError
from refiner.hand.skeleton import Skeleton

NAN = float("nan")
SIZE, FRAMES = 32, 5


def three(frame=0, uv_px=((1, 2), (3, 4), (5, 6)), flag=(2, 2, 2), nearer=()):
    return FrameLabels(frame, np.array(uv_px, np.float64), np.array(flag, np.int8), nearer)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (three(frame=5), "labels of frame 5, wanted 0 to 4"),
        (three(frame=-1), "labels of frame -1"),
        (three(uv_px=((1, 2), (3, NAN), (5, 6))), r"frame 0: found mid at \(3, nan\) px"),
        (three(uv_px=((1, 2), (3, 4), (31.51, 6))), r"found tip at \(31.51, 6\) px, wanted both from -0.5 to 31.5"),
        (three(uv_px=((1, 2), (3, -0.6), (5, 6))), r"found mid at \(3, -0.6\) px"),
        (three(flag=(2, 3, 2)), "found the flag 3 of mid, wanted 0 absent, 1 occluded or 2 visible"),
        (three(nearer=((0, 3),)), r"found \[0, 3\] in `nearer`, wanted joints from 0 to 2"),
        (three(nearer=((0, 1, 2),)), r"found \[0, 1, 2\] in `nearer`"),
        (three(nearer=((1, 1),)), "found mid nearer than itself"),
        (three(flag=(2, 0, 2), nearer=((0, 1),)), "found root nearer than mid, but mid is absent"),
        (three(nearer=((0, 1), (1, 0))), "root nearer than mid nearer than root|mid nearer than root nearer than mid"),
        (three(uv_px=((1, 2), (3, 4)), flag=(2, 2)), r"uv_px of shape \(2, 2\) and flag of shape \(2,\).*of 'three'"),
    ],
)
def test_labels_that_make_no_sense_are_named(labels, message):
    with pytest.raises(LabelError, match=message):
        check_labels(labels, THREE, SIZE, FRAMES)


def test_the_crop_ends_at_the_outer_edges_of_its_pixels():
    edges = three(uv_px=((-0.5, -0.5), (31.5, 31.5), (NAN, 1e9)), flag=(1, 2, 0), nearer=((0, 1),))
    check_labels(edges, THREE, SIZE, FRAMES)
    np.testing.assert_array_equal(inside(edges.uv_px, SIZE), [True, True, False])


def test_a_circle_is_told_in_the_order_in_which_it_runs():
    circle = three(nearer=((0, 1), (1, 2), (2, 0)))
    with pytest.raises(LabelError) as error:
        check_labels(circle, THREE, SIZE, FRAMES)
    told = re.search(r"found (\w+(?: nearer than \w+)+),", str(error.value)).group(1).split(" nearer than ")
    assert told in (["root", "mid", "tip", "root"], ["mid", "tip", "root", "mid"], ["tip", "root", "mid", "tip"])


@given(st.sets(st.tuples(st.integers(0, 4), st.integers(0, 4)).filter(lambda pair: pair[0] != pair[1])))
def test_pairs_are_accepted_where_no_joint_is_nearer_than_itself(pairs):
    chain = Skeleton("five", tuple("abcde"), (-1, 0, 1, 2, 3))
    labels = FrameLabels(0, np.ones((5, 2)), np.full(5, 2, np.int8), tuple(pairs))
    reach = np.zeros((5, 5), int)
    for a, b in pairs:
        reach[a, b] = 1
    circular = any(np.trace(np.linalg.matrix_power(reach, steps)) for steps in range(1, 6))
    if circular:
        with pytest.raises(LabelError, match="without circles"):
            check_labels(labels, chain, SIZE, FRAMES)
    else:
        check_labels(labels, chain, SIZE, FRAMES)


def test_labels_of_one_frame_are_taken_together():
    one = three(uv_px=((1, 2), (NAN, NAN), (NAN, NAN)), flag=(2, 0, 0))
    two = three(uv_px=((1, 2.0005), (NAN, NAN), (5, 6)), flag=(2, 0, 1), nearer=((0, 2),))
    nobody = three(uv_px=((NAN, NAN),) * 3, flag=(0, 0, 0))
    found = merged([nobody, one, two, nobody, two], THREE)
    np.testing.assert_array_equal(found.flag, [2, 0, 1])
    np.testing.assert_allclose(found.uv_px, [[1, 2], [NAN, NAN], [5, 6]], atol=1e-3)
    assert found.nearer == ((0, 2),)
    np.testing.assert_array_equal(one.flag, [2, 0, 0])  # what was given stays


@pytest.mark.parametrize(
    ("other", "told"),
    [
        (three(uv_px=((1, 2), (3, 4.01), (5, 6))), r"mid of frame 0 at \(3, 4\) px with the flag 2 and \(3, 4.01\)"),
        (three(flag=(2, 2, 1)), r"tip of frame 0 at \(5, 6\) px with the flag 2 and \(5, 6\) px with the flag 1"),
    ],
)
def test_labels_that_contradict_each_other_are_refused(other, told):
    with pytest.raises(LabelError, match=told):
        merged([three(), other], THREE)
