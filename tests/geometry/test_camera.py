import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from refiner.geometry.camera import crop_camera, project, unproject

COORDINATE_MM = st.floats(-400, 400)
DEPTH_MM = st.floats(150, 3000)


def test_project_by_hand():
    # u = 500 * 100 / 1000 + 320 = 370, v = 400 * -50 / 1000 + 240 = 220
    np.testing.assert_allclose(project([100, -50, 1000], [500, 400, 320, 240]), [370, 220])


def test_one_camera_serves_the_joints_of_its_item():
    points = np.array([[[0, 0, 500], [50, 0, 500]], [[0, 0, 500], [50, 0, 500]]])
    cameras = np.array([[100, 100, 10, 10], [200, 200, 20, 20]])
    np.testing.assert_allclose(project(points, cameras[:, None])[..., 0], [[10, 20], [20, 40]])


@given(COORDINATE_MM, COORDINATE_MM, DEPTH_MM)
def test_unproject_inverts_project(x, y, z):
    camera = [475.1, 476.2, 315.9, 245.3]
    point = np.array([x, y, z])
    np.testing.assert_allclose(unproject(project(point, camera), z, camera), point, atol=1e-9)


def test_unproject_broadcasts_over_a_map():
    uv = np.stack(np.meshgrid(np.arange(4), np.arange(3)), axis=-1)
    points = unproject(uv, np.full((3, 4), 500.0), [500, 500, 0, 0])
    assert points.shape == (3, 4, 3)
    np.testing.assert_allclose(points[2, 3], [3, 2, 500])


def test_crop_camera_by_hand():
    # 128 px for 256 mm at 512 mm: focal length 128 * 512 / 256 = 256; the centre falls on 63.5.
    camera = crop_camera([0, 0, 512], 256, 128)
    np.testing.assert_allclose(camera, [256, 256, 63.5, 63.5])
    # The left edge of the cube's middle plane is the left edge of the first pixel.
    np.testing.assert_allclose(project([-128, 0, 512], camera)[0], -0.5)


@given(COORDINATE_MM, COORDINATE_MM, DEPTH_MM, st.floats(100, 400), st.integers(16, 256))
def test_crop_camera_puts_the_centre_in_the_middle(x, y, z, cube, size):
    uv = project([x, y, z], crop_camera([x, y, z], cube, size))
    np.testing.assert_allclose(uv, (size - 1) / 2, atol=1e-6)
