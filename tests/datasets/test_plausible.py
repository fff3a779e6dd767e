import numpy as np
import pytest
from hand_scene import CAMERA, draw, hand_scene

from refiner.datasets.layouts.frame import DepthMap
from refiner.datasets.locate import find_hand
from refiner.datasets.plausible import (
    likely_units_mm,
    require_plausible_camera,
    require_plausible_sizes,
    roughness,
    why_no_depth,
    why_no_hand,
)
from refiner.errors import DepthFormatError, UsageError

CUBE = 260.0


def depth_map(numbers, unit_mm=1.0, camera=CAMERA):
    numbers = np.rint(numbers).astype(np.uint16)
    return DepthMap(numbers.astype(np.float32) * np.float32(unit_mm), camera, unit_mm, numbers)


def rough(depth_mm, sigma):
    return depth_mm * np.random.default_rng(0).normal(1, sigma, depth_mm.shape)


@pytest.mark.parametrize(
    ("camera", "message"),
    [
        ((475, 475, 639, 239.5), "principal point 639,239.5 at or beyond the border of a.png, which has 640 x 480"),
        ((950, 950, 639.5, 359.5), "--camera-image w,h"),
        ((475, 475, 319.5, -1), "at or beyond the border"),
        ((475, 500, 319.5, 239.5), "focal lengths fx = 475 and fy = 500 px, wanted the same to 5%"),
        ((475, 356.25, 319.5, 239.5), "--camera-image w,h"),
    ],
)
def test_a_camera_of_another_image_is_refused(camera, message):
    with pytest.raises(UsageError) as error:
        require_plausible_camera(camera, (640, 480), "a.png")
    assert message in str(error.value)


@pytest.mark.parametrize("camera", [(475, 475, 319.5, 239.5), (588.04, 587.08, 320, 240), (364, 364, 200, 300)])
def test_a_camera_of_the_image_is_taken(camera):
    require_plausible_camera(camera, (640, 480), "a.png")


def test_roughness_is_the_median_step_of_neighbours_that_differ():
    # Steps of 0, 10, 20 and 80 between 100, 100, 110, 130 and 210; a reading beside nothing is no step.
    numbers = np.array([[100, 100, 110, 130, 210, 0, 50]])
    share_of_larger = [10 / 110, 20 / 130, 80 / 210]
    assert roughness(numbers) == (pytest.approx(np.median(share_of_larger)), 3 / 4)
    assert roughness(np.zeros((4, 4))) == (0, 0)


def test_a_smooth_map_may_be_depth():
    assert why_no_depth(depth_map(rough(hand_scene(), 0.002))) is None
    assert why_no_depth(depth_map(hand_scene())) is None


def test_an_infrared_picture_is_none():
    assert "neighbouring readings differ by" in why_no_depth(depth_map(rough(hand_scene(), 0.05)))


def test_sprinkled_readings_do_not_make_a_map_rough():
    depth_mm = hand_scene()
    rng = np.random.default_rng(0)
    depth_mm[rng.random(depth_mm.shape) < 0.02] = 200
    assert why_no_depth(depth_map(depth_mm)) is None


def test_exchanged_bytes_are_recognised():
    depth = depth_map(rough(hand_scene(), 0.002))
    reason = why_no_depth(depth._replace(numbers=depth.numbers.byteswap()))
    assert reason.startswith("the two bytes of each number are exchanged")


def test_a_hand_may_be_one():
    assert why_no_hand(find_hand(hand_scene(), CAMERA, cube_mm=CUBE), CUBE) is None


def test_a_flat_thing_is_no_hand():
    depth_mm = np.zeros((240, 320), np.float32)
    draw(depth_mm, CAMERA, (0, 0, 600), (0, 60, 600), 40)
    assert "is flat: 0.0 mm about a plane" in why_no_hand(find_hand(depth_mm, CAMERA, cube_mm=CUBE), CUBE)


def test_what_is_nearer_than_half_the_cube_is_no_hand():
    found = find_hand(hand_scene(), CAMERA, cube_mm=CUBE)
    near = found._replace(centre_mm=np.array([0.0, 0.0, 129.0]))
    assert why_no_hand(near, CUBE).startswith("what was taken for a hand is 129 mm from the camera")
    assert why_no_hand(near._replace(centre_mm=np.array([0.0, 0.0, 130.0])), CUBE) is None


def recording(factor=1.0, camera=CAMERA):
    """Hands at 450 to 750 mm, in numbers that are larger than millimetres by the factor."""
    palms = [(10.0 * k - 40, 0, 450 + 60.0 * k) for k in range(6)]
    return [depth_map(hand_scene(palm, angle=k) * factor, camera=camera) for k, palm in enumerate(palms)]


def found_in(maps):
    hands = [find_hand(depth.depth_mm, depth.camera, cube_mm=CUBE) for depth in maps]
    return [hand for hand in hands if hand is not None]


def judge(maps, unit_mm=None):
    return require_plausible_sizes(found_in(maps), maps, cube_mm=CUBE, unit_mm=unit_mm)


def test_hands_of_the_right_size_are_taken():
    assert judge(recording()) is None
    assert likely_units_mm(recording(), CUBE, 1.0)[0] == 1.0


@pytest.mark.parametrize(("factor", "unit_mm"), [(4, 0.25), (5, 0.2), (8, 0.125), (10, 0.1)])
def test_a_wrong_unit_is_refused_with_the_likely_one(factor, unit_mm):
    maps = recording(factor)
    assert unit_mm in likely_units_mm(maps, CUBE, 1.0)
    with pytest.raises(DepthFormatError, match="no unit was given") as error:
        judge(maps)
    assert f"{unit_mm:g}" in str(error.value).partition("likely ")[2]
    assert "say so with --depth-unit-mm 1" in str(error.value)


def test_a_unit_that_was_given_is_believed_with_a_warning():
    assert judge(recording(8), unit_mm=1.0).endswith("is --depth-unit-mm 1 right, and the focal length?")


def test_a_wrong_focal_length_makes_small_hands():
    fx, fy, cx, cy = CAMERA
    with pytest.raises(DepthFormatError, match="found palms in which discs of at most 1. mm radius fit"):
        judge(recording(camera=(2.5 * fx, 2.5 * fy, cx, cy)))


def test_lengths_scale_with_the_cube():
    """A hand of half the size at half the distance, in a cube of half the side, is the same picture."""
    depth = depth_map(hand_scene() / 2)
    half = find_hand(depth.depth_mm, CAMERA, cube_mm=CUBE / 2)
    whole = find_hand(hand_scene(), CAMERA, cube_mm=CUBE)
    assert half.palm_mm == pytest.approx(whole.palm_mm / 2, rel=0.1)
    assert require_plausible_sizes([half], [depth], cube_mm=CUBE / 2, unit_mm=None) is None
