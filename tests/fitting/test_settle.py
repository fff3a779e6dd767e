"""Hands are found again in maps of themselves."""

from dataclasses import replace

import numpy as np
import pytest

from refiner.fitting.settle import PlacedHand, _push_apart, draw, measured, reduced_equations, settle
from refiner.fitting.target import target_of
from refiner.hand.collision import pair_overlaps_mm
from refiner.hand.limits import HandPrior, sample_hands
from refiner.hand.model import load_hand
from refiner.sensors.window import close_slits

CENTRE, CUBE = np.array([0.0, 0.0, 700.0]), 260.0
CAMERA = np.array([172.3, 172.3, 31.5, 31.5])  # of a crop: 64 px * 700 / 260


def hand_of(item, side=0):
    sample = sample_hands(load_hand(), 5, [item], HandPrior(components=(0.5, 0, 0, 0.5, 0, 0)))
    pose = sample.pose[0].copy()
    pose[:3] = np.pi, 0.1, 0.2  # fingers up, palm to the camera
    return PlacedHand(pose, sample.shape[0], np.array([0.0, 60.0, 710.0]), side)


def target_for(hand, **more):
    blank = target_of(np.full((64, 64), 700, np.float32), CAMERA, CENTRE, CUBE)
    return target_of(draw(hand, blank), CAMERA, CENTRE, CUBE, **more)


@pytest.mark.parametrize("side", [0, 1])
def test_a_moved_hand_is_brought_back(side):
    hand = hand_of(1, side)
    target = target_for(hand)
    assert measured(hand, target).misfit_mm == 0
    angles = hand.pose + np.r_[0.1, 0, 0.1, 0, 0, np.full(21, 0.08)]
    moved = replace(hand, pose=angles, wrist_mm=hand.wrist_mm + np.array([6.0, -5.0, 8.0]))
    before = measured(moved, target).misfit_mm
    found = settle(moved, target, 30)
    assert before > 8
    assert found.misfit_mm < before / 2.5
    assert np.linalg.norm(found.wrist_mm - hand.wrist_mm) < 6  # moved by 11


def test_the_best_that_was_met_is_given():
    hand = hand_of(2)
    assert settle(hand, target_for(hand), 5).misfit_mm == 0


def test_a_free_shape_grows_to_the_map():
    hand = hand_of(3)
    target = target_for(replace(hand, shape=hand.shape + np.eye(17)[0] * 0.1))
    fixed = settle(hand, target, 30)
    free = settle(hand, target, 30, hand.shape, 0.1)
    assert free.misfit_mm < fixed.misfit_mm
    # A hand that is farther away and larger looks much the same.
    assert free.shape[0] > hand.shape[0]


def crossed(hand):
    """Turn index and middle finger through each other."""
    names, pose = load_hand().pose_names, hand.pose.copy()
    pose[names.index("index_mcp_abduction")], pose[names.index("middle_mcp_abduction")] = -0.25, 0.25
    return replace(hand, pose=pose)


def test_fingers_push_each_other_apart_even_where_a_map_shows_them_crossed():
    hand = crossed(hand_of(3))
    target = target_for(hand)
    before, found = measured(hand, target), settle(hand, target, 20)
    assert before.misfit_mm == 0
    assert before.overlap_mm > 4
    assert before.cost_mm == pytest.approx(0.6 * before.overlap_mm)  # misfit and distance of surfaces are 0
    assert found.overlap_mm < before.overlap_mm / 4
    assert found.cost_mm < before.cost_mm
    free = measured(hand_of(3), target)
    assert free.overlap_mm <= 0
    assert free.cost_mm == pytest.approx(free.misfit_mm + 3 * free.surface_mm)


def test_the_equations_of_overlap_descend_on_its_square():
    hand, model = crossed(hand_of(3)), load_hand()
    normal, gradient = np.zeros((46, 46)), np.zeros(46)
    step = 1e-3 * np.eye(40)
    _push_apart(model, np.vstack([hand.pose, hand.pose + np.pad(step[:, :23], ((0, 0), (3, 0)))]),
                np.vstack([hand.shape, hand.shape + step[:, 23:]]), normal, gradient)  # fmt: skip

    def cost(change):
        overlaps = pair_overlaps_mm(
            model, (hand.pose + np.pad(change[:23], (3, 0)))[None], (hand.shape + change[23:])[None]
        )
        return np.square(overlaps.clip(min=0)).sum() / 2

    way = np.random.default_rng(0).normal(size=40)
    slope = (cost(1e-4 * way) - cost(-1e-4 * way)) / 2e-4
    assert slope == pytest.approx(gradient[6:] @ way, rel=0.05)
    assert not gradient[:6].any()
    assert np.linalg.eigvalsh(normal).min() > -1e-6 * np.abs(normal).max()
    before = cost(np.zeros(40))
    assert cost(-np.linalg.solve(normal[6:, 6:] + 100 * np.eye(40), gradient[6:])) < 0.5 * before


def test_the_reduced_equations_point_to_the_shape():
    hand = hand_of(3)
    larger = replace(hand, shape=hand.shape + np.eye(17)[0] * 0.05)
    normal, gradient = reduced_equations(hand, target_for(larger))
    np.testing.assert_allclose(normal, normal.T, rtol=1e-6, atol=1e-6 * np.abs(normal).max())
    assert np.linalg.eigvalsh((normal + normal.T) / 2).min() > -1e-6 * np.abs(normal).max()
    assert gradient[0] < 0  # downhill is a larger scale


def test_what_the_image_does_not_show_is_not_asked_for():
    hand = hand_of(1)
    target = target_for(hand, image_px=(-0.5, -0.5, 63.5, 40.5))
    assert not target.seen[41:].any()
    assert target.seen[:41].all()
    drawn = draw(hand, target)
    assert drawn[:41].any()
    assert not drawn[41:].any()


def test_slits_are_closed_in_hands_as_in_the_maps_of_their_camera():
    """A slit of two pixels between fingers is closed by a window of three, in the map and in the hand that is drawn."""
    hand = hand_of(1)
    target = target_for(hand, window_px=3)
    open_mm, closed_mm = draw(hand, replace(target, window_px=1)), draw(hand, target)
    np.testing.assert_array_equal(closed_mm, close_slits(open_mm, 3))
    assert (closed_mm != open_mm).sum() > 5
    camera = replace(target, depth_mm=closed_mm)
    assert measured(hand, camera).misfit_mm == 0 < measured(hand, replace(camera, window_px=1)).misfit_mm


def test_a_map_without_readings_has_no_target():
    assert target_of(np.zeros((64, 64), np.float32), CAMERA, CENTRE, CUBE) is None


def test_a_hand_out_of_sight_stays_where_it_is():
    hand = replace(hand_of(1), wrist_mm=np.array([5000.0, 0.0, 700.0]))
    found = settle(hand, target_for(hand_of(1)), 3)
    np.testing.assert_array_equal(found.wrist_mm, hand.wrist_mm)
    assert np.isfinite(found.misfit_mm)
