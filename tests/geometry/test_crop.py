import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from refiner.geometry.camera import project, unproject
from refiner.geometry.crop import crop_cube, refine_centre

CAMERA = (100.0, 100.0, 10.0, 10.0)


def plane(depth=500.0, shape=(21, 21)):
    return np.full(shape, depth, np.float32)


def test_at_the_sources_own_scale_the_pixels_are_copied():
    # fx / z * cube / size = 100 / 500 * 25 / 5 = 1 source pixel a crop pixel, centred on pixel (10, 10).
    depth_mm = plane() + np.arange(21, dtype=np.float32) * 0.5
    crop_mm, camera = crop_cube(depth_mm, CAMERA, (0, 0, 500), 25, 5)
    np.testing.assert_array_equal(crop_mm, depth_mm[8:13, 8:13])
    np.testing.assert_allclose(camera, (100, 100, 2, 2))


def test_between_two_pixels_of_one_surface_it_is_bilinear():
    # Centre half a pixel to the right: 2.5 mm at 500 mm and a focal length of 100 px.
    depth_mm = plane() + np.arange(21, dtype=np.float32) * 0.5
    crop_mm, _ = crop_cube(depth_mm, CAMERA, (2.5, 0, 500), 25, 5)
    np.testing.assert_allclose(crop_mm[2], (depth_mm[10, 8:13] + depth_mm[10, 9:14]) / 2)
    # A quarter of a pixel: 3 parts of one, 1 part of the other.
    crop_mm, _ = crop_cube(depth_mm, CAMERA, (1.25, 0, 500), 25, 5)
    np.testing.assert_allclose(crop_mm[2], 0.75 * depth_mm[10, 8:13] + 0.25 * depth_mm[10, 9:14])


def test_half_the_scale_takes_the_tent_weighted_mean():
    # 2 source pixels a crop pixel: weights 1/2, 1, 1/2 on either side, so 1/4, 1/2, 1/4 of the sum.
    row = 500 + np.array([0, 1, 4, 2, 0, 3, 1, 0, 2, 1, 0, 5, 1, 0, 2, 4, 1, 0, 1, 2, 3], np.float32)
    depth_mm = np.tile(row, (21, 1))
    crop_mm, _ = crop_cube(depth_mm, CAMERA, (0, 0, 500), 50, 5)
    wanted = [row[c - 1] / 4 + row[c] / 2 + row[c + 1] / 4 for c in (6, 8, 10, 12, 14)]
    np.testing.assert_allclose(crop_mm[2], wanted, rtol=1e-6)


def test_no_value_is_invented_across_an_edge():
    depth_mm = plane()
    depth_mm[:, 11:] = 520
    for shift in (0, 1.3, 2.5, 3.9):
        crop_mm, _ = crop_cube(depth_mm, CAMERA, (shift, 0, 510), 60, 17)
        assert set(np.unique(crop_mm)) == {500.0, 520.0}


def test_holes_and_what_lies_outside_stay_empty():
    depth_mm = plane()
    depth_mm[10, 10] = 0
    depth_mm[5, :] = 700
    depth_mm[15, :] = 300
    crop_mm, _ = crop_cube(depth_mm, CAMERA, (0, 0, 500), 105, 21)
    assert crop_mm[10, 10] == 0
    assert not crop_mm[5].any()
    assert not crop_mm[15].any()
    assert (np.delete(crop_mm, [5, 10, 15], axis=0) == 500).all()
    # Beyond the border of the image there is nothing to read.
    crop_mm, _ = crop_cube(plane(), CAMERA, (40, 0, 500), 105, 21)
    assert (crop_mm[:, :13] == 500).all()
    assert not crop_mm[:, 13:].any()


@given(
    st.floats(-200, 200), st.floats(-200, 200), st.floats(300, 1500), st.floats(100, 400), st.integers(16, 256),
    st.tuples(*[st.floats(-0.5, 0.5)] * 3),
)  # fmt: skip
@settings(deadline=None)
def test_a_point_lies_at_the_same_place_of_crop_and_image(x, y, z, cube, size, offset):
    camera = (475.0, 480.0, 320.0, 240.0)
    point = np.array([x, y, z]) + np.array(offset) * cube
    _, crop = crop_cube(np.zeros((2, 2), np.float32), camera, (x, y, z), cube, size)
    window = np.array([475.0, 480.0]) * cube / z
    corner = project((x, y, z), camera) - window / 2
    relative = (project(point, camera) - corner) / window
    np.testing.assert_allclose((project(point, crop) + 0.5) / size, relative, atol=1e-6)


def test_pixels_of_a_crop_unproject_onto_the_surface_it_shows():
    # A slanted plane z = 500 + 0.2 x: every crop pixel, lifted with the crop's camera, must lie on it.
    camera = (300.0, 300.0, 99.5, 99.5)
    u = np.arange(200)[None].repeat(200, axis=0)
    depth_mm = (500 / (1 - 0.2 * (u - 99.5) / 300)).astype(np.float32)
    crop_mm, crop = crop_cube(depth_mm, camera, (30, -20, 506), 120, 77)
    rows, columns = np.nonzero(crop_mm)
    points = unproject(np.stack([columns, rows], axis=-1), crop_mm[rows, columns], crop)
    assert len(rows) == 77 * 77
    np.testing.assert_allclose(points[:, 2], 500 + 0.2 * points[:, 0], atol=0.05)


def test_the_cube_moves_to_the_mean_of_its_points():
    depth_mm = np.zeros((60, 60), np.float32)
    depth_mm[20:31, 30:41] = 500
    centre = refine_centre(depth_mm, CAMERA, (60, 40, 520), 100, iterations=10)
    # Pixels 30..40 and 20..30 are 25 and 15 px from the principal point: 125 and 75 mm.
    np.testing.assert_allclose(centre, (125, 75, 500))
    assert refine_centre(depth_mm, CAMERA, (-300, 0, 520), 100) is None
