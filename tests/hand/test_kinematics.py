import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from refiner.hand.kinematics import rest_frame, rotate_x, rotate_y, rotate_z, rotation_matrix, shape_points, skin

vectors = st.lists(st.floats(-4.0, 4.0), min_size=3, max_size=3).map(np.array)
tiny = st.lists(st.floats(-1e-5, 1e-5), min_size=3, max_size=3).map(np.array)
half_turns = vectors.filter(lambda v: np.linalg.norm(v) > 0.1).map(lambda v: v / np.linalg.norm(v) * np.pi)


@settings(deadline=None)
@given(st.one_of(vectors, tiny, half_turns))
def test_rotation_matrix_agrees_with_scipy(vector):
    out = np.empty((3, 3))
    rotation_matrix(vector, out)
    np.testing.assert_allclose(out, Rotation.from_rotvec(vector).as_matrix(), atol=1e-12)


@pytest.mark.parametrize(("turn", "axis"), [(rotate_x, "x"), (rotate_y, "y"), (rotate_z, "z")])
@settings(deadline=None)
@given(vector=vectors, angle=st.floats(-4.0, 4.0))
def test_turns_about_own_axes_agree_with_scipy(turn, axis, vector, angle):
    frame, out = Rotation.from_rotvec(vector).as_matrix(), np.empty((3, 3))
    turn(frame, angle, out)
    np.testing.assert_allclose(out, frame @ Rotation.from_euler(axis, angle).as_matrix(), atol=1e-12)


def test_rest_frame_by_hand():
    out = np.empty((3, 3))
    length = rest_frame(np.array([1.0, 0.5, 0.0]), np.array([1.0, 1.0, 1.0]), np.array([1.0, 4.0, 1.0]), out)
    assert length == pytest.approx(3.0)
    np.testing.assert_allclose(out, np.eye(3), atol=1e-15)


def test_shape_points_by_hand():
    out = np.empty(3)
    shape_points(
        np.array([1.0, 2.0, 3.0]), np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 1.0]]), np.array([0.5, 2.0, 0.0]), out
    )
    np.testing.assert_allclose(out, [4.5, 3.0, 4.5])


def test_skin_by_hand():
    points = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]], dtype=np.float32)
    bones = np.zeros((2, 3, 4), dtype=np.float32)
    bones[:, range(3), range(3)] = 1.0
    bones[1, :, 3] = 4.0, 0.0, 0.0
    out = np.empty_like(points)
    start, bone, weight = np.array([0, 1, 3]), np.array([0, 0, 1]), np.array([1.0, 0.75, 0.25], dtype=np.float32)
    skin(points, start, bone, weight, bones, out)
    np.testing.assert_allclose(out, [[1.0, 0.0, 0.0], [1.0, 1.0, 0.0]])
