"""Which labels are in doubt: none of true ones, and each kind of wrong one by its name."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from labelled_sequence import write_unlabelled
from shipped_sequence import STORE
from wrong_labels import (
    FRAMES,
    TIPS,
    at_the_corner,
    careful,
    fingers_reversed,
    mirrored,
    of_frames_later,
    persisting,
    transposed,
    upside_down,
)  # fmt: skip

from refiner.annotate.exchange.reading import read_labels
from refiner.annotate.plausible.doubts import Judge, LabelDoubt, believed, stand_still, without
from refiner.annotate.sessions.labels import FrameLabels
from refiner.annotate.sessions.session import Session
from refiner.cli.main import main
from refiner.datasets.store import DepthStore
from refiner.datasets.store_writer import StoreWriter
from refiner.hand.skeleton import HAND21

RECORDING = Path(__file__).parents[4] / "shared" / "data" / "kinect2_sequence"
CLICKS = Path(__file__).parents[3] / "experiments" / "kinect2_labels.json"


@pytest.fixture(scope="module")
def session(tmp_path_factory):
    with Session.create(tmp_path_factory.mktemp("plausible") / "session", STORE) as opened:
        yield opened


def judged(session, labels):
    judge = Judge(session)
    doubts = judge.doubts(labels)
    return doubts, judge.fault(labels, doubts)


@pytest.mark.parametrize(("noise_px", "seed"), [(0.0, 0), (3.0, 0)])
def test_true_labels_are_not_doubted(session, noise_px, seed):
    # A fifth of the joints is hidden, fingers bend and the hand turns by 90 degrees.
    assert judged(session, careful(noise_px, seed)) == ([], None)


@pytest.mark.slow
@pytest.mark.parametrize(("noise_px", "seed"), [(0.0, 0), (1.0, 0), (3.0, 0), (3.0, 2)])
def test_no_frame_of_the_shipped_sequence_is_doubted(session, noise_px, seed):
    assert judged(session, careful(noise_px, seed, range(60))) == ([], None)


@pytest.mark.slow
@pytest.mark.parametrize("noise_px", [0.0, 3.0])
@pytest.mark.parametrize("scene", [(), ("--scene", "render/facing.yaml")])
def test_no_random_pose_is_doubted(noise_px, scene):
    # Fists, spread and crossed fingers, from all sides and of hands of all shapes: bones differ by a fifth.
    assert main(["render", "poses.zarr", "--count", "200", "--seed", "5", *scene]) == 0
    with Session.create("session", "poses.zarr") as opened:
        assert judged(opened, careful(noise_px, 0, range(200), "poses.zarr")) == ([], None)


@pytest.mark.slow
@pytest.mark.skipif(not RECORDING.is_dir(), reason="needs the recording beside the project")
def test_clicks_of_a_person_on_a_real_recording_are_not_doubted():
    words = ["--camera", "363.9,363.9,255.4,206.3", "--hand", "left"]
    assert main(["prepare", str(RECORDING), "k2.zarr", *words]) == 0
    with Session.create("session", "k2.zarr") as opened:
        labels = read_labels(CLICKS, HAND21, 128, [""] * 220).labels
        assert judged(opened, labels) == ([], None)
        # The hand turns fast: one frame later most clicks lie elsewhere.
        later = [replace(one, frame=one.frame + 1) for one in labels]
        assert "as those of the frames 1 earlier" in judged(opened, later)[1]


def test_unlabelled_joints_at_the_corner_are_named_and_not_believed(session):
    labels = [at_the_corner(one) if n in (2, 5) else one for n, one in enumerate(careful())]
    doubts, fault = judged(session, labels)
    assert [(doubt.frame, doubt.joint) for doubt in doubts] == [
        (frame, name) for frame in (12, 30) for name in ("thumb_tip", "index_tip", "middle_tip")
    ]
    assert fault is None
    assert not any(doubt.believed for doubt in doubts)
    assert "the nearest reading is" in doubts[0].why
    assert "the bone from thumb_ip to thumb_tip would be at least" in doubts[0].why
    assert "24 mm is usual" in doubts[0].why


def test_points_that_stay_from_the_image_before_are_not_believed(session):
    true = careful()
    doubts, fault = judged(session, persisting(true))
    # In the first image they are right; by the third all four are 30 mm and more from where they should be.
    wanted = {(frame, HAND21.joints[tip]) for frame in FRAMES[2:] for tip in TIPS}
    found = {(doubt.frame, doubt.joint) for doubt in doubts if not doubt.believed}
    assert wanted <= found
    assert found - wanted <= {(FRAMES[1], HAND21.joints[tip]) for tip in TIPS}
    assert fault is None


@pytest.mark.parametrize("noise_px", [0.0, pytest.param(3.0, marks=pytest.mark.slow)])
@pytest.mark.parametrize(
    ("way", "what"),
    [
        (transposed, "with u and v exchanged"),
        (mirrored, "with left and right of the picture exchanged"),
        (upside_down, "with top and bottom of the picture exchanged"),
        (fingers_reversed, "with the fingers from index to little named in reverse"),
    ],
)
def test_labels_of_an_exchanged_file_are_refused(session, noise_px, way, what):
    _, fault = judged(session, [way(one) for one in careful(noise_px)])
    assert what in fault
    assert "(mean of 10 images)" in fault


@pytest.mark.parametrize("way", [transposed, pytest.param(mirrored, marks=pytest.mark.slow)])
def test_an_exchanged_image_among_others_is_named_and_not_believed(session, way):
    doubts, fault = judged(session, [way(one) if n == 4 else one for n, one in enumerate(careful())])
    assert [(doubt.frame, doubt.joint, doubt.believed) for doubt in doubts] == [(24, None, False)]
    assert fault is None


@pytest.mark.parametrize("shift", [3, pytest.param(-3, marks=pytest.mark.slow)])
def test_labels_of_frames_later_or_earlier_are_refused(session, shift):
    labels = [one for one in of_frames_later(shift) if one.frame + shift >= 0]
    _, fault = judged(session, labels)
    assert f"as those of the frames 3 {'later' if shift > 0 else 'earlier'}" in fault


def test_clicks_off_the_hand_are_refused_where_no_other_way_explains_them(session):
    aside = [replace(one, uv_px=np.clip(one.uv_px + np.array([70, -60]), 0, 127)) for one in careful()]
    doubts, fault = judged(session, aside)
    assert "of 10 images whose labels do not fit their depth maps" in fault
    assert "visible clicks have no reading near" in fault
    assert all(doubt.joint is None for doubt in doubts)


def lost_finger(path, joints):
    """The shipped sequence with no readings within 12 px of the line through some joints, whose labels stay."""
    store = DepthStore(STORE)
    names = ("depth", "camera", "centre_mm", "cube_mm", "joints_mm", "visible")
    rows = {name: store.read(name) for name in names}
    v, u = np.mgrid[:128, :128]
    for n, labels in enumerate(careful(frames=range(60))):
        for joint in joints:
            rows["depth"][n][np.hypot(u - labels.uv_px[joint, 0], v - labels.uv_px[joint, 1]) < 12] = 0
    writer = StoreWriter(
        path, count=60, size=128, depth_unit_mm=store.depth_unit_mm, provenance={}, skeleton=store.skeleton,
        arrays={"joints_mm": (21, 3), "visible": (21,)},
    )  # fmt: skip
    writer.write(0, rows)
    writer.finish()
    return path


def test_a_finger_that_the_camera_lost_is_named_and_its_place_believed():
    joints = (6, 7, 8)  # the index finger beyond its knuckle
    with Session.create("session", lost_finger("lost.zarr", joints)) as opened:
        doubts, fault = judged(opened, careful())
    assert fault is None
    assert {"index_dip", "index_tip"} <= {doubt.joint for doubt in doubts}
    assert all(doubt.believed for doubt in doubts)


def test_what_is_not_believed_is_absent_and_nothing_is_nearer_than_it():
    one = FrameLabels(3, np.arange(8.0).reshape(4, 2), np.array([2, 1, 2, 2], np.int8), ((0, 1), (2, 3)))
    skeleton = replace(HAND21, joints=tuple("abcd"), parents=(-1, 0, 1, 2))
    doubts = [LabelDoubt(3, "b", "why"), LabelDoubt(3, "c", "why", believed=True)]
    (found,) = believed([one], doubts, skeleton)
    np.testing.assert_array_equal(found.flag, [2, 0, 2, 2])
    np.testing.assert_array_equal(np.isnan(found.uv_px[:, 0]), [False, True, False, False])
    assert found.nearer == ((2, 3),)
    np.testing.assert_array_equal(one.flag, [2, 1, 2, 2])  # what was put in stays
    (nobody,) = believed([one], [LabelDoubt(3, None, "why")], skeleton)
    assert not nobody.flag.any()
    assert believed([one], [LabelDoubt(4, None, "why")], skeleton) == [one]
    assert not without(one, {0, 1, 2, 3}).nearer


def test_who_stands_still_while_the_hand_moves():
    def at(frame, *u):
        return FrameLabels(frame, np.array([(x, 1.0) for x in u]), np.full(len(u), 2, np.int8))

    labels = [at(0, 1, 2, 3), at(1, 9, 9, 3), at(2, 9, 9.5, 3), at(3, 1, 1, 1)]
    # Joint c stays while a and b move by 8 and 7 px; then again, while nearly nothing moves, and has since. Joint a
    # stays in frame 2, too, but with b, which moved by half a pixel.
    np.testing.assert_array_equal(
        stand_still(labels), [[False] * 3, [False, False, True], [False, False, True], [False] * 3]
    )
    assert stand_still([]).shape == (0, 0)


def test_joints_of_no_hand_are_compared_with_readings():
    write_unlabelled("flat.zarr", skeleton=replace(HAND21, name="mine", joints=tuple("abcdefg"), parents=range(-1, 6)))
    uv_px = np.column_stack([np.linspace(3, 28, 7), np.full(7, 9.0)])
    with Session.create("session", "flat.zarr") as opened:
        labels = [FrameLabels(frame, uv_px, np.full(7, 2, np.int8)) for frame in range(3)]
        assert judged(opened, labels) == ([], None)
