import numpy as np

from refiner.hand.normals import vertex_normals

# An octahedron; its corners' normals point away from the middle.
CORNERS = np.array([[1, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0], [0, 0, 1], [0, 0, -1]], np.float32)
FACES = np.array([[0, 2, 4], [2, 1, 4], [1, 3, 4], [3, 0, 4], [2, 0, 5], [1, 2, 5], [3, 1, 5], [0, 3, 5]])


def test_normals_by_hand():
    np.testing.assert_allclose(vertex_normals(CORNERS, FACES), CORNERS, atol=1e-7)
