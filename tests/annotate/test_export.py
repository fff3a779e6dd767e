"""A solved session as a dataset."""

import shlex
from pathlib import Path

import numpy as np
import pytest
from labelled_sequence import three_joints, write_sequence
from shipped_session import FRAMES, labelled_session

from refiner.annotate import export
from refiner.annotate.export import export_session
from refiner.annotate.sessions.labels import FrameLabels
from refiner.annotate.sessions.order import starts_of
from refiner.annotate.sessions.results import StageResult
from refiner.annotate.sessions.session import Session
from refiner.cli.main import main
from refiner.datasets.store import DepthStore, store_digest
from refiner.datasets.store_writer import StoreWriter
from refiner.errors import IncompleteStoreError, OutputExistsError, SolveError
from refiner.hand.model import load_hand, pose_joints

RENDERS = Path(__file__).parents[2] / "data" / "renders.zarr"


@pytest.fixture(scope="module")
def solved(tmp_path_factory):
    """A session whose solution is the truth, but for one frame that is not solved."""
    path = labelled_session(tmp_path_factory.mktemp("solved"), break_at=12)
    with Session(path) as session:
        joints_mm = session.store.read("joints_mm")
        joints_mm[7] = np.nan
        session.put_result(StageResult("optimize", joints_mm, {}, {"revision": session.revision, "options": {}}))
    return path


def solved_three(folder, joints_mm=None, count=6, **arrays):
    """Make a session of `THREE` in a folder, lifted to joints, and leave it open."""
    write_sequence(folder / "a.zarr", count=count, **arrays)
    session = Session.create(folder / "s", folder / "a.zarr", [np.nan, 50, 30])
    joints_mm = three_joints(count) if joints_mm is None else joints_mm
    session.put_result(StageResult("lift", joints_mm, {}, {"revision": session.revision}))
    return session


def hand_pixels(store):
    """Say where maps show the hand: (N, H, W), no more than 10 mm behind the wrist, as seen from the knuckles."""
    depth_mm = store.read("depth") * store.depth_unit_mm
    fx, fy, cx, cy = (values[:, None, None] for values in store.read("camera").T)
    rows, columns = np.indices(depth_mm.shape[1:])
    points_mm = np.stack([(columns - cx) / fx * depth_mm, (rows - cy) / fy * depth_mm, depth_mm], axis=-1)
    wrist_mm = store.read("joints_mm")[:, 0]
    palm = store.read("joints_mm")[:, [5, 9, 13, 17]].mean(axis=1) - wrist_mm
    palm /= np.linalg.norm(palm, axis=1, keepdims=True)
    return (depth_mm > 0) & (np.einsum("nhwk,nk->nhw", points_mm - wrist_mm[:, None, None], palm) > -10)


def overlap(first, second):
    """Intersection over union of silhouettes, (N,)."""
    return (first & second).sum(axis=(1, 2)) / (first | second).sum(axis=(1, 2))


def test_what_was_solved_is_what_is_read(solved, tmp_path):
    with Session(solved) as session:
        assert export_session(session, tmp_path / "out.zarr") == FRAMES - 1
        kept = np.delete(np.arange(FRAMES), 7)
        out = DepthStore(tmp_path / "out.zarr")
        for name in ("depth", "camera", "centre_mm", "cube_mm", "joints_mm", "sequence", "frame"):
            np.testing.assert_array_equal(out.read(name), session.store.read(name)[kept])
        same = out.read("visible") == session.store.read("visible")[kept]
        assert same.mean() > 0.93  # the stored ones are of the maps before the sensor
        assert out.skeleton == session.skeleton
        assert out.depth_unit_mm == session.store.depth_unit_mm
        assert list(out.provenance["parents"].values()) == [session.store.digest()]
        assert out.provenance["configuration"]["stage"] == "optimize"


def test_labels_put_in_while_it_is_exported_are_not_said_to_be_in_it(tmp_path, monkeypatch):
    joints_mm = three_joints(6)
    with solved_three(tmp_path, joints_mm) as session:
        solved_at = session.revision

        def label(*words):
            session.put_labels([FrameLabels(0, np.ones((3, 2)), np.full(3, 2, np.int8))], "anna")
            return {}

        monkeypatch.setattr(export, "_hands", label)
        export_session(session, tmp_path / "out.zarr")
        assert session.labelled_frames() == [0]
    configuration = DepthStore(tmp_path / "out.zarr").provenance["configuration"]
    assert (configuration["labelled_frames"], configuration["revision"]) == ([], solved_at)


