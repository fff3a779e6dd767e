"""What the skin may do beside shape and pose: stand out or in by some millimetres, smoothly, anywhere.

Seventeen numbers do not make a person's hand, and flesh that is bent or pressed does what linear blend skinning does
not. Control points lie evenly on the flat hand; each moves the skin about it along its normals, fading as a Gaussian of
the way along the skin, so that no finger moves its neighbour. Where every control point is drawn with deviation 1 mm,
so is every vertex. Joints stay where they are.
"""

import numpy as np
from numpy.typing import NDArray

from refiner.hand.normals import vertex_normals

CONTROL_POINTS = 96
"""24 mm apart at most: finer detail is a map's noise."""
_WIDTH = 0.7
"""Deviation of the Gaussian, of the greatest distance to the nearest control point."""


def skin_directions(vertices: NDArray[np.floating], triangles: NDArray[np.integer]) -> NDArray[np.float32]:
    """Give what 1 mm of each control point does to the vertices of the flat hand.

    Args:
        vertices: (V, 3), mm.
        triangles: (T, 3), counter-clockwise seen from outside; all vertices hang together.

    Returns:
        (CONTROL_POINTS, V * 3), mm.
    """
    vertices = vertices.astype(np.float64)
    distance_mm = _spread(vertices, triangles)
    weight = np.exp(-0.5 * (distance_mm / (_WIDTH * distance_mm.min(axis=0).max())) ** 2)
    weight /= np.linalg.norm(weight, axis=0)
    directions = weight[:, :, None] * vertex_normals(vertices, triangles)
    return directions.reshape(CONTROL_POINTS, -1).astype(np.float32)


def _spread(vertices: NDArray[np.float64], triangles: NDArray[np.integer]) -> NDArray[np.float64]:
    """Choose control points, each as far from those before it as can be; and give their ways (K, V) along the edges."""
    # Here, since every hand is read without it, and it takes longer than the hand.
    from scipy.sparse import csr_matrix
    from scipy.sparse.csgraph import dijkstra

    edges = np.unique(np.sort(np.concatenate([triangles[:, [k, (k + 1) % 3]] for k in range(3)]), axis=1), axis=0)
    lengths = np.linalg.norm(vertices[edges[:, 0]] - vertices[edges[:, 1]], axis=1)
    graph = csr_matrix((lengths, (edges[:, 0], edges[:, 1])), shape=(len(vertices), len(vertices)))
    point, ways = int(np.argmin(np.linalg.norm(vertices, axis=1))), np.full((CONTROL_POINTS, len(vertices)), np.inf)
    for k in range(CONTROL_POINTS):
        ways[k] = dijkstra(graph, directed=False, indices=point)
        point = int(np.argmax(ways[: k + 1].min(axis=0)))
    return ways
