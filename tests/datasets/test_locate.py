import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pytest
from hand_scene import CAMERA, SHAPE, draw, hand_scene
from hypothesis import given, settings
from hypothesis import strategies as st

from refiner.datasets.locate import find_hand, locate_hand
from refiner.datasets.parts import running_on
from refiner.errors import UsageError

REAL = Path(__file__).parents[3] / "shared" / "data"


def off_palm(depth_mm, palm_mm, camera=CAMERA, **options):
    found = locate_hand(depth_mm, camera, cube_mm=260, **options)
    assert found is not None
    return float(np.linalg.norm(found - palm_mm))


def test_a_disc_is_centred_exactly():
    depth_mm = np.zeros(SHAPE, np.float32)
    draw(depth_mm, CAMERA, (30, -20, 500), (30, -20, 500), 40)
    np.testing.assert_allclose(locate_hand(depth_mm, CAMERA, cube_mm=260), (30, -20, 500), atol=1)


@pytest.mark.parametrize("fingers", [True, False], ids=["stretched", "fist"])
@pytest.mark.parametrize(
    "arm", [(0, 300, 100), (0, 300, 0), (0, 120, 0), (20, 150, 250)], ids=["back", "flat", "stump", "steep"]
)
def test_the_centre_is_on_the_palm_whatever_the_arm(arm, fingers):
    for angle in np.linspace(0, 2 * np.pi, 8, endpoint=False):
        assert off_palm(hand_scene(arm=arm, angle=angle, fingers=fingers), (0, 0, 600)) < 25


@given(
    x=st.floats(-60, 60), y=st.floats(-30, 30), z=st.floats(450, 900), angle=st.floats(0, 6.28), fingers=st.booleans()
)
@settings(max_examples=30, deadline=None)
def test_the_centre_moves_with_the_hand(x, y, z, angle, fingers):
    assert off_palm(hand_scene((x, y, z), angle=angle, fingers=fingers), (x, y, z)) < 30


def test_a_nudge_of_the_hand_is_a_nudge_of_the_centre():
    places = [np.array([2.0 * k, -1.0 * k, 600 + 0.5 * k]) for k in range(20)]
    centres = [locate_hand(hand_scene(place, angle=0.3), CAMERA, cube_mm=260) for place in places]
    offsets = np.array(centres) - places
    assert np.abs(offsets - offsets.mean(axis=0)).max() < 4


def test_flying_pixels_in_front_change_nothing():
    clean = hand_scene()
    noisy = clean.copy()
    rng = np.random.default_rng(0)
    noisy[rng.integers(0, SHAPE[0], 20), rng.integers(0, SHAPE[1], 20)] = 250
    before, after = (locate_hand(depth_mm, CAMERA, cube_mm=260) for depth_mm in (clean, noisy))
    np.testing.assert_allclose(after, before, atol=4)


def test_a_body_close_behind_is_not_the_hand():
    depth_mm = hand_scene((-60, 0, 600), arm=(0, 300, 0))
    draw(depth_mm, CAMERA, (120, 0, 660), (120, 200, 660), 100)
    assert off_palm(depth_mm, (-60, 0, 600)) < 25


def test_an_arm_that_grows_out_of_the_body_is_followed_to_its_hand():
    depth_mm = hand_scene((0, -60, 600), arm=(0, 200, 150))
    draw(depth_mm, CAMERA, (0, 140, 745), (0, 400, 745), 180)
    assert off_palm(depth_mm, (0, -60, 600)) < 25


@pytest.mark.parametrize("depth", [0, 400, 9000], ids=["nothing", "wall", "beyond"])
def test_no_hand(depth):
    assert locate_hand(np.full(SHAPE, depth, np.float32), CAMERA, cube_mm=260) is None


def test_range_and_region_pass_over_what_is_nearer():
    depth_mm = hand_scene((50, 0, 700))
    draw(depth_mm, CAMERA, (-120, 0, 500), (-120, 30, 500), 40)
    assert off_palm(depth_mm, (-120, 15, 500)) < 25
    assert off_palm(depth_mm, (50, 0, 700), near_far_mm=(600, 1000)) < 25
    assert off_palm(depth_mm, (50, 0, 700), roi=(130, 0, 190, 240)) < 25
    assert locate_hand(depth_mm, CAMERA, cube_mm=260, near_far_mm=(200, 300)) is None


@pytest.mark.parametrize("roi", [(-1, 0, 10, 10), (0, 0, 321, 10), (5, 5, 0, 10)])
def test_a_region_outside_the_map_is_refused(roi):
    with pytest.raises(UsageError, match="320 x 240 pixels"):
        locate_hand(hand_scene(), CAMERA, cube_mm=260, roi=roi)


def test_a_window_gives_the_centre_of_the_whole_map():
    depth_mm = hand_scene(arm=(0, 100, 0), wall_mm=0)
    window = depth_mm[40:220, 60:260]
    whole = locate_hand(depth_mm, CAMERA, cube_mm=260)
    shifted = (CAMERA[0], CAMERA[1], CAMERA[2] - 60, CAMERA[3] - 40)
    np.testing.assert_allclose(locate_hand(window, shifted, cube_mm=260), whole, atol=3)


