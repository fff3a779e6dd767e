"""A solved session as a dataset."""

import numpy as np
import pytest
from labelled_sequence import three_joints, write_sequence
from shipped_session import FRAMES, labelled_session

from refiner.annotate.export import export_session
from refiner.annotate.results import StageResult
from refiner.annotate.session import Session
from refiner.cli.main import main
from refiner.datasets.store import DepthStore
from refiner.errors import OutputExistsError, SolveError
from refiner.hand.model import load_hand, pose_joints


@pytest.fixture(scope="module")
def solved(tmp_path_factory):
    """A session whose solution is the truth, but for one frame that is not solved."""
    path = labelled_session(tmp_path_factory.mktemp("solved"), break_at=12)
    with Session(path) as session:
        joints_mm = session.store.read("joints_mm")
        joints_mm[7] = np.nan
        session.put_result(StageResult("optimize", joints_mm, {}, {"revision": session.revision, "options": {}}))
    return path


def test_what_was_solved_is_what_is_read(solved, tmp_path):
    with Session(solved) as session:
        assert export_session(session, tmp_path / "out.zarr") == FRAMES - 1
        kept = np.delete(np.arange(FRAMES), 7)
        out = DepthStore(tmp_path / "out.zarr")
        for name in ("depth", "camera", "centre_mm", "cube_mm", "joints_mm", "sequence", "frame"):
            np.testing.assert_array_equal(out.read(name), session.store.read(name)[kept])
        assert (
            out.read("visible") == session.store.read("visible")[kept]
        ).mean() > 0.93  # the stored ones are of maps without noise
        assert out.skeleton == session.skeleton
        assert out.depth_unit_mm == session.store.depth_unit_mm
        assert list(out.provenance["parents"].values()) == [session.store.digest()]
        assert out.provenance["configuration"]["stage"] == "optimize"


def test_the_hand_behind_the_joints_is_that_of_the_model(solved, tmp_path):
    with Session(solved) as session:
        export_session(session, tmp_path / "out.zarr")
    out = DepthStore(tmp_path / "out.zarr")
    joints = pose_joints(load_hand(), out.read("pose"), out.read("shape"), out.read("side"))
    joints = joints + out.read("joints_mm")[:, :1] - joints[:, :1]
    off_mm = np.linalg.norm(joints - out.read("joints_mm"), axis=-1)
    assert np.median(off_mm) < 3
    assert len(np.unique(out.read("shape"), axis=0)) == 1  # one person's hand


def test_rendered_again_the_hand_stands_where_it_was(solved, tmp_path):
    with Session(solved) as session:
        export_session(session, tmp_path / "out.zarr")
    words = ["render", "again.zarr", "--poses", "out.zarr", "--like", "out.zarr", "--workers", "1"]
    assert main(words) == 0
    first, again = (DepthStore(tmp_path / name).read("depth") > 0 for name in ("out.zarr", "again.zarr"))
    shared = (first & again).sum(axis=(1, 2)) / (first | again).sum(axis=(1, 2))
    assert np.median(shared) > 0.75  # but for the forearm, of which joints say nothing


def test_doubtful_frames_are_left_out(solved, tmp_path):
    doubt = np.zeros((FRAMES, 21))
    doubt[3, 4], doubt[5, 0] = 2.0, 1.0
    with Session(solved) as session:
        assert export_session(session, tmp_path / "out.zarr", doubt, 1.5) == FRAMES - 2
        assert 3 not in DepthStore(tmp_path / "out.zarr").read("frame")[:8]
        with pytest.raises(SolveError, match=r"in doubt by 0.5 at most.*annotate next"):
            export_session(session, tmp_path / "none.zarr", doubt + 1, 0.5)
    assert not (tmp_path / "none.zarr").exists()


def test_another_skeleton_has_no_pose_and_frames_are_numbered(tmp_path):
    write_sequence(tmp_path / "a.zarr", count=4, source=np.array([f"a.mkv:{n}" for n in range(4)], object))
    with Session.create(tmp_path / "s", tmp_path / "a.zarr", [np.nan, 50, 30]) as session:
        session.put_result(StageResult("lift", three_joints(4), {}, {"revision": session.revision}))
        assert export_session(session, tmp_path / "out.zarr") == 4
    out = DepthStore(tmp_path / "out.zarr")
    assert "pose" not in out
    assert out.read("frame").tolist() == [0, 1, 2, 3]
    assert out.read("sequence").tolist() == [0, 0, 0, 0]
    assert out.read("source").tolist() == [f"a.mkv:{n}" for n in range(4)]


def test_what_is_refused(solved, tmp_path):
    (tmp_path / "mine.zarr").mkdir()
    with Session(solved) as session:
        with pytest.raises(OutputExistsError):
            export_session(session, tmp_path / "mine.zarr")
        export_session(session, tmp_path / "mine.zarr", overwrite=True)
    write_sequence(tmp_path / "a.zarr")
    with Session.create(tmp_path / "s", tmp_path / "a.zarr", [np.nan, 50, 30]) as session:
        with pytest.raises(SolveError, match="is not solved, wanted at least one stage"):
            export_session(session, tmp_path / "out.zarr")
        session.put_result(StageResult("lift", np.zeros((6, 3, 3), np.float32), {}, {"revision": -1}))
        with pytest.raises(SolveError, match="stage lift of .* is out of date.*annotate solve"):
            export_session(session, tmp_path / "out.zarr")
