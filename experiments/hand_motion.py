"""Motion of one hand at 30 frames a second: a tracked hand's, carried over, and motion between drawn poses."""

import json
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d, maximum_filter1d
from scipy.spatial.transform import Rotation, Slerp

from refiner.hand.collision import overlap_mm
from refiner.hand.fit import fit_hands
from refiner.hand.limits import pose_limits, sample_hands
from refiner.hand.model import HandModel, pose_joints
from refiner.render.scene import PALM_WEIGHTS, view_rotation

Floats = NDArray[np.float64]

FASTEST_MM = 14.5
"""No joint moves farther from one frame to the next: 0.44 m/s. (Arcs exceed their chords: some per cent more.)"""
PLACE_MM, ROOM_MM = np.array([0.0, 0.0, 620.0]), np.array([70.0, 50.0, 90.0])
"""About here the palm moves in the camera frame, and so far from there."""
TRACKED_SHARE, TAKE_FRAMES = 0.4, (150, 400)
JUMP_MM, SHORTEST = 25.0, 60
"""Tracked motion is cut where a joint jumps so far; what is shorter is left out."""
QUICKER = 2.0
"""The tracked hand is shown so much faster where it is not too fast then: it was moved with care, for a tracker."""
KEYS = 12
"""Poses that a drawn take goes between."""
PEAK_MM, HOLD_FRAMES = (10.0, 14.5), (1, 7)
"""Greatest speed of a joint on the way from pose to pose, and how long a pose is held: from, to."""
LEG_FRAMES, REST_FRAMES = (10, 28), (2, 14)
"""How long the hand takes from one view or place to the next, and how long it rests there."""
VIEW_DEG, TILT_DEG, LARGEST = np.array([40.0, 32.0, 40.0]), 12.0, np.deg2rad(60.0)
"""Deviation of spin, tilt and roll; people hold the fingers, not the arm, towards the camera; no angle beyond this."""
FREEING_ROUNDS, FREEING_STEPS, CLEAR_MM = 6, 20, 0.5
"""Rounds of bending and smoothing that keep digits apart, bends in a round, and the gap aimed at."""


@dataclass(frozen=True, eq=False)
class Take:
    """Unbroken motion: poses (n, 26) of the hand model, wrists (n, 3) mm in the camera frame, where it comes from."""

    pose: Floats
    wrist_mm: Floats
    kind: str


def make_takes(model: HandModel, shape: Floats, frames: int, seed: int, motion: Path | None) -> list[Take]:
    """Make takes of so many frames in all, tracked and drawn ones in turn; without a folder of motion drawn ones."""
    rng = np.random.default_rng((0x6D6F7665, seed))
    pieces = [] if motion is None else tracked_takes(model, shape, motion)
    order = rng.permutation(len(pieces))
    takes: list[Take] = []
    count = {"tracked": 0, "drawn": 0}
    number = 0
    while (left := frames - sum(count.values())) > 0:
        if pieces and count["tracked"] <= TRACKED_SHARE * (frames - left):
            take = elsewhere(rng, model, shape, pieces[order[number % len(order)]])
            number += 1
        else:
            take = drawn_take(rng, model, shape)
        take = timed(model, shape, take, QUICKER if take.kind == "tracked" else 1.0)
        length = min(left, int(rng.integers(*TAKE_FRAMES)))
        first = int(rng.integers(max(1, len(take.pose) - length + 1)))
        part = slice(first, first + length)
        takes.append(Take(take.pose[part], take.wrist_mm[part], take.kind))
        count[take.kind] += len(takes[-1].pose)
    return takes


