import numpy as np
import pytest
from hand_poses import make_pose
from hypothesis import given, settings
from hypothesis import strategies as st

from refiner.hand.collision import PAIRS, overlap_mm, pair_overlaps_mm, segment_gap

NONE = np.zeros((1, 17))
coordinates = st.lists(st.floats(-50.0, 50.0), min_size=12, max_size=12).map(lambda v: np.array(v).reshape(4, 3))


def overlap(model, **angles):
    return overlap_mm(model, make_pose(**angles)[None], NONE)[0]


@pytest.mark.parametrize(
    ("segments", "gap"),
    [
        ([[0, 0, 0], [10, 0, 0], [0, 5, 0], [10, 5, 0]], 5.0),  # parallel
        ([[0, 0, 0], [10, 0, 0], [5, -5, 3], [5, 5, 3]], 3.0),  # crossing
        ([[0, 0, 0], [10, 0, 0], [13, 4, 0], [20, 4, 0]], 5.0),  # end to end: 3, 4, 5
        ([[0, 0, 0], [10, 0, 0], [4, 0, 0], [6, 0, 0]], 0.0),  # one in the other
    ],
)
def test_gap_by_hand(segments, gap):
    a, b, c, d = np.array(segments, dtype=float)
    assert segment_gap(a, b, 0.0, 0.0, c, d, 0.0, 0.0) == pytest.approx(gap)
    assert segment_gap(a, b, 1.0, 1.0, c, d, 0.5, 0.5) == pytest.approx(gap - 1.5)


def test_gap_takes_the_radius_where_the_axes_are_closest():
    a, b, c, d = np.array([[0, 0, 0], [10, 0, 0], [5, 8, 0], [5, 20, 0]], dtype=float)
    assert segment_gap(a, b, 1.0, 3.0, c, d, 2.0, 9.0) == pytest.approx(8.0 - 2.0 - 2.0)


@settings(deadline=None)
@given(coordinates)
def test_gap_is_the_least_distance_of_two_segments(points):
    a, b, c, d = points
    if min(np.linalg.norm(b - a), np.linalg.norm(d - c)) < 1.0:
        return
    gap = segment_gap(a, b, 0.0, 0.0, c, d, 0.0, 0.0)
    s, t = np.meshgrid(np.linspace(0, 1, 41), np.linspace(0, 1, 41))
    tried = np.linalg.norm(a + s[..., None] * (b - a) - c - t[..., None] * (d - c), axis=-1).min()
    step = max(np.linalg.norm(b - a), np.linalg.norm(d - c)) / 40
    assert tried - step <= gap <= tried + 1e-6


def test_free_hands_are_free(model, poses):
    for name, pose in poses.items():
        assert overlap_mm(model, pose[None], NONE)[0] <= 0.0, name


def test_fist_with_fingers_through_the_palm_is_refused(model):
    assert overlap(model, fingers=(90, 110, 85)) > 3.0
    assert overlap(model, middle=(95, 108, 80)) > 0.0


def test_touching_pinch_is_free_and_a_deeper_one_is_not(model):
    pinch = {"middle": (20, 30, 20), "ring": (20, 30, 20), "thumb": (48, 33, 58, -3, -4)}
    assert overlap(model, index=(70, 39, 2), **pinch) <= 0.0
    assert overlap(model, index=(76, 45, 8), **pinch) > 0.0


def test_crossed_fingers_are_refused(model):
    assert overlap(model, index_mcp_abduction=-15, middle_mcp_abduction=15) > 3.0


def test_pairs_are_told_apart(model):
    """Index against middle finger is the fifth of the ten pairs of digits, eight pairs of bones each."""
    pose = np.array([make_pose(index_mcp_abduction=-15, middle_mcp_abduction=15), make_pose()])
    overlaps = pair_overlaps_mm(model, pose, np.repeat(NONE, 2, axis=0))
    assert overlaps.shape == (2, PAIRS)
    assert {pair // 8 for pair in np.flatnonzero(overlaps[0] > 0)} == {4}
    np.testing.assert_array_equal(overlaps.max(axis=1), overlap_mm(model, pose, np.repeat(NONE, 2, axis=0)))


def test_thumb_through_a_finger_is_refused(model):
    assert overlap(model, thumb=(50, 43, 57, 38, 8)) <= 0.0
    on_ring = {"thumb": (58, 27, 46, 23, 18), "ring": (75, 95, 60), "little": (75, 95, 60)}
    assert overlap(model, **on_ring) <= 0.0
    assert overlap(model, middle=(78, 95, 60), **on_ring) > 3.0


def test_fat_fingers_side_by_side_are_free_but_close_no_tighter(model):
    shape = NONE.copy()
    shape[0, model.shape_names.index("finger_girth")] = 0.25
    assert overlap_mm(model, make_pose()[None], shape)[0] <= 0.0
    fist = make_pose(thumb=(-12, 5, 0, 0, 0), fingers=(80, 98, 62))
    assert overlap_mm(model, fist[None], shape)[0] > overlap_mm(model, fist[None], NONE)[0]


def test_overlap_does_not_depend_on_the_rotation(model):
    pose = np.repeat(make_pose(fingers=(90, 110, 85))[None], 2, axis=0)
    pose[1, :3] = 0.3, -1.0, 2.0
    out = overlap_mm(model, pose, np.repeat(NONE, 2, axis=0))
    assert out[0] == out[1]
