import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from meshes import ray_cast, sphere

from refiner.render.raster import NEAR_MM, rasterize, window_of

CAMERA = (100.0, 110.0, 20.3, 15.7)
SHAPE = (32, 40)


def eroded(mask):
    """Pixels whose eight neighbours are set too."""
    padded = np.pad(mask, 1)
    return np.logical_and.reduce(
        [padded[i : i + mask.shape[0], j : j + mask.shape[1]] for i in range(3) for j in range(3)]
    )


def test_a_plane_through_the_image_has_the_depth_of_its_equation():
    # z = 500 + 0.4 x; with x = (u - cx) z / fx follows z = 500 / (1 - 0.4 (u - cx) / fx).
    corners = np.array([[x, y, 500 + 0.4 * x] for x, y in ((-400, -400), (400, -400), (400, 400), (-400, 400))])
    depth = rasterize(corners, np.array([[0, 1, 2], [0, 2, 3]], np.int32), CAMERA, SHAPE)
    u = np.arange(SHAPE[1])
    expected = 500 / (1 - 0.4 * (u - CAMERA[2]) / CAMERA[0])
    # Snapping to 1/4096 px moves this plane by some hundredth of 1/8192 px * 500 mm * 0.4 / 100 px.
    np.testing.assert_allclose(depth, np.broadcast_to(expected, SHAPE), atol=1e-3)


@settings(deadline=None, max_examples=25)
@given(
    x=st.floats(-60, 60), y=st.floats(-60, 60), z=st.floats(400, 900), radius=st.floats(20, 60),
)  # fmt: skip
def test_a_sphere_has_the_depth_of_its_equation(x, y, z, radius):
    centre = np.array([x, y, z])
    depth = rasterize(*sphere(centre, radius), CAMERA, SHAPE, closed=True)
    v, u = np.mgrid[: SHAPE[0], : SHAPE[1]]
    ray = np.stack([(u - CAMERA[2]) / CAMERA[0], (v - CAMERA[3]) / CAMERA[1], np.ones(SHAPE)], axis=-1)
    square, along = (ray**2).sum(-1), ray @ centre
    discriminant = along**2 - square * (centre @ centre - radius**2)
    expected = (along - np.sqrt(np.maximum(discriminant, 0))) / square
    # Inside the polyhedron, which lies up to radius (1 - cos(pi / 48)) = 0.2 % of the radius inside the sphere.
    inside = discriminant > 0.3 * square * radius**2
    assert (depth[inside] > 0).all()
    error = depth[inside] - expected[inside]
    assert (error > -1e-3).all()
    assert (error < 0.01 * radius).all()
    assert (depth[discriminant < 0] == 0).all()


@settings(deadline=None, max_examples=40)
@given(seed=st.integers(0, 2**32 - 1), closed=st.booleans())
def test_random_triangles_agree_with_a_ray_caster(seed, closed):
    rng = np.random.default_rng(seed)
    if closed:
        vertices, triangles = sphere(np.array([0.0, 0.0, 0.0]), 1.0, 6, 9)
        vertices = vertices @ (np.eye(3) + 0.2 * rng.normal(size=(3, 3))) * 70 + [5, -10, 500]
        if np.linalg.det(vertices[triangles[7]] - [5, -10, 500]) < 0:  # mirrored by the random matrix
            triangles = triangles[:, ::-1]
    else:
        vertices = rng.uniform([-120, -120, 300], [120, 120, 900], (30, 3))
        triangles = rng.integers(0, 30, (12, 3)).astype(np.int32)
        triangles = triangles[(triangles[:, 0] != triangles[:, 1]) & (triangles[:, 1] != triangles[:, 2])]
    depth = rasterize(vertices, np.ascontiguousarray(triangles), CAMERA, SHAPE, closed=closed)
    expected, slope = ray_cast(vertices, triangles, CAMERA, SHAPE)
    both = (depth > 0) & (expected > 0)
    # An edge that passes within 1/8192 px of a centre may fall to either side: 1,280 centres, 36 edges at most.
    assert (both != ((depth > 0) | (expected > 0))).sum() <= 1
    # Away from edges of surfaces. Where a surface is nearly edge-on its depth at a pixel has no bound; a triangle that
    # is thinner than a pixel can be, whatever lies around it.
    flat = np.ones(SHAPE, bool)
    for axis in (0, 1):
        for step in (-1, 1):
            flat &= np.abs(expected - np.roll(expected, step, axis)) < 8
    flat &= slope < 8
    error = np.abs(depth - expected)
    assert (error[both & flat & eroded(both)] < 0.01).all()


