"""The benchmark's sequences are whole, labelled as rendered, followed as by a tracker, and the same each time."""

from pathlib import Path

import numpy as np
import pytest

from experiments.annotation_sequence import CUBE_MM, MOTION, main, report, write
from experiments.hand_motion import Take
from refiner.datasets.inspection import inspect_store
from refiner.datasets.store import DepthStore
from refiner.errors import OutputExistsError
from refiner.hand.model import load_hand, pose_joints
from refiner.render.scene import PALM_WEIGHTS

NO_MOTION = ["--motion", "nowhere"]


def check_whole(store, count):
    inspected = inspect_store(store)
    assert inspected["problems"] == []
    assert inspected["labelled_items"] == len(store) == count
    rows = {name: store.read(name) for name in store.names if name != "depth"}
    model = load_hand()
    assert (rows["shape"] == rows["shape"][0]).all()
    wrist = rows["joints_mm"][:, :1]
    posed = pose_joints(model, rows["pose"], rows["shape"], rows["side"]) + wrist
    np.testing.assert_allclose(posed, rows["joints_mm"], atol=0.05)
    starts = np.flatnonzero(np.diff(rows["sequence"], prepend=-1))
    np.testing.assert_array_equal(rows["frame"][starts], 0)
    np.testing.assert_array_equal(np.delete(np.diff(rows["frame"]), starts[1:] - 1), 1)
    palm = np.einsum("k,nki->ni", PALM_WEIGHTS, rows["joints_mm"])
    assert np.linalg.norm(palm - rows["centre_mm"], axis=1).max() < 75
    assert (rows["cube_mm"] == CUBE_MM).all()
    inside = np.abs(rows["joints_mm"] - rows["centre_mm"][:, None]).max(axis=2) < CUBE_MM / 2
    assert inside.mean() > 0.99
    return rows


def test_without_tracked_motion_all_is_drawn(capsys):
    main(["a.zarr", "--frames", "70", *NO_MOTION])
    lines = capsys.readouterr()
    assert "No tracked motion in nowhere" in lines.err
    name, value = lines.out.splitlines()[-1].split(": ")
    assert name == "closest reference"
    assert 1.0 < float(value.split(" mm")[0]) < 60.0
    store = DepthStore("a.zarr")
    rows = check_whole(store, 70)
    assert all("drawn take" in source for source in store.read("source"))
    assert store.depth_unit_mm == 1.0
    assert 0.5 < rows["visible"].mean() < 1.0
    steps = np.linalg.norm(np.diff(rows["joints_mm"], axis=0), axis=2)[np.diff(rows["sequence"]) == 0]
    assert 1.0 < steps.mean() < steps.max() < 15.5
    # The cube follows smoothly.
    assert np.linalg.norm(np.diff(rows["centre_mm"], 2, axis=0), axis=1).max() < 6.0

    with pytest.raises(OutputExistsError):
        main(["a.zarr", "--frames", "70", *NO_MOTION])
    main(["b.zarr", "--frames", "70", *NO_MOTION])
    again = DepthStore("b.zarr")
    for array in store.names:
        np.testing.assert_array_equal(store.read(array), again.read(array))


@pytest.mark.parametrize(("sensor", "unit_mm", "focal_px"), [("none", 0.1, 575.0), ("kinect2", 1.0, 363.9)])
def test_other_sensors(sensor, unit_mm, focal_px):
    main(["a.zarr", "--frames", "20", "--seed", "1", "--sensor", sensor, *NO_MOTION])
    store = DepthStore("a.zarr")
    check_whole(store, 20)
    assert store.depth_unit_mm == unit_mm
    configuration = store.provenance["configuration"]
    assert configuration["camera"][0] == focal_px
    assert (configuration["sensor"] is None) == (sensor == "none")
    assert store.provenance["seed"] == 1


@pytest.mark.skipif(not MOTION.exists(), reason="the tracked motion is not beside the project (../shared/data/motion)")
def test_with_tracked_motion():
    main(["a.zarr", "--frames", "120", "--sensor", "none"])
    store = DepthStore("a.zarr")
    rows = check_whole(store, 120)
    assert store.read("source")[0].endswith("of tracked take 0 frame 0")
    assert [take["frames"] for take in store.provenance["configuration"]["takes"]] == np.bincount(
        rows["sequence"]
    ).tolist()


def test_copying_errs_by_what_is_reported():
    """A hand that rests is its own reference; one that jumps to and fro is well known by two."""
    model = load_hand()
    shape = np.zeros(17)
    pose, place = np.zeros((20, 26)), np.tile([0.0, -60.0, 600.0], (20, 1))
    pose[:, 0] = np.pi  # palm to the camera, fingers up
    write(Path("still.zarr"), model, shape, [Take(pose, place, "drawn")], 0, "none", "")
    assert report(DepthStore("still.zarr")) == [
        "fingertips: 0.0 mm a frame in the median, 0.0 at most",
        "closest reference of 2 if poses were known: 0.00 mm",
        "closest reference: 0.00 mm (median 0.00)",
    ]
    pose[10:, 12::4] = np.deg2rad(60.0)
    takes = [Take(pose[:10], place[:10], "drawn"), Take(pose[10:], place[10:], "drawn")]
    write(Path("two.zarr"), model, shape, takes, 0, "none", "")
    lines = report(DepthStore("two.zarr"))
    assert lines[0].endswith("0.0 at most")  # the jump is between sequences
    assert lines[2] == "closest reference: 0.00 mm (median 0.00)"


@pytest.mark.parametrize("words", [["--frames", "5"], ["--seed", "-1"], ["--sensor", "eye"]])
def test_refuses_senseless_words(words, capsys):
    with pytest.raises(SystemExit) as stopped:
        main(["a.zarr", *words])
    assert stopped.value.code == 2
    assert words[0] in capsys.readouterr().err
