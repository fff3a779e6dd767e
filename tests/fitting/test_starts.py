from dataclasses import replace
from itertools import chain

import numpy as np
from scipy.spatial.transform import Rotation

from refiner.fitting.settle import draw, measured
from refiner.fitting.starts import make_bank
from refiner.fitting.target import target_of
from refiner.render.generate import render_hands
from refiner.render.scene import Places, Viewpoints
from refiner.render.settings import RenderSettings

SETTINGS = RenderSettings(size=64, places=Places(690.0, 710.0, 260.0))


def target_from(rows, unit_mm, mirrored=False):
    depth, camera, centre = rows["depth"][0] * unit_mm, rows["camera"][0].copy(), rows["centre_mm"][0].astype(float)
    if mirrored:
        depth, centre = depth[:, ::-1], centre * [-1, 1, 1]
        camera[2] = 63 - camera[2]
    return target_of(depth.astype(np.float32), camera, centre, 260.0), centre


def best_first(by_view, target):
    return sorted(chain(*by_view), key=lambda hand: measured(hand, target).misfit_mm)


def test_a_hand_of_the_bank_is_found_in_its_own_map():
    bank = make_bank(SETTINGS, 60, seed=3)
    target, centre = target_from(render_hands(SETTINGS, seed=3, items=[17]), SETTINGS.depth_unit_mm)
    first, second = best_first(bank.starts(target, centre, 0, 4), target)[:2]
    np.testing.assert_allclose(first.pose, bank.pose[17])
    assert measured(first, target).misfit_mm < 3  # but for the rounding of the map
    assert measured(second, target).misfit_mm > 5


def test_a_left_hand_is_a_right_one_in_a_mirror():
    bank = make_bank(SETTINGS, 60, seed=3)
    target, centre = target_from(render_hands(SETTINGS, seed=3, items=[17]), SETTINGS.depth_unit_mm, mirrored=True)
    first = best_first(bank.starts(target, centre, 1, 2), target)[0]
    assert first.side == 1
    assert measured(first, target).misfit_mm < 3
    assert measured(replace(first, side=0), target).misfit_mm > 5
    assert draw(first, target).any()


def test_the_order_of_threads_does_not_show_in_a_bank():
    one, more = make_bank(SETTINGS, 40, seed=4), make_bank(SETTINGS, 20, seed=4)
    np.testing.assert_array_equal(one.relative_mm[:20], more.relative_mm)
    np.testing.assert_array_equal(one.pose[:20], more.pose)


def test_palms_and_backs_are_found_side_by_side():
    bank = make_bank(SETTINGS, 60, seed=3)
    target, centre = target_from(render_hands(SETTINGS, seed=3, items=[17]), SETTINGS.depth_unit_mm)
    found = bank.starts(target, centre, 0, 6)
    assert [len(hands) for hands in found] == [3, 3]
    for hands, sign in zip(found, (-1, 1), strict=True):
        # The model's palm looks along its z axis.
        assert all(sign * Rotation.from_rotvec(hand.pose[:3]).as_matrix()[2, 2] >= 0 for hand in hands)


def test_a_bank_of_palms_alone_gives_palms():
    palms = RenderSettings(size=64, places=SETTINGS.places, views=Viewpoints(1.0, 0.0, 5.0, (-10, 0, 10)))
    bank = make_bank(palms, 20, seed=3)
    target, centre = target_from(render_hands(palms, seed=3, items=[7]), SETTINGS.depth_unit_mm)
    assert [len(hands) for hands in bank.starts(target, centre, 0, 6)] == [6]