def test_threads_give_the_same_bytes():
    maps = [hand_scene(angle=angle) for angle in np.linspace(0, 6, 16)]
    alone = [locate_hand(depth_mm, CAMERA, cube_mm=260).tobytes() for depth_mm in maps]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda d: locate_hand(d, CAMERA, cube_mm=260).tobytes(), maps))
    assert together == alone


def test_it_is_fast():
    camera = (364.0, 364.0, 255.5, 211.5)
    depth_mm = hand_scene(camera=camera, shape=(424, 512))
    locate_hand(depth_mm, camera, cube_mm=260)
    seconds = []
    for _ in range(20):
        start = time.perf_counter()
        locate_hand(depth_mm, camera, cube_mm=260)
        seconds.append(time.perf_counter() - start)
    assert min(seconds) < 3e-3


def real_maps(pattern, unit_mm):
    paths = sorted(REAL.glob(pattern))
    if not paths:
        pytest.skip(f"the recordings of {pattern} are not beside the repository")
    return [cv2.imread(str(path), cv2.IMREAD_UNCHANGED).astype(np.float32) * np.float32(unit_mm) for path in paths]


def test_kinect1_hands_are_centred():
    for depth_mm in real_maps("kinect1_asl/*/*.png", 1)[::40]:
        rows, columns = depth_mm.shape
        camera = (575.0, 575.0, (columns - 1) / 2, (rows - 1) / 2)
        x, y, z = locate_hand(depth_mm, camera, cube_mm=260)
        # The crops are cut around the hand: its centre is in the middle two thirds, and on something.
        u, v = 575 * x / z + camera[2], 575 * y / z + camera[3]
        assert columns / 6 < u < columns * 5 / 6
        assert rows / 6 < v < rows * 5 / 6
        assert (np.abs(depth_mm - z) < 40).any()


def test_the_centre_follows_a_real_hand_steadily():
    camera = (363.9, 363.9, 255.4, 206.3)
    centres = [locate_hand(depth_mm, camera, cube_mm=260) for depth_mm in real_maps("kinect2_sequence/*.png", 1)]
    assert all(centre is not None for centre in centres)
    steps = np.linalg.norm(np.diff(np.array(centres)[6:], axis=0), axis=1)
    # The hand comes in during the first frames; later it opens and closes within one frame.
    assert np.median(steps) < 6
    assert steps.max() < 35


def test_sr305_hands_are_found_before_bodies():
    camera = (476.007, 476.007, 313.683, 242.755)
    for depth_mm in real_maps("sr305_gestures/*/*.png", 0.125):
        x, y, z = locate_hand(depth_mm, camera, cube_mm=260)
        u, v = round(camera[0] * x / z + camera[2]), round(camera[1] * y / z + camera[3])
        # There is hand around the centre (there may be a hole in it), and it is nearer than the body.
        around = depth_mm[v - 4 : v + 5, u - 4 : u + 5]
        assert (np.abs(around - z) < 30).mean() > 0.5
        body = np.percentile(depth_mm[depth_mm > 0], 50)
        assert z < body


def test_what_speaks_for_a_hand():
    found = find_hand(hand_scene(fingers=False), CAMERA, cube_mm=260)
    assert found.palm_mm == pytest.approx(38, abs=4)  # the palm is a disc of 38 mm, stretched by 16
    assert found.relief_mm > 4  # the arm leads 100 mm away over 300
    assert (found.others, found.lone_readings) == (0, False)
    assert found.behind_mm == pytest.approx(0, abs=1)


def test_another_hand_and_clutter_are_noticed():
    both = hand_scene((-70, 0, 600), arm=(-40, 300, 100))
    other = hand_scene((75, 10, 620), arm=(40, 300, 100))
    found = find_hand(np.minimum(both, other), CAMERA, cube_mm=260)
    assert found.others == 1
    assert off_palm(np.minimum(both, other), (-70, 0, 600)) < 25
    draw(both, CAMERA, (100, -60, 480), (100, -50, 480), 20)  # 1,700 mm2, and nearer
    found = find_hand(both, CAMERA, cube_mm=260)
    assert found.behind_mm == pytest.approx(120, abs=2)
    assert off_palm(both, (-70, 0, 600)) < 25


def test_a_hand_is_found_behind_sprinkled_readings():
    depth_mm = hand_scene()
    rng = np.random.default_rng(0)
    sprinkled = rng.random(depth_mm.shape) < 0.03
    depth_mm[sprinkled] = rng.uniform(150, 350, sprinkled.sum())
    found = find_hand(depth_mm, CAMERA, cube_mm=260)
    assert found.lone_readings
    assert np.linalg.norm(found.centre_mm) == pytest.approx(600, abs=25)


def test_what_a_hand_runs_on_into():
    depth_mm = hand_scene(arm=(0, 40, 0))
    assert running_on(depth_mm, *CAMERA, 1.0) == 1
    draw(depth_mm, CAMERA, (0, 45, 600), (0, 300, 950), 26)
    arm = running_on(depth_mm, *CAMERA, 1.0)
    assert 1.05 < arm < 2
    # A body that the arm comes from is more than an arm.
    draw(depth_mm, CAMERA, (0, 290, 940), (0, 500, 940), 250)
    assert running_on(depth_mm, *CAMERA, 1.0) > 3
