"""Filled surfaces, distances to the silhouette, and places upon it."""

import numpy as np
import pytest
from solver_cases import CAMERA, clicked

from refiner.annotate.solver.costs import depth_at, known_depth
from refiner.annotate.solver.surface import fill_gaps, seen_points, terms_of


def test_a_gap_takes_the_nearest_reading_and_knows_how_far_it_is():
    depth = np.zeros((1, 20, 20), np.uint16)
    depth[0, 5:15, 2:8] = 500
    depth[0, 5:15, 14:18] = 600
    surface, outside = fill_gaps(depth)
    assert surface[0, 10, 9] == 500
    assert surface[0, 10, 12] == 600
    assert (outside[0][depth[0] > 0] == 0).all()
    assert outside[0, 10, 9] == 2 * 4  # two pixels from column 7, in quarters
    assert (surface > 0).all()


def test_specks_are_no_hand_and_a_map_of_specks_alone_keeps_them():
    depth = np.zeros((2, 30, 30), np.uint16)
    depth[0, 5:15, 5:15] = 500
    depth[:, 25:27, 25:27] = 900
    surface, outside = fill_gaps(depth)
    assert outside[0, 25, 25] > 0
    assert surface[0, 25, 25] == 500
    assert surface[1, 0, 0] == 900


def test_a_map_without_readings_has_no_surface():
    surface, outside = fill_gaps(np.zeros((1, 8, 8), np.uint16))
    assert not surface.any()
    assert (outside == 255).all()


def test_depth_between_pixels_by_hand():
    surface = np.array([[100, 104], [108, 116]], np.uint16)
    value, along_u, along_v = depth_at(surface, 0.5, 0.5, 0.25)
    # rows at u = 0.5: 51 and 56 mm; a quarter of the way down 52.25; slopes: 0.75 * 2 + 0.25 * 4, and 5
    assert value == pytest.approx(52.25)
    assert along_u == pytest.approx(2.5)
    assert along_v == pytest.approx(5.0)
    assert depth_at(np.array([[100, 200], [100, 200]], np.uint16), 1.0, 0.5, 0.5) == (150.0, 0.0, 0.0)


def test_a_click_is_lost_where_no_reading_is_as_near_as_its_joint_is_thick():
    """A wall at 490 mm up to column 29, f = 250 px, joints 10 mm below it: 10 mm at 500 mm are 5 px.

    So a visible click in column 33, 4 px from the wall, has its reading there, and one in column 35 has none. What
    hides a joint is a fingertip's 5 mm off at most, 2.5 px: a hidden click is lost in column 33, and not in column 31.
    """
    depth = np.zeros((1, 64, 64), np.uint16)
    depth[0, :, :30] = 490
    u = np.array([20.0, 33.0, 35.0, 33.0, 31.0, 35.0])
    label = clicked(np.stack([u, np.full(6, 30.0)], axis=-1))
    label.flag[:] = [2, 2, 2, 1, 1, 0]
    terms = terms_of(depth, 1.0, CAMERA[None], np.full(6, 10.0), [label])
    assert terms.lost.tolist() == [[False, False, True, True, False, False]]


def test_depth_is_unknown_farther_from_readings_than_the_joint_is_thick():
    """As above; a joint of 2 mm counts as thick as a fingertip, 5 mm, which are 2.5 px at 500 mm and 5 px at 250 mm."""
    depth = np.zeros((1, 64, 64), np.uint16)
    depth[0, :, :30] = 490
    terms = terms_of(depth, 1.0, CAMERA[None], np.array([10.0, 2.0]))
    assert [known_depth(terms, 0, 0, u, 30.0, 500.0)[0] for u in (20.0, 33.9, 34.1)] == [490, 490, 0]
    assert [known_depth(terms, 0, 1, u, 30.0, 500.0)[0] for u in (31.4, 31.6)] == [490, 0]
    assert [known_depth(terms, 0, 1, u, 30.0, 250.0)[0] for u in (33.9, 34.1)] == [490, 0]
    assert known_depth(terms._replace(lost=np.ones((1, 2), bool)), 0, 0, 20.0, 30.0, 500.0)[0] == 0


def test_points_are_unprojected_readings_spread_evenly():
    depth = np.zeros((64, 64), np.uint16)
    depth[10:50, 10:50] = 6000
    camera = np.array([200.0, 200.0, 31.5, 31.5])
    points = seen_points(depth, 0.1, camera, most=100)
    assert 60 <= len(points) <= 100
    np.testing.assert_allclose(points[:, 2], 600)
    u = points[:, 0] / 600 * 200 + 31.5
    assert u.min() < 14
    assert u.max() > 44
    assert seen_points(np.zeros((8, 8), np.uint16), 0.1, camera).shape == (0, 3)


def test_terms_hold_what_was_clicked():
    uv = np.array([[1.0, 2.0], [np.nan, np.nan], [3.0, 4.0]])
    from types import SimpleNamespace

    label = SimpleNamespace(uv_px=uv, flag=np.array([2, 0, 1], np.int8), nearer=((0, 2),))
    terms = terms_of(np.full((2, 8, 8), 500, np.uint16), 1.0, np.ones((2, 4)), np.zeros(3), [None, label])
    assert terms.pair_start.tolist() == [0, 0, 1]
    assert terms.pairs.tolist() == [[0, 2]]
    assert terms.visible.tolist() == [[False] * 3, [True, False, False]]
    assert np.isfinite(terms.click_uv_px).all()
