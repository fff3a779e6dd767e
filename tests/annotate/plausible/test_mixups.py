"""How far labels lie from a hand, and when they are said to lie nearer another way."""

import numpy as np
from labelled_sequence import CAMERA, SIZE

from refiner.annotate.plausible.facts import hand_facts
from refiner.annotate.plausible.mixups import FAR_MM, LabelledMaps, Mixup, all_together, misfits_mm, mixed_up
from refiner.annotate.plausible.view import View
from refiner.annotate.sessions.labels import FrameLabels
from refiner.hand.skeleton import Skeleton

SEVEN = Skeleton("seven", tuple("abcdefg"), tuple(range(-1, 6)))  # joints of no hand
FACTS = hand_facts(SEVEN)


def look_at(labels):
    """A plate at 700 mm over columns 0 to 9: a pixel is 7 mm. In frame n it lies 4 n px lower than in frame 0."""
    depth_mm = np.zeros((SIZE, SIZE))
    depth_mm[4 * labels.frame : 4 * labels.frame + 12, :10] = 700.0
    return View.of(labels, depth_mm, np.array(CAMERA), FACTS)


def labels_of(frame, uv_px, flag=(2,) * 7):
    return FrameLabels(frame, np.array(uv_px, float), np.array(flag, np.int8))


def column(frame, u=5, first=0, last=11):
    """Clicks down a column of the plate of a frame."""
    return labels_of(frame, [(u, 4 * frame + v) for v in np.linspace(first, last, 7).round()])


def linked(a, b):
    return 0 <= b < 5


MAPS = LabelledMaps(SEVEN, FACTS, SIZE, look_at, linked)


def test_joints_of_no_hand_are_as_far_off_as_the_nearest_reading_and_no_farther_than_far():
    # 3 px to the right of the last column are 21 mm, 9 px are more than 40; hidden and absent ones are not asked.
    uv_px = [(9, 0), (12, 5), (18, 5), (12, 5), (np.nan, np.nan), (5, 5), (12, 5)]
    found = misfits_mm([look_at(labels_of(0, uv_px, (2, 2, 2, 1, 0, 2, 2)))], SEVEN, FACTS)
    np.testing.assert_allclose(found, [[0, 21, FAR_MM, np.nan, np.nan, 0, 21]], rtol=0.02)


def test_exchanged_and_shifted_images_are_told_and_right_ones_are_not():
    # The plate is 10 px wide and 12 high, at the left: a column at its bottom, exchanged, lies mostly beside it.
    right = [column(frame) for frame in range(3)]
    exchanged = labels_of(2, column(2, u=9).uv_px[:, ::-1])
    # 40 mm are 5.7 px: clicks 8 px too low, on the plate of two frames later, lie beside it by 3 px and more mostly.
    later = labels_of(0, column(2, first=4).uv_px)
    found = mixed_up([look_at(one) for one in (*right, exchanged, later)], MAPS)
    assert found[:3] == [None] * 3
    assert found[3].what == "with u and v exchanged"
    assert found[3].instead_mm == 0
    assert (found[4].what, found[4].shift) in {("as those of frame 1", 1), ("as those of frame 2", 2)}


def test_of_few_clicks_and_few_images_nothing_is_told():
    few = labels_of(0, column(0, u=25).uv_px, (2, 2, 2, 2, 2, 1, 0))  # five visible ones
    assert mixed_up([look_at(few)], MAPS) == [None]
    wrong = [labels_of(frame, column(frame + 2).uv_px) for frame in range(2)]
    assert all_together([look_at(one) for one in wrong], MAPS) is None


def test_all_together_tell_by_how_many_frames_they_are_off():
    wrong = [labels_of(frame, column(frame + 2).uv_px) for frame in range(3)]
    found = all_together([look_at(one) for one in wrong], MAPS)
    # On the plate two frames later all lie upon it; as they are two are 7 mm off, one 21, one 35, and so on.
    assert (found.what, found.shift, found.instead_mm) == ("as those of the frames 2 later", 2, 0)
    right = [column(frame) for frame in range(5)]
    assert all_together([look_at(one) for one in right], MAPS) is None


def test_a_mixup_is_told_with_both_values():
    told = str(Mixup("with u and v exchanged", 23.4, 3.2))
    assert told == "with u and v exchanged: 3 mm away from it, 23 mm as they are"
