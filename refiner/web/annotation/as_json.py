"""A session as the canvas reads it: plain JSON of what a page needs, of frames, and of a frame in 3D."""

import base64
from typing import Any

import numpy as np

from refiner import viz
from refiner.annotate.desk.desk import Desk
from refiner.annotate.sessions.labels import ABSENT, FrameLabels
from refiner.annotate.sessions.results import STAGES
from refiner.geometry.camera import project


def setup_of(desk: Desk) -> dict[str, Any]:
    """Return what a page needs of a session before it shows a frame."""
    session, skeleton = desk.session, desk.session.skeleton
    store = session.store
    left = "side" in store and bool((store.read("side") == 1).mean() > 0.5)
    chosen = [frame for frame in session.chosen() if session.labels(frame) is None]
    return {
        "session": session.path.resolve().name,
        "digest": digest_of(desk),
        "frames": session.frames,
        "size": store.size,
        "unit_mm": store.depth_unit_mm,
        "joints": skeleton.joints,
        "parents": skeleton.parents,
        "colours_of_joints": viz.joint_colours(skeleton),
        "left": left,
        "saved": session.revision,
        "start": chosen[0] if chosen else 0,
        "tables": {name: base64.b64encode(table.tobytes()).decode() for name, table in viz.colour_tables().items()},
    }


def frame_as_json(desk: Desk, frame: int) -> dict[str, Any]:
    """Return all that the page shows of a frame."""
    session, solved = desk.session, desk.solved
    shown, beside, check = session.edits.shown(frame), desk.neighbours(frame), desk.checks().get(frame)
    camera, store = session.cameras[frame], session.store
    joints_mm, pose = solved.joints_mm[frame].astype(np.float64), None
    if np.isfinite(joints_mm).all():
        stage = int(solved.stage[frame])
        pose = {
            "joints_mm": joints_mm.round(2).tolist(),
            "uv": project(joints_mm, camera).round(3).tolist(),
            "stage": stage,
            "name": solved.name,
            "stale": session.stale(STAGES[stage]) is not None,
        }
    doubt = next((one for one in desk.doubts() if one.frame == frame), None)
    return {
        "frame": frame,
        "source": desk.sources[frame],
        "edit": shown.edit,
        "who": shown.who,
        "when": shown.when,
        "labels": None if shown.labels is None else labels_as_json(shown.labels),
        "camera": camera.tolist(),
        "centre_mm": store.read("centre_mm", frame, frame + 1)[0].tolist(),
        "cube_mm": float(store.read("cube_mm", frame, frame + 1)[0]),
        "solved": pose,
        "chosen": frame in session.chosen(),
        "checked": None if check is None else {"who": check.who, "when": check.when},
        "doubt": None if doubt is None else {"joint": doubt.joint, "why": doubt.why},
        "not_believed": [
            {"joint": one.joint, "why": one.why}
            for one in desk.label_doubts()
            if one.frame == frame and not one.believed
        ],
        "conflicts": [{"joint": joint, "why": why} for _, joint, why in desk.conflicts(frame)],
        "beside": vars(beside),
    }


def lift_as_json(desk: Desk, labels: FrameLabels) -> dict[str, Any]:
    """Return a frame in 3D, its bones and what pulls."""
    lifted, names = desk.live.lift(labels), desk.session.skeleton.joints
    pulls = [
        f"{one['joint']}: click missed by {one['off_px']:.1f} px" if "off_px" in one
        else f"{one['joint']} cannot be {one['what']}: {one['by_mm']:.0f} mm lack"
        for one in lifted.conflicts
    ]  # fmt: skip
    pulls += [f"{names[joint]}: visible, but no reading near" for joint in lifted.astray]
    missed = {names.index(one["joint"]) for one in lifted.conflicts if "off_px" in one}
    bones = [{**vars(one), "known_mm": one.known_mm if np.isfinite(one.known_mm) else None} for one in lifted.bones]
    return {
        "joints_mm": None if lifted.joints_mm is None else lifted.joints_mm.round(2).tolist(),
        "uv": None if lifted.uv_px is None else lifted.uv_px.round(3).tolist(),
        "bones": bones,
        "pulls": pulls,
        "missed": sorted(missed),
        "astray": lifted.astray,
    }


def labels_as_json(labels: FrameLabels) -> dict[str, Any]:
    """Return labels as the canvas has them."""
    pixels = zip(labels.uv_px.tolist(), labels.flag.tolist(), strict=True)
    uv = [None if flag == ABSENT else pixel for pixel, flag in pixels]
    return {"uv": uv, "flag": labels.flag.tolist(), "nearer": [list(pair) for pair in labels.nearer]}


def digest_of(desk: Desk) -> str:
    """Return what tells the maps of this session from those of others."""
    return desk.session.digest[:16]