def tracked_joints(folder: Path) -> tuple[Floats, Floats]:
    """Read the tracked hand.

    Its bones are 0 arm, 1 palm, 2-4 thumb, 5-7 index finger and so on; x radial, z along the bone, y to the back. The
    places in the file are those of centres of mass, which no file tells: they are those that hold the joints together.

    Returns:
        Joints (N, 21, 3) in the order of hand21, mm, and the wrist's flexion and deviation (N, 2).
    """
    rows = np.loadtxt(folder / "animbank.pose").reshape(-1, 17, 7)
    tree = json.loads((folder / "model_hand.json").read_text())
    place, turn = rows[:, :, :3], Rotation.from_quat(rows[:, :, 3:].reshape(-1, 4)).as_matrix().reshape(-1, 17, 3, 3)
    some = slice(None, None, 5)
    system, gaps = [], []
    for joint in tree["joints"]:
        a, b = joint["rbi0"], joint["rbi1"]
        columns = np.zeros((len(rows[some]), 3, 17, 3))
        columns[:, :, a], columns[:, :, b] = turn[some, a], -turn[some, b]
        system.append(columns.reshape(-1, 51))
        gaps.append(place[some, a] + turn[some, a] @ joint["p0"] - place[some, b] - turn[some, b] @ joint["p1"])
    centre = np.linalg.lstsq(np.concatenate(system), np.concatenate([g.ravel() for g in gaps]), rcond=1e-6)[0]
    centre = centre.reshape(17, 3)
    joints = np.empty((len(rows), 21, 3))
    joints[:, 0] = place[:, 1] - turn[:, 1] @ centre[1]
    for digit in range(5):
        for k in range(3):
            bone = 2 + 3 * digit + k
            joints[:, 1 + 4 * digit + k] = place[:, bone] - turn[:, bone] @ centre[bone]
        hull = np.array(tree["controlcages"][bone]["verts"])
        tip = np.array([0.0, hull[hull[:, 2] > hull[:, 2].max() - 0.006][:, 1].mean(), hull[:, 2].max() - 0.003])
        joints[:, 4 + 4 * digit] = place[:, bone] + turn[:, bone] @ (tip - centre[bone])
    arm = np.einsum("nji,nj->ni", turn[:, 1], turn[:, 0, :, 2])
    return 1e3 * joints, np.stack([np.arctan2(arm[:, 1], arm[:, 2]), np.arcsin(np.clip(arm[:, 0], -1, 1))], axis=1)


def tracked_takes(model: HandModel, shape: Floats, folder: Path) -> list[Take]:
    """Carry the tracked motion over to a hand of this shape, cut where it jumps."""
    joints, wrist = tracked_joints(folder)
    fitted = fit_hands(model, joints, 0, "shared")
    low, high = pose_limits(model)
    jumps = np.linalg.norm(np.diff(joints, axis=0), axis=2).max(axis=1) > JUMP_MM
    edges = [0, *(np.flatnonzero(jumps) + 1).tolist(), len(joints)]
    takes = []
    for first, last in pairwise(edges):
        if last - first < SHORTEST:
            continue
        part = slice(first, last)
        pose = fitted.pose[part].copy()
        pose[:, 3:5] = gaussian_filter1d(wrist[part], 4.0, axis=0, mode="nearest")
        pose[:, 5:] = gaussian_filter1d(pose[:, 5:], 1.0, axis=0, mode="nearest")
        pose = np.clip(pose, low, high)
        pose[:, :3] = _smooth_rotation(fitted.pose[part, :3], 1.0)
        place = gaussian_filter1d(fitted.wrist_mm[part], 1.0, axis=0, mode="nearest")
        takes.append(Take(freed(model, shape, pose), place, "tracked"))
    return takes


def _smooth_rotation(vectors: Floats, sigma: float) -> Floats:
    quaternions = Rotation.from_rotvec(vectors).as_quat()
    # Neighbours on the same half of the sphere: q and -q are one rotation.
    signs = np.cumprod(np.append(1.0, np.sign(np.sum(quaternions[1:] * quaternions[:-1], axis=1))))
    smooth = gaussian_filter1d(quaternions * signs[:, None], sigma, axis=0, mode="nearest")
    return Rotation.from_quat(smooth).as_rotvec()


