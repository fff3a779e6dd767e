"""Bones that no hand has, by hand."""

import numpy as np
import pytest
from labelled_sequence import CAMERA, SIZE, THREE

from refiner.annotate.plausible.bones import (
    impossible_bones,
    joints_to_blame,
    length_ranges_mm,
    reference_lengths_mm,
)  # fmt: skip
from refiner.annotate.plausible.facts import hand_facts, usual_lengths_mm
from refiner.annotate.plausible.view import View
from refiner.annotate.sessions.labels import FrameLabels
from refiner.hand.skeleton import HAND21, Skeleton

NOBODY = np.zeros(3, dtype=bool)
FIVE = Skeleton("five", tuple("abcde"), (-1, 0, 1, 2, 3))


def look(uv_px, flag=None, depth_mm=None, skeleton=THREE):
    flag = [2] * len(skeleton) if flag is None else flag
    labels = FrameLabels(0, np.array(uv_px, float), np.array(flag, np.int8))
    depth_mm = np.full((SIZE, SIZE), 700.0) if depth_mm is None else depth_mm
    return View.of(labels, depth_mm, np.array(CAMERA), hand_facts(skeleton))


def test_a_bone_is_no_shorter_than_the_way_to_the_ray_of_its_other_end():
    # Rays (0, 0, 1) and (0.1, 0, 1), both ends at 700 mm or behind: 700 sin(atan 0.1) = 69.65 mm at least; at most from
    # the one end at 700 to the other at 715: 715 (0.1, 0, 1) - (0, 0, 700) = (71.5, 0, 15), 73.06 mm.
    view = look([[15.5, 15.5], [25.5, 15.5], [25.5, 15.5]])
    shortest, longest = length_ranges_mm(view, THREE, NOBODY)
    assert shortest[1] == pytest.approx(69.65, abs=0.01)
    assert longest[1] == pytest.approx(73.06, abs=0.01)
    assert shortest[2] == pytest.approx(0, abs=1e-6)


def test_depth_tells_more_where_both_ends_are_visible():
    # The right half is 60 mm farther: past the 15 mm that a visible end may lie behind the surface, 45 mm are left.
    # Across it is 70 mm: from (0, 0, 700) to the ray of (-0.1, 0, 1), as above.
    depth_mm = np.full((SIZE, SIZE), 700.0)
    depth_mm[:, 16:] = 760.0
    seen, far_hidden, near_hidden = (
        look([[5.5, 15.5], [25.5, 15.5], [25, 15.5]], flag, depth_mm) for flag in ((2, 2, 2), (2, 1, 2), (1, 2, 2))
    )
    across = 700 * np.linalg.norm(np.cross([-0.1, 0, 1], [0.1, 0, 1])) / np.hypot(1, 0.1)
    shortest, longest = length_ranges_mm(seen, THREE, NOBODY)
    assert shortest[1] == pytest.approx(np.hypot(across, 45), abs=0.01)
    shortest, longest = length_ranges_mm(far_hidden, THREE, NOBODY)
    assert shortest[1] == pytest.approx(np.hypot(across, 45), abs=0.01)  # it is farther still
    assert np.isnan(longest[1])
    shortest, longest = length_ranges_mm(near_hidden, THREE, NOBODY)
    assert shortest[1] == pytest.approx(across, abs=0.01)  # it may lie anywhere behind, at 760 mm, too
    assert np.isnan(longest[1])


def test_lengths_are_those_of_the_other_frames():
    # On the plate a pixel is 7 mm: three frames show 70 and 35 mm, a fourth is wrong.
    views = [look([[5, 5], [15, 5], [20, 5]])] * 3 + [look([[5, 5], [31, 5], [20, 5]])]
    reference_mm = reference_lengths_mm(views, THREE, hand_facts(THREE))
    np.testing.assert_allclose(reference_mm, [np.nan, 70, 35], rtol=0.01)
    assert np.isnan(reference_lengths_mm(views[:2], THREE, hand_facts(THREE))).all()  # two frames tell nothing


