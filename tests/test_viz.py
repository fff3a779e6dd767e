import cv2
import numpy as np
import pytest

from refiner import viz
from refiner.hand.skeleton import HAND21


def test_depth_has_one_colour_for_one_depth_whatever_else_is_in_the_map():
    one = viz.colour_depth(np.array([[600.0, 650.0]]), 500, 800)
    two = viz.colour_depth(np.array([[600.0, 799.0], [0.0, 501.0]]), 500, 800)
    np.testing.assert_array_equal(one[0, 0], two[0, 0])
    assert one.dtype == np.uint8
    assert one.shape == (1, 2, 3)


def test_near_is_warm_and_far_is_cold():
    near, far = viz.colour_depth(np.array([[540.0, 760.0]]), 500, 800)[0].astype(int)
    assert near[0] > near[2] + 50
    assert far[2] > far[0] + 50


def test_depths_beyond_the_range_take_its_ends():
    picture = viz.colour_depth(np.array([[100.0, 500.0, 800.0, 3000.0]]), 500, 800)[0]
    np.testing.assert_array_equal(picture[0], picture[1])
    np.testing.assert_array_equal(picture[2], picture[3])


def test_tables_go_from_far_to_near():
    tables = viz.colour_tables()
    assert list(tables) == ["greys", "viridis", "cividis", "turbo"]
    for table in tables.values():
        assert (table.shape, table.dtype) == ((256, 3), np.uint8)
    near, far = viz.colour_depth(np.array([[500.0, 800.0]]), 500, 800)[0]
    np.testing.assert_array_equal(tables["turbo"][[255, 0]], [near, far])
    for name in ("greys", "viridis", "cividis"):  # lighter the nearer: so they serve who sees no colours
        lightness = tables[name].astype(float) @ (0.2126, 0.7152, 0.0722)
        assert lightness[-1] > lightness[0] + 100
        assert np.diff(lightness).min() > -1
    assert tables["greys"][[0, 255]].tolist() == [[70] * 3, [255] * 3]  # 0 is left for what has no reading
    assert viz.NO_READING not in {tuple(colour) for table in tables.values() for colour in table.tolist()}


def test_each_finger_has_a_colour_and_the_wrist_another():
    colours = dict(zip(HAND21.joints, viz.joint_colours(HAND21), strict=True))
    by_part = {}
    for joint, colour in colours.items():
        by_part.setdefault(joint.split("_")[0], set()).add(colour)
    assert all(len(found) == 1 for found in by_part.values())
    assert len({found.pop() for found in by_part.values()}) == len(by_part) == 6
    assert colours["thumb_tip"] == (230, 60, 60)


def test_no_reading_is_grey_and_never_a_depth():
    assert (viz.colour_depth(np.zeros((2, 2)), 500, 800) == viz.NO_READING).all()
    every = viz.colour_depth(np.linspace(500, 800, 1000)[None], 500, 800)[0]
    assert not (every == viz.NO_READING).all(axis=1).any()


def test_differences_are_blue_before_white_and_red_behind():
    picture = viz.colour_difference(np.array([[-20.0, -10, 0, 10, 20, 99, np.nan]]), 20.0)[0].astype(int)
    before, half_before, same, half_behind, behind, beyond, unknown = picture
    assert before[2] > before[0] + 100
    assert behind[0] > behind[2] + 100
    assert same.min() > 230
    np.testing.assert_array_equal(beyond, behind)
    np.testing.assert_array_equal(unknown, viz.NO_READING)
    np.testing.assert_allclose(half_before, (before + same) / 2, atol=1)
    np.testing.assert_allclose(half_behind, (behind + same) / 2, atol=1)


def joints_in_a_row():
    return np.stack([np.linspace(10, 90, 21), np.full(21, 50.0)], axis=1)


def test_skeletons_have_a_colour_for_each_finger():
    black = np.zeros((100, 100, 3), np.uint8)
    picture = viz.draw_skeleton(black, joints_in_a_row(), HAND21)
    factor = picture.shape[0] // 100
    colours = {}
    for joint, (u, v) in zip(HAND21.joints, joints_in_a_row(), strict=True):
        at = tuple(picture[round((v + 0.5) * factor - 0.5), round((u + 0.5) * factor - 0.5)].tolist())
        colours.setdefault(joint.split("_")[0], set()).add(at)
    assert all(len(found) == 1 for found in colours.values())
    assert len({found.pop() for found in colours.values()}) == 6
    assert not black.any()  # drawn on a copy


def test_hidden_joints_are_hollow_and_unknown_ones_are_left_out():
    black = np.zeros((256, 256, 3), np.uint8)
    uv = np.full((21, 2), np.nan)
    uv[0] = 100, 60
    full = viz.draw_skeleton(black, uv, HAND21, np.ones(21, bool))
    hollow = viz.draw_skeleton(black, uv, HAND21, np.zeros(21, bool))
    assert full[60, 100].any()
    assert not hollow[60, 100].any()
    assert hollow[60, 97].any()
    assert not full[70:].any()
    assert not viz.draw_skeleton(black, np.full((21, 2), np.nan), HAND21).any()


def test_joints_far_outside_do_no_harm():
    uv = joints_in_a_row()
    uv[3] = 1e12, -1e12
    viz.draw_skeleton(np.zeros((100, 100, 3), np.uint8), uv, HAND21)


def test_enlarging_repeats_pixels():
    picture = np.arange(12, dtype=np.uint8).reshape(2, 2, 3)
    large = viz.enlarge(picture, 5)
    assert large.shape == (6, 6, 3)
    np.testing.assert_array_equal(large[::3, ::3], picture)
    np.testing.assert_array_equal(large[3:, 3:], np.broadcast_to(picture[1, 1], (3, 3, 3)))
    assert viz.enlarge(picture, 1).shape == (2, 2, 3)


def test_sheets_of_singles_and_of_rows():
    red, green = (np.full((8, 12, 3), colour, np.uint8) for colour in ((255, 0, 0), (0, 255, 0)))
    plain = viz.contact_sheet([red, green, red], columns=2)
    height, width = plain.shape[0] // 2, plain.shape[1] // 2
    assert (plain[0, 0] == (255, 0, 0)).all()
    assert (plain[0, width] == (0, 255, 0)).all()
    assert (plain[height, 0] == (255, 0, 0)).all()
    assert (plain[height, width] == viz.NO_READING).all()  # the place that is left over
    titled = viz.contact_sheet([red, green], ["one", "two"], columns=1)
    assert titled.shape[0] > 2 * 8 + 20
    rows = viz.contact_sheet([[red, green], [green]], ["first", "second"])
    assert rows.shape[1] == plain.shape[1]
    with pytest.raises(ValueError, match="shorter"):
        viz.contact_sheet([red, green], ["one"], columns=2)
    with pytest.raises(ValueError, match="at least one"):
        viz.contact_sheet([])


def test_long_titles_shrink_to_their_picture():
    white = np.full((8, 150, 3), 255, np.uint8)
    band = viz.contact_sheet([white], ["a title much too long for so small a picture"])[:18]
    lit = np.flatnonzero(band.any(axis=(0, 2)))
    assert lit.min() <= 5
    assert 130 < lit.max() < 150


def test_pictures_survive_the_file(tmp_path):
    picture = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)
    path = tmp_path / "new" / "a.png"
    viz.save_png(path, picture)
    np.testing.assert_array_equal(cv2.imread(str(path))[..., ::-1], picture)
    viz.save_png(path, picture[:5])
    assert cv2.imread(str(path)).shape == (5, 30, 3)
    assert [file.name for file in path.parent.iterdir()] == ["a.png"]
