import numpy as np
import pytest
import zarr
from labelled_sequence import CAMERA, THREE, three_joints, write_sequence, write_unlabelled

from refiner.annotate.sessions.truth import bones_of_store, labels_of_joints, labels_of_store, surface_offset_mm
from refiner.datasets.store import DepthStore
from refiner.errors import LabelError, StoreError
from refiner.hand.model import load_hand
from refiner.hand.skeleton import HAND21

NAN = np.nan


def of(joints_mm, visible=(True, True, True)):
    return labels_of_joints(4, np.float32(joints_mm), np.array(visible), np.array(CAMERA), THREE, 32)


def test_joints_are_projected_and_compared_with_their_parents():
    labels = of([[0, 0, 700], [70, -35, 700], [0, 7.2, 720]], (True, False, True))
    assert labels.frame == 4
    np.testing.assert_allclose(labels.uv_px, [[15.5, 15.5], [25.5, 10.5], [15.5, 16.5]])
    np.testing.assert_array_equal(labels.flag, [2, 1, 2])
    assert labels.nearer == ((1, 2),)  # 20 mm; the first two are level


def test_ten_millimetres_are_no_order_and_more_are():
    assert of([[0, 0, 700], [0, 0, 710], [0, 0, 699]]).nearer == ((2, 1),)
    assert of([[0, 0, 700], [0, 0, 689], [0, 0, 700.5]]).nearer == ((1, 0), (1, 2))


@pytest.mark.parametrize("lost", [[NAN, 0, 720], [0, 0, -720], [0, 0, 0], [113, 0, 700], [0, -113, 700]])
def test_joints_that_are_unknown_or_outside_are_absent(lost):
    labels = of([[0, 0, 700], lost, [0, 0, 720]])
    np.testing.assert_array_equal(labels.flag, [2, 0, 2])
    assert np.isnan(labels.uv_px[1]).all()
    assert labels.nearer == ()


def test_a_store_says_what_is_visible():
    visible = np.ones((6, 3), bool)
    visible[2, 1] = False
    write_sequence("a.zarr", visible=visible)
    labels = list(labels_of_store(DepthStore("a.zarr")))
    assert [one.frame for one in labels] == list(range(6))
    np.testing.assert_array_equal(labels[2].flag, [2, 1, 2])
    np.testing.assert_array_equal(labels[3].flag, [2, 2, 2])


def test_else_the_depth_says_it():
    joints_mm = three_joints(3)
    joints_mm[1, :, 2] = 714, 714.9, 715.1  # the plate is at 700 mm, and hides what lies 15 mm behind it
    joints_mm[2, 1] = NAN
    write_sequence("a.zarr", count=3, joints_mm=joints_mm)
    first, second, third = labels_of_store(DepthStore("a.zarr"))
    np.testing.assert_array_equal(first.flag, [2, 2, 1])  # the tip is 18 mm behind
    np.testing.assert_array_equal(second.flag, [2, 2, 1])
    np.testing.assert_array_equal(third.flag, [2, 0, 1])


def test_joints_of_a_hand_lie_below_its_skin():
    offset_mm = load_hand().surface_offset_mm
    np.testing.assert_array_equal(surface_offset_mm(HAND21), offset_mm)
    np.testing.assert_array_equal(surface_offset_mm(THREE), [0, 0, 0])
    joints_mm = np.zeros((2, 21, 3))
    joints_mm[0, :, 2], joints_mm[1, :, 2] = 715 + offset_mm - 0.1, 715 + offset_mm + 0.1
    write_sequence("a.zarr", count=2, skeleton=HAND21, joints_mm=joints_mm)
    seen, hidden = labels_of_store(DepthStore("a.zarr"))
    assert (seen.flag == 2).all()
    assert (hidden.flag == 1).all()


def test_lengths_are_medians_over_the_frames_that_have_them():
    joints_mm = three_joints(4)
    joints_mm[0, 1] = NAN
    joints_mm[3, 2] += [0, 0, 500]  # one wild frame
    write_sequence("a.zarr", count=4, joints_mm=joints_mm)
    np.testing.assert_allclose(bones_of_store(DepthStore("a.zarr")), [NAN, 50, 30])


def test_lengths_that_cannot_be_are_named():
    joints_mm = three_joints(2)
    joints_mm[:, 2] = NAN
    write_sequence("never.zarr", count=2, joints_mm=joints_mm)
    with pytest.raises(LabelError, match=r"never.zarr, medians.*tip nan mm.*\(--bones\)"):
        bones_of_store(DepthStore("never.zarr"))
    joints_mm = three_joints(2)
    root = joints_mm[:, :1]
    write_sequence("long.zarr", count=2, joints_mm=root + 5 * (joints_mm - root))
    with pytest.raises(LabelError, match="mid 250 mm, wanted"):
        bones_of_store(DepthStore("long.zarr"))


def test_a_store_without_joints_has_none_to_take():
    write_unlabelled("a.zarr")
    assert "joints_mm" not in zarr.open_group("a.zarr", mode="r")
    for of_store in (bones_of_store, lambda store: list(labels_of_store(store))):
        with pytest.raises(StoreError, match="a.zarr has no joints_mm"):
            of_store(DepthStore("a.zarr"))
