"""One frame in 3D while it is being labelled."""

import numpy as np
import pytest
from desk_cases import clicks, make_session
from shipped_session import labelled_session

from refiner.annotate.desk.live import LiveLift
from refiner.annotate.desk.maps import FrameMaps
from refiner.annotate.sessions.session import Session
from refiner.errors import LabelError
from refiner.geometry.camera import project

WALL = np.full((32, 32), 700, np.uint16)


def live(session):
    return LiveLift(session, FrameMaps(session.store))


@pytest.fixture(scope="module")
def shipped(tmp_path_factory):
    with Session(labelled_session(tmp_path_factory.mktemp("shipped"), frames=4, references=(1,))) as session:
        yield session


def test_careful_clicks_find_the_hand(shipped):
    labels = shipped.labels(1)
    found = live(shipped).lift(labels)
    truth_mm = shipped.store.read("joints_mm", 1, 2)[0]
    assert np.linalg.norm(found.joints_mm - truth_mm, axis=1).mean() < 10
    bones_mm = shipped.skeleton.bone_lengths(found.joints_mm)
    np.testing.assert_allclose(bones_mm[1:], shipped.bones_mm[1:], atol=1e-6)
    np.testing.assert_allclose(found.uv_px, project(found.joints_mm, shipped.cameras[1]))
    assert (found.conflicts, found.astray) == ([], [])
    assert not any(bone.impossible for bone in found.bones)
    assert [bone.joint for bone in found.bones] == [child for _, child in shipped.skeleton.bones]
    assert shipped.revision == 2  # of the fixture: nothing was changed


def test_a_click_elsewhere_pulls(shipped):
    labels = shipped.labels(1)
    tip = shipped.skeleton.joints.index("index_tip")
    labels.uv_px[tip] = np.where(labels.uv_px[tip] > shipped.store.size / 2, 3.0, shipped.store.size - 4.0)
    found = live(shipped).lift(labels)
    assert "index_tip" in {one["joint"] for one in found.conflicts}
    assert tip in {bone.joint for bone in found.bones if bone.impossible}


def test_without_known_lengths_those_of_the_mean_hand_are_taken(tmp_path):
    from labelled_sequence import write_unlabelled

    with Session.create(tmp_path / "s", write_unlabelled(tmp_path / "a.zarr")) as session:
        lift = live(session)
        view = lift.look_at(clicks(0, {}, joints=21))
        usual_mm = lift.lengths_mm(view)
        assert np.isfinite(usual_mm[1:]).all()
        session.set_bones(usual_mm * 1.1)
        np.testing.assert_allclose(lift.lengths_mm(view)[1:], 1.1 * usual_mm[1:])


def test_no_length_is_known_before_bones_are_given_or_measured(tmp_path):
    """That of the mean hand tells what is impossible; it is not said to be this hand's."""
    from labelled_sequence import write_unlabelled

    two = clicks(0, {0: (10, 15), 9: (20, 15)}, joints=21)  # wrist and middle_mcp, 70 mm apart
    with Session.create(tmp_path / "s", write_unlabelled(tmp_path / "a.zarr")) as session:
        lift = live(session)
        (bone,) = lift.lift(two).bones
        assert np.isnan(bone.known_mm)
        assert (bone.found_mm, bone.impossible) == (pytest.approx(70, abs=3), False)
        assert [one.impossible for one in lift.lift(clicks(0, {0: (1, 1), 9: (30, 30)}, joints=21)).bones] == [True]
        bones_mm = np.full(21, 40.0)
        session.set_bones(bones_mm)
        assert lift.lift(two).bones[0].known_mm == 40


def test_bones_beside_their_known_lengths(tmp_path):
    """A wall at 700 mm, 7 mm a pixel: whole pixels are worked out by hand."""
    with make_session(tmp_path, depth=WALL) as session:
        lift = live(session)
        found = lift.lift(clicks(0, {0: (15.5, 15.5), 1: (22.5, 15.5)}))
        assert (found.joints_mm, found.uv_px, found.conflicts) == (None, None, [])  # two clicks are too few
        (bone,) = found.bones
        assert (bone.joint, bone.found_mm, bone.exact, bone.known_mm, bone.impossible) == (
            1, pytest.approx(49), True, 50, False,
        )  # fmt: skip
        # Hidden at the middle: the shortest way from there to the ray of the other, 700 mm away.
        (bone,) = lift.lift(clicks(0, {0: (15.5, 15.5, 1), 1: (22.5, 15.5)})).bones
        assert (bone.found_mm, bone.exact) == (pytest.approx(49 / np.hypot(1, 0.07)), False)
        across = lift.lift(clicks(0, {1: (0, 0), 2: (31, 31)})).bones
        assert [(one.joint, one.impossible) for one in across] == [(2, True)]
        assert lift.lift(clicks(0, {0: (1, 1), 2: (3, 3)})).bones == []  # no bone joins these


def test_three_clicks_are_lifted_in_a_map_of_any_kind(tmp_path):
    three = {0: (15.5, 15.5), 1: (20.5, 20.5), 2: (20, 17)}
    with make_session(tmp_path / "wall", depth=WALL) as session:
        found = live(session).lift(clicks(0, three, [(0, 2)]))
        np.testing.assert_allclose(session.skeleton.bone_lengths(found.joints_mm)[1:], [50, 30], atol=1e-6)
        assert found.astray == []
    with make_session(tmp_path / "empty", depth=np.zeros((32, 32), np.uint16)) as session:
        found = live(session).lift(clicks(0, three))
        assert np.isfinite(found.joints_mm).all()
        assert found.astray == [0, 1, 2]
        assert found.bones == []  # nothing tells a length


def test_labels_that_make_no_sense_are_refused_and_orders_of_absent_joints_left_out(tmp_path):
    three = {0: (15.5, 15.5), 1: (20.5, 20.5), 2: (20, 17)}
    with make_session(tmp_path, depth=WALL) as session:
        lift = live(session)
        for nearer in ([(0, 99)], [(-1, 0)], [(1, 1)], [(0, 1), (1, 0)]):
            with pytest.raises(LabelError):
                lift.lift(clicks(0, three, nearer))
        with pytest.raises(LabelError, match="inside the crop"):
            lift.lift(clicks(0, {**three, 1: (np.inf, 3)}))
        with pytest.raises(LabelError, match="labels of frame 6, wanted 0 to 5"):
            lift.lift(clicks(6, three))
        assert lift.lift(clicks(0, {0: (1, 1), 1: (2, 2)}, [(0, 2)])).conflicts == []