def freed(model: HandModel, shape: Floats, pose: Floats) -> Floats:
    """Bend the digits as little as needed not to cut through each other, softly in time.

    A fist that is another hand's does not fit this one. Each angle moves with its share in the overlap, until there is
    none; the changes are smoothed; what then overlaps again is bent again.
    """
    low, high = pose_limits(model)
    for _ in range(FREEING_ROUNDS):
        moved = pose.copy()
        for _ in range(FREEING_STEPS):
            overlap = overlap_mm(model, moved, np.tile(shape, (len(pose), 1)))
            bad = np.flatnonzero(overlap > 0.0)
            if not len(bad):
                break
            probes = np.repeat(moved[bad], 21, axis=0)
            probes[np.arange(len(probes)), 5 + np.tile(np.arange(21), len(bad))] += 1e-3
            slope = overlap_mm(model, probes, np.tile(shape, (len(probes), 1))).reshape(-1, 21) - overlap[bad, None]
            slope /= 1e-3
            wanted = (overlap[bad] + CLEAR_MM) / np.maximum((slope**2).sum(axis=1), 1.0)
            moved[bad, 5:] -= np.clip(wanted[:, None] * slope, -0.05, 0.05)
            moved = np.clip(moved, low, high)
        if np.array_equal(moved, pose):
            break
        pose = np.clip(pose + gaussian_filter1d(moved - pose, 1.5, axis=0, mode="nearest"), low, high)
    return pose


def elsewhere(rng: np.random.Generator, model: HandModel, shape: Floats, take: Take) -> Take:
    """Bring a take to the middle of the image, a little turned, so that a second showing is not the same."""
    palm = _palm(model, shape, take)
    target = PLACE_MM + rng.uniform(-0.5, 0.5, 3) * ROOM_MM
    turn = Rotation.from_euler("zxy", np.clip(rng.normal(0.0, (12.0, 8.0, 8.0)), -20.0, 20.0), degrees=True)
    middle = 0.5 * (palm.min(axis=0) + palm.max(axis=0))
    wrist = turn.apply(take.wrist_mm - middle)
    # Wide ways are made narrower, so that the hand stays in the image and at its distance.
    reach = np.ptp(turn.apply(palm - middle), axis=0) / 2
    moved = turn.apply(palm - middle)
    wrist += moved * (np.minimum(1.0, 1.5 * ROOM_MM / np.maximum(reach, 1.0)) - 1.0)
    pose = take.pose.copy()
    pose[:, :3] = (turn * Rotation.from_rotvec(pose[:, :3])).as_rotvec()
    return Take(pose, wrist + target, take.kind)


def _palm(model: HandModel, shape: Floats, take: Take) -> Floats:
    return np.einsum("k,nki->ni", PALM_WEIGHTS, _joints(model, shape, take.pose)) + take.wrist_mm


def _joints(model: HandModel, shape: Floats, pose: Floats) -> Floats:
    side = np.zeros(len(pose), np.int32)
    return pose_joints(model, pose, np.tile(shape, (len(pose), 1)), side).astype(np.float64)


def drawn_take(rng: np.random.Generator, model: HandModel, shape: Floats) -> Take:
    """Move between a few drawn poses, and meanwhile between views and places, each at its own time."""
    frames = TAKE_FRAMES[1]
    keys = _keys(rng, model, shape)
    free = np.array([[_free(model, shape, a, b) for b in keys] for a in keys])
    joints = _joints(model, shape, keys)
    at, angles = int(rng.integers(len(keys))), []
    while len(angles) < frames:
        angles += [keys[at]] * int(rng.integers(*HOLD_FRAMES))
        near = np.flatnonzero(free[at] & (np.arange(len(keys)) != at))
        to = int(rng.choice(near)) if len(near) else at
        distance = np.linalg.norm(joints[to] - joints[at], axis=1).max()
        # Rising and falling as a cubic, the speed in the middle is 1.5 times the mean.
        steps = max(6, int(np.ceil(1.5 * distance / rng.uniform(*PEAK_MM))))
        angles += [keys[at] + _ease(k / steps) * (keys[to] - keys[at]) for k in range(1, steps)]
        at = to
    pose = np.array(angles[:frames])
    view = _wander(rng, frames, np.deg2rad(VIEW_DEG)) + np.deg2rad([0.0, TILT_DEG, 0.0])
    view = np.clip(view, -LARGEST, LARGEST)
    place = np.clip(_wander(rng, frames, ROOM_MM / 2), -ROOM_MM, ROOM_MM)
    pose[:, 3:] += _tremor(rng, frames, 23, np.deg2rad(0.35))
    view += _tremor(rng, frames, 3, np.deg2rad(0.4))
    pose[:, :3] = Rotation.from_matrix([view_rotation(*row) for row in view]).as_rotvec()
    take = Take(pose, np.zeros((frames, 3)), "drawn")
    return Take(pose, PLACE_MM + place + _tremor(rng, frames, 3, 0.4) - _palm(model, shape, take), "drawn")


