"""Cases for the solver's tests: walls, clicks, and a hand-like case with every term at work."""

from types import SimpleNamespace

import numpy as np

from refiner.annotate.solver.chain import to_directions, tree_of
from refiner.annotate.solver.surface import terms_of
from refiner.annotate.solver.terms import NCC_STEPS, Weights
from refiner.geometry.camera import project
from refiner.hand.model import load_hand, pose_joints
from refiner.hand.skeleton import HAND21, Skeleton

CAMERA = np.array([250.0, 250.0, 31.5, 31.5])
ONE_BONE = Skeleton("bone", ("a", "b"), (-1, 0))


def flat(frames=1, depth_mm=500, size=64):
    """A wall that fills the map."""
    return np.full((frames, size, size), depth_mm, np.uint16), np.tile(CAMERA, (frames, 1))


def clicked(uv_px, flag=2, nearer=()):
    uv_px = np.asarray(uv_px, dtype=np.float64)
    return SimpleNamespace(uv_px=uv_px, flag=np.full(len(uv_px), flag, np.int8), nearer=nearer)


def bumpy(frames, seed=0):
    """A hand-like case with every term at work: joints near a wavy surface with a silhouette, windows, pairs."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[:64, :64]
    depth = (5000 + 40 * np.sin(columns / 7) + 30 * np.cos(rows / 9)).astype(np.uint16)  # tenths of a millimetre
    depth[np.hypot(rows - 32, columns - 32) > 24] = 0
    model = load_hand()
    pose = np.zeros((frames, 26))
    pose[:, 3:] = rng.normal(0.2, 0.2, (frames, 23))
    joints = pose_joints(model, pose, np.zeros((frames, 17)), np.zeros(frames, np.int64)).astype(np.float64)
    joints = joints * 0.4 + [0, -20, 505]
    camera = np.tile([250.0, 250.0, 31.5, 31.5], (frames, 1))
    uv_px = project(joints, camera[:, None])
    labels = [clicked(uv_px[n] + rng.normal(0, 1, (21, 2)), nearer=((0, 5), (8, 4), (12, 3))) for n in range(frames)]
    labels[0].flag[::3] = 1
    labels[0].flag[1::7] = 0
    terms = terms_of(
        np.tile(depth, (frames, 1, 1)),
        0.1,
        camera,
        model.surface_offset_mm.astype(float),
        labels,
    )
    rows, columns = np.mgrid[:13, :13]
    bowl = 0.03 * ((rows - 6.2) ** 2 + (columns - 5.7) ** 2)
    windows = np.broadcast_to(np.round(np.minimum(bowl, 2) * NCC_STEPS), (frames, 21, 13, 13)).astype(np.uint16)
    normal = rng.standard_normal((frames, 40, 3))
    terms = terms._replace(
        unlike=np.ascontiguousarray(windows),
        unlike_uv_px=np.round(uv_px).astype(np.int64),
        anchor_mm=joints + 2.0,
        point_bone=rng.integers(1, 21, (frames, 40)),
        point_share=rng.uniform(0, 1, (frames, 40)),
        point_mm=rng.normal([0, 0, 505], 20, (frames, 40, 3)),
        point_normal=normal / np.linalg.norm(normal, axis=-1, keepdims=True),
    )
    tree = tree_of(HAND21, HAND21.bone_lengths(joints[0]))
    root, directions = to_directions(tree, joints + rng.normal(0, 2, joints.shape))
    return (
        tree,
        terms,
        Weights(appearance=5.0, smooth_mm=4.0, smooth_knee=1.0, points_mm=3.0, anchor_mm=5.0),
        root,
        directions,
    )


def jacobian_of(tree, basis):
    jacobian = np.zeros((21, 3, 43))
    for joint in range(21):
        jacobian[joint, :, :3] = np.eye(3)
        above = joint
        while tree.parents[above] >= 0:
            jacobian[joint, :, tree.column[above] : tree.column[above] + 2] = basis[above].T
            above = tree.parents[above]
    return jacobian
