"""Meshes whose depth is known on paper, and a slow ray caster that shares no code with the renderer."""

import numpy as np


def sphere(centre, radius, rings=48, sectors=96):
    """A closed sphere, counter-clockwise from outside; its faces lie inside the true surface."""
    theta = np.linspace(0, np.pi, rings + 1)[1:-1]
    phi = np.linspace(0, 2 * np.pi, sectors, endpoint=False)
    ring = np.stack(
        [
            np.outer(np.sin(theta), np.cos(phi)),
            np.outer(np.sin(theta), np.sin(phi)),
            np.outer(np.cos(theta), np.ones_like(phi)),
        ],
        axis=-1,
    ).reshape(-1, 3)
    vertices = np.concatenate([[[0, 0, 1]], ring, [[0, 0, -1]]]) * radius + centre
    last, triangles = len(vertices) - 1, []
    for s in range(sectors):
        t = (s + 1) % sectors
        triangles.append((0, 1 + s, 1 + t))
        triangles.append((last, 1 + (rings - 2) * sectors + t, 1 + (rings - 2) * sectors + s))
        for r in range(rings - 2):
            a, b = 1 + r * sectors + s, 1 + r * sectors + t
            c, d = a + sectors, b + sectors
            triangles += [(a, c, d), (a, d, b)]
    return vertices, np.array(triangles, dtype=np.int32)


def ray_cast(vertices, triangles, camera, shape):
    """Depth at each pixel centre by Moeller and Trumbore's test of every ray against every triangle; 0 for a miss.

    Also how steep the triangle that was hit is, in depth a pixel: |dz| along u and v together.
    """
    fx, fy, cx, cy = camera
    v, u = np.mgrid[: shape[0], : shape[1]]
    rays = np.stack([(u - cx) / fx, (v - cy) / fy, np.ones(shape)], axis=-1).reshape(-1, 1, 3)
    a, b, c = (vertices[triangles[:, k]] for k in range(3))
    first, second = b - a, c - a
    p = np.cross(rays, second)
    determinant = (p * first).sum(-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        s = (p * -a).sum(-1) / determinant
        q = np.cross(-a, first)
        t = (rays * q).sum(-1) / determinant
        z = (q * second).sum(-1) / determinant
    hit = (s >= 0) & (t >= 0) & (s + t <= 1) & (z > 0) & (determinant != 0)
    z = np.where(hit, z, np.inf)
    nearest = z.argmin(axis=1)
    rows = np.arange(len(z))
    depth = z[rows, nearest]
    # z = n . a / n . ray, hence dz/du = -z (n_x / fx) / n . ray, and with v likewise.
    normal = np.cross(first, second)[nearest]
    with np.errstate(divide="ignore", invalid="ignore"):
        slope = np.abs(normal[:, :2] / (fx, fy)).sum(-1) * depth / np.abs((normal * rays[:, 0]).sum(-1))
    known = np.isfinite(depth)
    return np.where(known, depth, 0).reshape(shape), np.where(known, slope, 0).reshape(shape)
