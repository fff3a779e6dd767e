"""Which way the skin faces."""

import numba
import numpy as np


@numba.njit(nogil=True, cache=True)
def vertex_normals(vertices, triangles):
    """Give the outward unit normals of a mesh: means over each vertex's triangles, weighted by their areas.

    Args:
        vertices: (V, 3).
        triangles: (T, 3), counter-clockwise seen from outside.

    Returns:
        (V, 3) float64; 0 for a vertex without triangles.
    """
    normals = np.zeros((len(vertices), 3))
    for t in range(len(triangles)):
        a, b, c = triangles[t, 0], triangles[t, 1], triangles[t, 2]
        for i in range(3):
            j, k = (i + 1) % 3, (i + 2) % 3
            value = (vertices[b, j] - vertices[a, j]) * (vertices[c, k] - vertices[a, k]) - (
                vertices[b, k] - vertices[a, k]
            ) * (vertices[c, j] - vertices[a, j])
            normals[a, i] += value
            normals[b, i] += value
            normals[c, i] += value
    for v in range(len(vertices)):
        length = np.sqrt(normals[v, 0] ** 2 + normals[v, 1] ** 2 + normals[v, 2] ** 2)
        normals[v] /= max(length, 1e-12)
    return normals
