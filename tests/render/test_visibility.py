import numpy as np

from refiner.render.visibility import visible_joints

CAMERA = (100.0, 100.0, 4.0, 4.0)


def seen(joint, depth, offset=8.0):
    return bool(visible_joints(depth, CAMERA, np.array([joint], dtype=float), np.array([offset]))[0])


def test_a_joint_is_seen_until_its_own_offset_and_15_mm_behind_the_surface():
    depth = np.full((9, 9), 600.0, np.float32)
    assert seen((0, 0, 622.9), depth)
    assert not seen((0, 0, 623.1), depth)
    assert seen((0, 0, 630), depth, offset=16.0)
    assert seen((0, 0, 580), depth)  # before the surface: not hidden


def test_no_depth_no_joint():
    depth = np.zeros((9, 9), np.float32)
    assert not seen((0, 0, 600), depth)
    assert not seen((0, 0, -600), np.full((9, 9), 600.0, np.float32))
    assert not seen((0, 0, 0), np.full((9, 9), 600.0, np.float32))


def test_the_nearest_pixel_counts():
    depth = np.zeros((9, 9), np.float32)
    depth[4, 5] = 600.0
    # u = 4 + 100 x / 600: from 4.5 on it is pixel 5; the image ends at 8.5.
    assert not seen((2.9, 0, 600), depth)
    assert seen((3.1, 0, 600), depth)
    depth[:] = 600.0
    assert seen((26.9, 0, 600), depth)
    assert not seen((27.1, 0, 600), depth)
    assert not seen((-27.1, 0, 600), depth)