def test_joints_are_visible_by_the_rule_of_renders(tmp_path):
    clean = DepthStore(RENDERS)
    names = ("depth", "camera", "centre_mm", "cube_mm", "joints_mm")
    writer = StoreWriter(
        tmp_path / "a.zarr", count=24, size=clean.size, depth_unit_mm=clean.depth_unit_mm, provenance={},
        arrays={"joints_mm": (21, 3)}, skeleton=clean.skeleton,
    )  # fmt: skip
    writer.write(0, {name: clean.read(name, 0, 24) for name in names})
    writer.finish()
    with Session.create(tmp_path / "s", tmp_path / "a.zarr") as session:
        session.put_result(StageResult("lift", clean.read("joints_mm", 0, 24), {}, {"revision": session.revision}))
        export_session(session, tmp_path / "out.zarr")
    visible = DepthStore(tmp_path / "out.zarr").read("visible")
    assert 0.1 < visible.mean() < 0.9
    np.testing.assert_array_equal(visible, clean.read("visible", 0, 24))


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
    first, again = DepthStore(tmp_path / "out.zarr"), DepthStore(tmp_path / "again.zarr")
    # The forearm is wherever the model has it: joints say nothing of it.
    assert np.median(overlap(first.read("depth") > 0, again.read("depth") > 0)) > 0.8
    assert overlap(hand_pixels(first), hand_pixels(again)).min() > 0.85


def test_doubtful_frames_are_left_out(solved, tmp_path):
    doubt = np.zeros((FRAMES, 21))
    doubt[3, 4], doubt[5, 0] = 2.0, 1.0
    with Session(solved) as session:
        assert export_session(session, tmp_path / "out.zarr", doubt, 1.5) == FRAMES - 2
        assert 3 not in DepthStore(tmp_path / "out.zarr").read("frame")[:8]
        export_session(session, tmp_path / "frames.zarr", max_doubt=1.5, doubt=doubt.max(axis=1))
        assert len(DepthStore(tmp_path / "frames.zarr")) == FRAMES - 2
        with pytest.raises(SolveError, match=r"in doubt by 0.5 at most.*annotate next"):
            export_session(session, tmp_path / "none.zarr", doubt + 1, 0.5)
        with pytest.raises(ValueError, match="without `doubt`"):
            export_session(session, tmp_path / "none.zarr", max_doubt=0.5)
    assert not (tmp_path / "none.zarr").exists()


def test_a_session_where_no_frame_is_whole_is_refused(tmp_path):
    joints_mm = three_joints(6)
    joints_mm[:, 2] = np.nan
    with (
        solved_three(tmp_path, joints_mm) as session,
        pytest.raises(SolveError, match="lift of .* knows all joints of no frame.*annotate solve"),
    ):
        export_session(session, tmp_path / "out.zarr")


def test_what_an_export_is_made_from_is_never_overwritten(tmp_path):
    (tmp_path / "link.zarr").symlink_to("a.zarr")
    with solved_three(tmp_path) as session:
        was = store_digest(tmp_path / "a.zarr")
        for name in ("a.zarr", "link.zarr", "a.zarr/b.zarr", "s", "s/session.sqlite", "."):
            with pytest.raises(OutputExistsError, match="would lie where the session"):
                export_session(session, tmp_path / name, overwrite=True)
    assert store_digest(tmp_path / "a.zarr") == was
    with Session(tmp_path / "s") as session:
        assert session.result("lift") is not None