def _keys(rng: np.random.Generator, model: HandModel, shape: Floats) -> Floats:
    """Draw poses that this hand can take, from at least two of which it can go on."""
    while True:
        poses = sample_hands(model, int(rng.integers(2**31)), range(4 * KEYS)).pose
        poses = poses[overlap_mm(model, poses, np.tile(shape, (len(poses), 1))) <= 0.0][:KEYS]
        ways = sum(_free(model, shape, a, b) for k, a in enumerate(poses) for b in poses[:k])
        if len(poses) == KEYS and ways >= KEYS:
            return poses


def _free(model: HandModel, shape: Floats, first: Floats, last: Floats) -> bool:
    way = first + np.linspace(0.0, 1.0, 13)[:, None] * (last - first)
    return bool((overlap_mm(model, way, np.tile(shape, (len(way), 1))) <= 0.0).all())


def _ease(share: float) -> float:
    return share * share * (3.0 - 2.0 * share)


def _wander(rng: np.random.Generator, frames: int, sigma: Floats) -> Floats:
    """Go between drawn values (frames, 3), rest at some of them, and come back to some."""
    values = [rng.normal(0.0, sigma)]
    known = [values[0]]
    while len(values) < frames:
        last = values[-1]
        values += [last] * (int(rng.integers(*REST_FRAMES)) if rng.random() < 0.5 else 0)
        known.append(rng.normal(0.0, sigma))
        to = known[int(rng.integers(len(known)))] if rng.random() < 0.4 else known[-1]
        steps = int(rng.integers(*LEG_FRAMES))
        values += [last + _ease(k / steps) * (to - last) for k in range(1, steps + 1)]
    return np.array(values[:frames])


def _tremor(rng: np.random.Generator, frames: int, width: int, size: float) -> Floats:
    noise = gaussian_filter1d(rng.standard_normal((frames, width)), 3.0, axis=0)
    return size * noise / noise.std()


def timed(model: HandModel, shape: Floats, take: Take, pace: float) -> Take:
    """Show a take at so many times its speed, and with more time where a joint would move too far in a frame."""
    joints = _joints(model, shape, take.pose) + take.wrist_mm[:, None]
    needed = np.linalg.norm(np.diff(joints, axis=0), axis=2).max(axis=1) / FASTEST_MM
    wanted = maximum_filter1d(np.maximum(needed, 1.0 / pace), 5)
    span = np.maximum(gaussian_filter1d(wanted, 2.0, mode="nearest"), needed)
    time = np.append(0.0, np.cumsum(span))
    now = np.arange(int(time[-1]) + 1, dtype=np.float64)
    at = np.interp(now, time, np.arange(len(time)))
    pose = np.stack([np.interp(at, np.arange(len(time)), column) for column in take.pose.T], axis=1)
    pose[:, :3] = Slerp(np.arange(len(time)), Rotation.from_rotvec(take.pose[:, :3]))(at).as_rotvec()
    wrist = np.stack([np.interp(at, np.arange(len(time)), column) for column in take.wrist_mm.T], axis=1)
    return Take(pose, wrist, take.kind)
