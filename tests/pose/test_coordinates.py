import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from refiner.geometry.camera import crop_camera
from refiner.pose.coordinates import to_crop, to_mm


def test_by_hand():
    centre, cube = np.array([[10.0, -20.0, 600.0]]), np.array([200.0])
    camera = crop_camera(centre, cube, 64)
    joints = np.array([[[10, -20, 600], [110, -20, 600], [10, 80, 600], [10, -20, 700]]], float)
    crop = to_crop(joints, camera, centre, cube, 64)
    np.testing.assert_allclose(crop[0, :3], [[0, 0, 0], [1, 0, 0], [0, 1, 0]], atol=1e-6)  # on the middle plane
    assert crop[0, 3, 2] == 1  # the far face


@given(st.integers(0, 2**32 - 1), st.sampled_from([16, 64, 128]))
def test_back_and_forth(seed, size):
    rng = np.random.default_rng(seed)
    centre = rng.uniform([-200, -200, 400], [200, 200, 1200], (3, 3))
    cube = rng.uniform(150, 300, 3)
    joints = centre[:, None] + rng.uniform(-0.5, 0.5, (3, 21, 3)) * cube[:, None, None]
    camera = crop_camera(centre, cube, size)
    again = to_mm(to_crop(joints, camera, centre, cube, size), camera, centre, cube, size)
    np.testing.assert_allclose(again, joints, atol=1e-3)