def test_an_interrupted_export_names_the_command_that_continues_it(tmp_path, monkeypatch):
    doubt = np.array([0, 2.0, 0, 0, 0, 0])
    with solved_three(tmp_path) as session:
        with monkeypatch.context() as patch:
            patch.setattr(StoreWriter, "finish", interrupt)
            with pytest.raises(KeyboardInterrupt):
                export_session(session, tmp_path / "my out.zarr", doubt, 1.5)
        with pytest.raises(IncompleteStoreError) as told:
            DepthStore(tmp_path / "my out.zarr")
        words = shlex.split(str(told.value).partition("Continue it with: ")[2])
        paths = [str(tmp_path / "s"), str(tmp_path / "my out.zarr")]
        assert words == ["refiner", "annotate", "export", *paths, "--max-doubt", "1.5"]
        assert export_session(session, tmp_path / "my out.zarr", doubt, float(words[-1])) == 5
    assert DepthStore(tmp_path / "my out.zarr").read("frame").tolist() == [0, 2, 3, 4, 5]


def interrupt(_writer):
    raise KeyboardInterrupt


def test_frames_far_apart_are_read_a_chunk_at_a_time(tmp_path, monkeypatch):
    kept = [2, 3, 4, 11, 19]
    plain = DepthStore(write_sequence(tmp_path / "plain.zarr", count=20, subject=np.arange(20)))
    writer = StoreWriter(
        tmp_path / "a.zarr", count=20, size=plain.size, depth_unit_mm=1, provenance={}, skeleton=plain.skeleton,
        arrays={"joints_mm": (3, 3), "subject": ()}, chunk_items=4,
    )  # fmt: skip
    for start, stop in writer.missing():
        writer.write(start, {name: plain.read(name, start, stop) for name in plain.names})
    writer.finish()
    joints_mm = three_joints(20) + np.arange(20, dtype=np.float32)[:, None, None]
    read, lengths = DepthStore.read, []

    def watched(store, name, start=0, stop=None):
        rows = read(store, name, start, stop)
        lengths.append(len(rows) if name == "depth" else 0)
        return rows

    with Session.create(tmp_path / "s", tmp_path / "a.zarr", [np.nan, 50, 30]) as session:
        session.put_result(StageResult("lift", joints_mm, {}, {"revision": session.revision}))
        monkeypatch.setattr(DepthStore, "read", watched)
        export_session(session, tmp_path / "out.zarr", 1 - np.isin(np.arange(20), kept).astype(float), 0.5)
    assert 0 < max(lengths) <= 4
    out = DepthStore(tmp_path / "out.zarr")
    assert out.read("subject").tolist() == out.read("frame").tolist() == kept
    np.testing.assert_array_equal(out.read("joints_mm"), joints_mm[kept])


def test_another_skeleton_has_no_pose_and_frames_are_numbered(tmp_path):
    source = np.array([f"a.mkv:{n}" for n in range(4)], object)
    with solved_three(tmp_path, count=4, source=source, side=[1, 0, 1, 1]) as session:
        assert export_session(session, tmp_path / "out.zarr") == 4
    out = DepthStore(tmp_path / "out.zarr")
    assert "pose" not in out
    assert "shape" not in out
    assert out.read("side").tolist() == [1, 0, 1, 1]
    assert out.read("frame").tolist() == [0, 1, 2, 3]
    assert out.read("sequence").tolist() == [0, 0, 0, 0]
    assert out.read("source").tolist() == [f"a.mkv:{n}" for n in range(4)]


@pytest.mark.parametrize(
    ("arrays", "sequence", "frame"),
    [
        ({"sequence": [7, 7, 7, 3, 3, 7]}, [7, 7, 3, 3, 7], [0, 2, 3, 4, 5]),
        ({"frame": [10, 11, 12, 40, 41, 90]}, [0, 0, 1, 1, 2], [10, 12, 40, 41, 90]),
        ({"sequence": [4, 4, 4, 5, 5, 5], "frame": [8, 9, 10, 0, 1, 2]}, [4, 4, 5, 5, 5], [8, 10, 0, 1, 2]),
    ],
)
def test_a_part_of_a_sequence_knows_its_breaks(tmp_path, arrays, sequence, frame):
    joints_mm = three_joints(6)
    joints_mm[1] = np.nan
    with solved_three(tmp_path, joints_mm, **arrays) as session:
        export_session(session, tmp_path / "out.zarr")
        wanted = np.delete(session.starts, 1)
        wanted[1] = True  # the frame before it is left out
    out = DepthStore(tmp_path / "out.zarr")
    assert (out.read("sequence").tolist(), out.read("frame").tolist()) == (sequence, frame)
    np.testing.assert_array_equal(starts_of(out), wanted)


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
