import numpy as np
import pytest

from refiner.sensors.measure.window import HandWindow, find_hand_in, surface_tilts

CAMERA = (400.0, 400.0, 20.0, 20.0)


def window(depth):
    return HandWindow(depth.astype(np.float32), CAMERA, (0, 0), 500.0, 700.0, (0.0, 0.0, 600.0))


def plate():
    depth = np.full((41, 41), 1500.0)
    depth[8:33, 8:33] = 600
    return depth


def test_the_hand_hangs_together_with_the_centre():
    depth = plate()
    depth[2:5, 2:5] = 600
    depth[33, 33] = 600  # touches at a corner
    hand = find_hand_in(window(depth))
    assert hand.readings.sum() == 25 * 25 + 1
    assert not hand.readings[3, 3]


def test_no_reading_in_the_range_is_no_hand():
    hand = find_hand_in(window(np.full((41, 41), 1500.0)))
    assert not hand.readings.any()
    assert not hand.filled.any()


def test_holes_are_enclosed_and_empty():
    depth = plate()
    depth[20, 20] = 0
    depth[25, 10:13] = 0
    depth[12:15, 12:15] = 1500  # background seen through the hand
    depth[8, 20] = 0  # open to the outside
    hand = find_hand_in(window(depth))
    assert hand.hole_px[20, 20] == 1
    assert (hand.hole_px[25, 10:13] == 3).all()
    assert (hand.hole_px > 0).sum() == 4
    assert not hand.filled[13, 13]
    assert hand.inside_px[10, 28] == 3
    assert hand.inside_px[8, 8] == 1


@pytest.mark.parametrize("tilt", [0.0, 35.0, 70.0])
def test_tilt_of_a_plane_against_the_ray_holes_included(tilt):
    """The plane n.p = 600 n_z, met by rays, with n turned about the y axis."""
    v, u = np.mgrid[:41, :41]
    rays = np.stack([(u - 20) / 400, (v - 20) / 400, np.ones((41, 41))], axis=-1)
    normal = np.array([np.sin(np.radians(tilt)), 0, np.cos(np.radians(tilt))])
    depth = 600 * normal[2] / (rays @ normal)
    depth[18:21, 18:21] = 0
    hand = find_hand_in(HandWindow(depth.astype(np.float32), CAMERA, (0, 0), 300.0, 1400.0, (0, 0, 600.0)))
    found, misfit = surface_tilts(hand)
    wanted = np.degrees(np.arccos(rays @ normal / np.linalg.norm(rays, axis=-1)))
    np.testing.assert_allclose(found[12:29, 12:29], wanted[12:29, 12:29], atol=1.0)
    assert misfit[19, 19] < 1.5
