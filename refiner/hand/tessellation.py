"""A finer mesh that is round where the coarse one has facets.

Edges of the hand's triangles are 5 mm long at the median, and 14 and more in the widest tenth, on palm and forearm: on
maps of 64 px that hardly shows, on maps of 128 px and more there are facets. Middles of edges lie 0.15 mm off a round
hand at the median, and 0.4 and more in a tenth.
"""

import numpy as np
from numpy.typing import NDArray

from refiner.hand.normals import vertex_normals


class Tessellation:
    """Splits each triangle of a mesh in four, with the new vertices on the round surface that normals tell.

    The middle m of an edge between a and b, with unit normals n, moves to

        m + 1/4 (((a - m) . n_a) n_a + ((b - m) . n_b) n_b)

    which is Phong tessellation (Boubekeur and Alexa 2008, ACM Transactions on Graphics 27(5)) half of the way to the
    mean of the two tangent planes: on a circle all of a chord's height, to second order. Vertices stay, a closed mesh
    stays closed, and triangles wind as before.

    Attributes:
        triangles: (4 T, 3) of the finer mesh.
    """

    triangles: NDArray[np.int32]

    def __init__(self, triangles: NDArray[np.int32]) -> None:
        """Find the edges.

        Args:
            triangles: (T, 3), counter-clockwise seen from outside; every vertex has one.
        """
        self._coarse, count = triangles, int(triangles.max()) + 1
        ends = np.sort(np.stack([triangles, np.roll(triangles, -1, axis=1)], axis=2).reshape(-1, 2), axis=1)
        self._edges, edge_of = np.unique(ends, axis=0, return_inverse=True)
        middles = count + edge_of.reshape(-1, 3)  # of a b, b c and c a
        outer = [(triangles[:, k], middles[:, k], middles[:, k - 1]) for k in range(3)]
        finer = [np.stack(corners, axis=1) for corners in (*outer, tuple(middles.T))]
        self.triangles = np.concatenate(finer).astype(np.int32)

    def vertices(self, vertices: NDArray[np.floating]) -> NDArray[np.float64]:
        """Give the finer mesh's vertices.

        Args:
            vertices: (V, 3) of the coarse mesh.

        Returns:
            (V + E, 3), the middles of all edges behind the vertices.
        """
        points = np.asarray(vertices, dtype=np.float64)
        ends, normals = points[self._edges], vertex_normals(points, self._coarse)[self._edges]
        half = (ends[:, 1] - ends[:, 0])[:, None] / 2
        height = np.sum(np.concatenate([-half, half], axis=1) * normals, axis=2, keepdims=True)
        return np.concatenate([points, ends.mean(axis=1) + np.sum(height * normals, axis=1) / 4])