def test_a_bone_may_be_longer_by_proportions_and_clicks_and_no_more():
    # 1.15 x 70 mm and 14.85 px of 7 mm are 184.4 mm, 26.3 px; of suspect clicks 4 px instead: 108.5 mm, 15.5 px.
    reference_mm = np.array([np.nan, 70.0, 70.0])
    fits, too_long = look([[2, 5], [28, 5], [18, 5]]), look([[2, 5], [30, 5], [20, 5]])
    suspect = np.array([False, True, False])
    assert impossible_bones(fits, THREE, reference_mm, NOBODY) == {}
    assert impossible_bones(too_long, THREE, reference_mm, NOBODY) == {1: (pytest.approx(194, abs=3), 70.0)}
    assert list(impossible_bones(fits, THREE, reference_mm, suspect)) == [1]


def test_without_a_usual_length_no_bone_is_longer_than_any_hands():
    # 200 mm are 28.6 px.
    view = look([[1, 5], [29, 5], [30, 5]])
    reference_mm = np.full(3, np.nan)
    assert impossible_bones(view, THREE, reference_mm, NOBODY) == {}
    far = look([[0, 5], [31, 5], [30, 5]])
    assert list(impossible_bones(far, THREE, reference_mm, NOBODY)) == [1]


def test_both_ends_at_one_place_are_too_short_for_a_long_bone():
    # Both ends seen at one pixel of a plate: at most 15 mm apart, the one on it and the other behind.
    view = look([[5, 5], [5, 5], [5, 5]])
    found = impossible_bones(view, THREE, np.array([np.nan, 94.0, 24.0]), NOBODY)
    assert found == {1: (pytest.approx(15, abs=0.5), 94.0)}


@pytest.mark.parametrize(
    ("bad", "suspect", "blamed"),
    [
        ({2, 3}, None, {2}),  # b to c and c to d are impossible: c
        ({4}, None, {4}),  # d to e: d has a possible bone beside it, e has none
        ({1}, None, {0}),
        ({2}, None, {1, 2}),  # b to c: nothing tells them apart
        ({2}, 1, {1}),  # but that b has no reading near
        ({4}, 3, {3}),
        ({1, 2, 3, 4}, None, {0, 2, 3}),  # c and d have two and share one; then a, as b's other bone is c's fault
        (set(), None, set()),
    ],
)
def test_who_is_to_blame(bad, suspect, blamed):
    view = look([[5, 5]] * 5, skeleton=FIVE)
    found = joints_to_blame(bad, view, FIVE, np.arange(5) == (-1 if suspect is None else suspect))
    assert set(found) == blamed
    assert all(bone in bad and joint in (bone, FIVE.parents[bone]) for joint, bone in found.items())


def test_an_absent_joint_says_nothing_for_its_neighbours():
    view = look([[5, 5]] * 5, (2, 2, 0, 2, 2), skeleton=FIVE)
    assert set(joints_to_blame({4}, view, FIVE, np.zeros(5, bool))) == {3, 4}


def test_the_size_of_the_hand_is_told_by_all_its_bones():
    # One frame shows two bones, both 1.2 times those of the mean hand; hence all others are taken to be so.
    usual = usual_lengths_mm()
    uv_px, flag = np.full((21, 2), np.nan), np.zeros(21, np.int8)
    uv_px[0], flag[[0, 5, 9]] = (2, 2), 2
    uv_px[5], uv_px[9] = (2 + 1.2 * usual[5] / 7, 2), (2, 2 + 1.2 * usual[9] / 7)
    depth_mm = np.full((SIZE, SIZE), 700.0) - np.zeros((SIZE, 1))
    view = look(uv_px, flag, depth_mm, HAND21)
    np.testing.assert_allclose(reference_lengths_mm([view], HAND21, hand_facts(HAND21))[1:], 1.2 * usual[1:], rtol=0.04)