@pytest.mark.parametrize("seed", range(5))
def test_no_cracks_and_no_double_edges(seed):
    # A plane cut into random triangles: every pixel is drawn, and by one triangle only.
    rng = np.random.default_rng(seed)
    steps = np.arange(9)
    v, u = np.meshgrid(steps * 4.0 - 1, steps * 5.0 - 1, indexing="ij")
    # Half of the corners on pixel centres, where the rule decides.
    shift = np.where(rng.random((2, 9, 9)) < 0.5, rng.uniform(-1.5, 1.5, (2, 9, 9)), rng.integers(-1, 2, (2, 9, 9)))
    shift[:, [0, -1]] = shift[:, :, [0, -1]] = 0
    uv = np.stack([u + shift[0], v + shift[1]], axis=-1).reshape(-1, 2)
    vertices = np.column_stack([uv * 5, np.full(len(uv), 500.0)])
    quads = (np.arange(8)[:, None] * 9 + np.arange(8)).ravel()
    triangles = np.concatenate(
        [np.stack([quads, quads + 1, quads + 10], 1), np.stack([quads, quads + 10, quads + 9], 1)]
    ).astype(np.int32)
    camera = (100.0, 100.0, 0.0, 0.0)
    times = sum((rasterize(vertices, triangle[None], camera, (30, 38)) > 0).astype(int) for triangle in triangles)
    assert (times == 1).all()


def test_both_windings_draw_the_same():
    vertices, triangles = sphere(np.array([10.0, 5.0, 500.0]), 60, 8, 12)
    one = rasterize(vertices, triangles, CAMERA, SHAPE)
    np.testing.assert_array_equal(one, rasterize(vertices, triangles[:, ::-1].copy(), CAMERA, SHAPE))
    np.testing.assert_array_equal(one, rasterize(vertices, triangles, CAMERA, SHAPE, closed=True))


def test_closed_meshes_are_seen_from_outside():
    vertices, triangles = sphere(np.array([10.0, 5.0, 500.0]), 60, 8, 12)
    inside_out = rasterize(vertices, triangles[:, ::-1].copy(), CAMERA, SHAPE, closed=True)
    assert inside_out.max() > 500  # the far side, seen through the near one


@settings(deadline=None, max_examples=20)
@given(left=st.integers(-10, 30), top=st.integers(-10, 30), seed=st.integers(0, 99))
def test_a_window_is_a_part_of_the_whole_to_the_bit(left, top, seed):
    rng = np.random.default_rng(seed)
    vertices, triangles = sphere(rng.uniform([-50, -50, 450], [50, 50, 600]), 70, 8, 12)
    whole = rasterize(vertices, triangles, CAMERA, (80, 80), (-20, -20))
    part = rasterize(vertices, triangles, CAMERA, (16, 16), (left, top))
    np.testing.assert_array_equal(part, whole[top + 20 : top + 36, left + 20 : left + 36])


def test_triangles_are_cut_at_the_near_plane():
    # A floor 40 mm below the camera that begins behind it: z = 40 fy / (v - cy) up to its far end at 800 mm.
    floor = np.array([[-5000.0, 40, -300], [5000.0, 40, -300], [5000.0, 40, 800], [-5000.0, 40, 800]])
    depth = rasterize(floor, np.array([[0, 1, 2], [0, 2, 3]], np.int32), CAMERA, SHAPE)
    v = np.arange(SHAPE[0])
    with np.errstate(divide="ignore"):
        expected = 40 * CAMERA[1] / (v - CAMERA[3])
    seen = (expected > NEAR_MM) & (expected < 800)
    np.testing.assert_allclose(depth[seen], np.repeat(expected[seen, None], SHAPE[1], 1), rtol=1e-4)
    assert (depth[~seen] == 0).all()
    assert (rasterize(-floor, np.array([[0, 1, 2]], np.int32), CAMERA, SHAPE)[15:] == 0).all()


def test_what_lies_behind_the_camera_is_not_drawn():
    vertices, triangles = sphere(np.array([0.0, 0.0, -500.0]), 60, 8, 12)
    assert not rasterize(vertices, triangles, CAMERA, SHAPE).any()


def test_the_window_of_a_mesh_holds_it_and_no_more():
    # A square from x = -10 to 30 and y = 0 to 20 at 500 mm: u = 20.3 - 2 to 20.3 + 6, v = 15.7 to 20.1.
    square = np.array([[-10.0, 0, 500], [30, 0, 500], [30, 20, 500], [-10, 20, 500]])
    assert window_of(square, CAMERA, SHAPE) == ((18, 15), (7, 10))
    assert window_of(square, CAMERA, SHAPE, margin=100) == ((0, 0), SHAPE)
    assert 0 in window_of(square + np.array([1000, 0, 0]), CAMERA, SHAPE)[1]
    assert 0 in window_of(square - np.array([0, 1000, 0]), CAMERA, SHAPE)[1]
