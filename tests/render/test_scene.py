import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from refiner.render.scene import Places, Viewpoints, draw_place, draw_rotation, view_rotation
from refiner.sensors.catalogue import PLAIN

angles = st.floats(-np.pi, np.pi)


@given(angles, angles, angles)
def test_views_are_rotations(spin, tilt, roll):
    rotation = view_rotation(spin, tilt, roll)
    np.testing.assert_allclose(rotation @ rotation.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(rotation) == pytest.approx(1)


def test_the_upright_view_shows_the_palm_with_fingers_up():
    x, y, z = view_rotation(0, 0, 0).T
    np.testing.assert_allclose(x, [1, 0, 0])  # index side of a right hand to the right
    np.testing.assert_allclose(y, [0, -1, 0])  # fingers up, since y points down in the camera
    np.testing.assert_allclose(z, [0, 0, -1])  # out of the palm, towards the camera


def test_each_angle_does_what_it_says():
    np.testing.assert_allclose(view_rotation(np.pi, 0, 0)[:, 2], [0, 0, 1], atol=1e-12)  # the back
    assert view_rotation(0, 0.5, 0)[2, 1] == pytest.approx(-np.sin(0.5))  # fingers towards the camera
    np.testing.assert_allclose(view_rotation(0, 0, np.pi / 2)[:, 1], [1, 0, 0], atol=1e-12)  # fingers to the right


def test_drawn_views_follow_the_shares():
    rng = np.random.default_rng(0)
    rotations = np.array([draw_rotation(rng, Viewpoints()) for _ in range(4000)])
    palm, fingers = -rotations[:, 2, 2], rotations[:, :, 1]
    assert (palm > 0).mean() > (palm < 0).mean() > 0.25
    assert (fingers[:, 1] < 0).mean() > 0.8  # up
    assert (fingers[:, 1] > 0).mean() > 0.05  # yet not always
    tilt = np.degrees(np.arcsin(-fingers[:, 2]))
    assert -45.001 <= tilt.min() < -35
    assert 75 < tilt.max() <= 85.001


def test_spins_follow_their_shares():
    rng = np.random.default_rng(0)
    views = Viewpoints(roll_deg=0.0, any_roll=0.0)  # else the first row does not tell the spin
    rotations = np.array([draw_rotation(rng, views) for _ in range(4000)])
    spin = np.arctan2(rotations[:, 0, 2], rotations[:, 0, 0])
    # Within an eighth of a turn lie 73.9 % of a normal spin of 40 degrees, and a quarter of the even ones.
    assert (np.abs(spin) < np.pi / 4).mean() == pytest.approx(0.45 * 0.739 + 0.3 / 4, abs=0.03)
    assert (np.abs(spin) > 3 * np.pi / 4).mean() == pytest.approx(0.25 * 0.739 + 0.3 / 4, abs=0.03)


def test_only_the_palm_when_asked():
    rng = np.random.default_rng(0)
    views = Viewpoints(palm=1.0, back=0.0, spin_deg=5.0, tilt_deg=(-1, 0, 1), roll_deg=0.0, any_roll=0.0)
    assert all(draw_rotation(rng, views)[2, 2] < -0.9 for _ in range(50))


@given(st.integers(0, 2**32 - 1))
def test_the_whole_cube_is_in_the_image(seed):
    camera, places = PLAIN, Places(450, 900, 260)
    centre, cube_mm = draw_place(np.random.default_rng(seed), places, camera)
    assert 450 <= centre[2] <= 900
    assert cube_mm == 260
    fx, fy, cx, cy = camera.camera
    u, v, half = fx * centre[0] / centre[2] + cx, fy * centre[1] / centre[2] + cy, fx * 130 / centre[2]
    assert half - 1e-6 <= u <= 639 - half + 1e-6
    assert half - 1e-6 <= v <= 479 - half + 1e-6 or centre[2] < 130 * fy * 2 / 479


def test_places_of_a_real_set_are_copied_with_a_little_spread():
    rng = np.random.default_rng(0)
    real = rng.normal([50, -20, 700], [30, 40, 60], (500, 3))
    places = Places(0, 0, 0, real, np.linspace(200, 300, 500))
    drawn = [draw_place(rng, places, PLAIN) for _ in range(3000)]
    centres, cubes = np.array([centre for centre, _ in drawn]), np.array([cube for _, cube in drawn])
    np.testing.assert_allclose(centres.mean(axis=0), real.mean(axis=0), atol=5)
    np.testing.assert_allclose(centres.std(axis=0), real.std(axis=0), rtol=0.15)
    assert np.abs(centres[:, None, :] - real[None]).sum(-1).min(axis=1).min() > 0  # none is a mere copy
    assert 200 <= cubes.min() < 205
    assert 295 < cubes.max() <= 300


def test_a_set_of_one_place_has_no_spread():
    places = Places(0, 0, 260, np.array([[1.0, 2.0, 700.0]]))
    centre, cube_mm = draw_place(np.random.default_rng(0), places, PLAIN)
    np.testing.assert_array_equal(centre, [1, 2, 700])
    assert cube_mm == 260


@pytest.mark.parametrize("bad", [{"palm": 0.9, "back": 0.2}, {"tilt_deg": (10, 5, 20)}, {"roll_deg": -1.0}])
def test_no_distribution_is_refused(bad):
    with pytest.raises(ValueError, match="No distribution of views"):
        Viewpoints(**bad)
