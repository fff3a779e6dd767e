import numpy as np

from refiner.realism.patches import cut_patches, two_scales


def test_scales_by_hand():
    depth = np.zeros((1, 2, 3), np.float32)
    depth[0] = [[600, 610, 590], [600, 700, 0]]
    shown = two_scales(depth)
    np.testing.assert_allclose(shown[0, 0], [[0, 0.5, -0.5], [0, 1, 1]])
    np.testing.assert_allclose(shown[0, 1], [[0, 10 / 130, -10 / 130], [0, 100 / 130, 1]], rtol=1e-6)


def test_an_empty_map_is_far_everywhere():
    assert (two_scales(np.zeros((1, 4, 4), np.float32)) == 1).all()


def test_where_a_hand_is_does_not_show():
    rng = np.random.default_rng(0)
    depth = rng.uniform(500, 600, (3, 8, 8)).astype(np.float32)
    np.testing.assert_allclose(two_scales(depth), two_scales(depth + 100), atol=1e-5)


def test_only_patches_with_enough_readings_are_cut():
    depth = np.zeros((2, 32, 32), np.float32)
    depth[0, :16, :16] = 600
    patches, owners = cut_patches(depth, 50, np.random.default_rng(0))
    # Of the windows every 4 px, those at least 60 % inside: (0,0), (0,4), (4,0) at 75 %, none at (4,4) with 56 %.
    assert len(patches) == 3
    assert (owners == 0).all()
    assert patches.shape[1:] == (2, 16, 16)
    assert len(cut_patches(depth, 2, np.random.default_rng(0))[0]) == 2


def test_finer_steps_find_more_patches_in_the_same_map():
    depth = np.zeros((1, 32, 32), np.float32)
    depth[0, :16, :16] = 600
    # Windows at (r, c) with (16 - r) (16 - c) >= 0.6 * 256 = 153.6.
    wanted = sum((16 - r) * (16 - c) >= 153.6 for r in range(16) for c in range(16))
    assert len(cut_patches(depth, 500, np.random.default_rng(0), step_px=1)[0]) == wanted
