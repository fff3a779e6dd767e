"""Finer meshes."""

import numpy as np
import pytest

from refiner.hand.model import load_hand
from refiner.hand.tessellation import Tessellation

OCTAHEDRON = np.array([[1, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0], [0, 0, 1], [0, 0, -1]], dtype=np.float64)
FACES = np.array(
    [[0, 2, 4], [2, 1, 4], [1, 3, 4], [3, 0, 4], [2, 0, 5], [1, 2, 5], [3, 1, 5], [0, 3, 5]], dtype=np.int32
)


def volume(vertices, triangles):
    a, b, c = (vertices[triangles[:, k]] for k in range(3))
    return float(np.sum(np.cross(a, b) * c) / 6)


def test_middles_by_hand():
    """Normals of an octahedron are its corners: the middle (1/2, 1/2, 0) is 1/2 below either tangent plane."""
    finer = Tessellation(FACES)
    points = finer.vertices(OCTAHEDRON)
    assert points.shape == (18, 3)
    assert finer.triangles.shape == (32, 3)
    np.testing.assert_array_equal(points[:6], OCTAHEDRON)
    middles = np.abs(points[6:])
    np.testing.assert_allclose(np.sort(middles, axis=1), np.tile([0, 0.625, 0.625], (12, 1)), atol=1e-12)
    assert len(np.unique(points, axis=0)) == 18


@pytest.mark.parametrize("times", [1, 2, 3])
def test_a_ball_becomes_rounder_and_stays_closed(times):
    points, triangles = OCTAHEDRON, FACES
    for _ in range(times):
        finer = Tessellation(triangles)
        points, triangles = finer.vertices(points), finer.triangles
    halves = np.concatenate([triangles[:, [k, (k + 1) % 3]] for k in range(3)])
    assert len({tuple(half) for half in halves}) == len(halves)  # each edge once in either direction
    assert {tuple(half) for half in halves} == {tuple(half[::-1]) for half in halves}
    assert len(np.unique(points.round(9), axis=0)) == len(points) == 2 + len(triangles) // 2  # Euler
    flat = volume(OCTAHEDRON, FACES)
    assert flat < volume(points, triangles) < 4 / 3 * np.pi


def test_a_flat_mesh_stays_flat():
    square = np.array([[0, 0, 0], [4, 0, 0], [4, 4, 0], [0, 4, 0]], dtype=np.float32)
    middles = Tessellation(np.array([[0, 1, 2], [0, 2, 3]], dtype=np.int32)).vertices(square)[4:]
    np.testing.assert_array_equal(middles[:, 2], 0)


@pytest.mark.parametrize("side", [0, 1])
def test_a_hand_keeps_its_size(side):
    model = load_hand()
    triangles = model.triangles_of(side)
    hand = model.template.reshape(-1, 3) * (1 - 2 * side, 1, 1)
    finer = Tessellation(triangles)
    grown = volume(finer.vertices(hand), finer.triangles) / volume(hand, triangles)
    assert 1.0 < grown < 1.06
