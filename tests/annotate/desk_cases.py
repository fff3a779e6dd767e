"""A small session for tests of the desk: three stripes at three depths, and results that are put there by hand."""

from pathlib import Path

import numpy as np
from labelled_sequence import CAMERA, SIZE, THREE

from refiner.annotate import quality
from refiner.annotate.sessions.labels import FrameLabels
from refiner.annotate.sessions.results import StageResult
from refiner.annotate.sessions.session import Session
from refiner.datasets.store_writer import StoreWriter

FRAMES = 6
BONES = (np.nan, 50.0, 30.0)
LEFT, MIDDLE, RIGHT = 5.0, 15.0, 25.0
"""Columns of the stripes, which lie at 700, 760 and 820 mm."""


def stripes():
    depth = np.full((SIZE, SIZE), 700, np.uint16)
    depth[:, 11:22], depth[:, 22:] = 760, 820
    return depth


def write_maps(path, depth=None, count=FRAMES, skeleton=THREE, starts=(0,)):
    """Write frames of one map, without joints; `starts` are those where a sequence begins."""
    sequence = np.cumsum(np.isin(np.arange(count), starts)).astype(np.int32)
    writer = StoreWriter(
        path, count=count, size=SIZE, depth_unit_mm=1.0, provenance={}, skeleton=skeleton, arrays={"sequence": ()}
    )
    rows = {
        "depth": np.tile(stripes() if depth is None else depth, (count, 1, 1)),
        "camera": np.tile(np.float32(CAMERA), (count, 1)),
        "centre_mm": np.tile(np.float32([0, 0, 700]), (count, 1)),
        "cube_mm": np.full(count, 260, np.float32),
        "sequence": sequence,
    }
    writer.write(0, rows)
    writer.finish()
    return Path(path)


def make_session(folder, bones_mm=BONES, **maps):
    return Session.create(Path(folder) / "s", write_maps(Path(folder) / "a.zarr", **maps), bones_mm)


def clicks(frame, at, nearer=(), joints=3):
    """Labels by joint: (u, v) where it is seen, (u, v, flag) otherwise."""
    uv_px, flag = np.full((joints, 2), np.nan), np.zeros(joints, np.int8)
    for joint, (u, v, *said) in at.items():
        uv_px[joint], flag[joint] = (u, v), said[0] if said else 2
    return FrameLabels(frame, uv_px, flag, tuple(nearer))


def as_dict(labels):
    """What `clicks` makes labels of, without the order."""
    return {
        int(k): (*labels.uv_px[k].tolist(), int(labels.flag[k])) for k in np.flatnonzero(labels.flag)
    }  # fmt: skip


def solved_mm(count=FRAMES, z_mm=700.0):
    return np.tile(np.float32([[0, 0, z_mm], [30, 40, z_mm], [30, 16, z_mm + 18]]), (count, 1, 1))


def put_result(session, stage="optimize", joints_mm=None, cost=None, **evidence):
    """Keep a result in which all is as usual but what is said."""
    frames, joints = session.frames, len(session.skeleton)
    numbers = {}
    if stage == "optimize":
        numbers = {name: np.zeros((frames, joints)) for name in quality.LIMITS} | evidence
        numbers["cost"] = np.ones(frames) if cost is None else np.array(cost, float)
    if stage == "propagate":
        numbers["neighbour"] = np.array(evidence.get("neighbour", np.zeros(frames)), np.int64)
    joints_mm = solved_mm(frames) if joints_mm is None else joints_mm
    session.put_result(StageResult(stage, joints_mm, numbers, {"revision": session.revision}))


def in_doubt(**by_frame):
    """Evidence by which the tip of frames is in doubt: f3=2.0 for frame 3. No kind has two, for that would be usual."""
    found = {}
    for kind, (name, doubt) in zip(quality.LIMITS, by_frame.items(), strict=False):
        found[kind] = np.zeros((FRAMES, 3))
        found[kind][int(name[1:]), 2] = doubt * quality.LIMITS[kind]
    return found
