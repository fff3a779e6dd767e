"""The hand model: pose and shape parameters in, mesh and the 21 joints of `hand21` out, in mm.

The mesh, its rig and its shape directions come from `assets/hand.npz` (made by `experiments/hand_asset.py` from
MakeHuman's CC0 data; the reasons for its proportions are told there). The hand frame of a right hand has its origin at
the wrist, y towards the base of the middle finger, z out of the palm and x towards the index side.

Pose (P = 26), radians: a rotation vector `camera_from_hand`, then angles that are all 0 in the flat hand: fingers
straight, parallel and in the palm's plane, the thumb's metacarpal in that plane 40 degrees from the y axis, forearm in
line. Positive flexion bends towards the palm; positive abduction leads a finger away from the middle finger (the middle
finger towards the index) and the thumb out of the palm's plane; the wrist's flexion brings palm and forearm together
and its deviation is positive towards the little finger. The hand stays put and the forearm swings.

Shape (S = 17): 0 is the mean adult hand. `scale`, `*_length`, `palm_*`, `*_girth` up to `forearm_girth` are relative
(0.1 = 10 % more); `wrist_girth` and `forearm_{fat,muscle}` are MakeHuman's targets (1 = the full target, which is
strong); `body_1..3` are the main modes of adults of equal hand size, in standard deviations.
"""

from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import numpy as np

from refiner.hand.kinematics import pose_batch
from refiner.hand.skeleton import FINGERS

POSE_NAMES = (
    *(f"camera_from_hand_{axis}" for axis in "xyz"),
    *("wrist_flexion", "wrist_deviation"),
    *(f"thumb_{angle}" for angle in ("cmc_flexion", "cmc_abduction", "cmc_twist", "mcp_flexion", "ip_flexion")),
    *(f"{f}_{angle}" for f in FINGERS for angle in ("mcp_flexion", "mcp_abduction", "pip_flexion", "dip_flexion")),
)


@dataclass(frozen=True, eq=False)
class HandModel:
    """A right hand and how it moves and grows; arrays are read-only. V vertices, T triangles, K = S - 1 directions.

    Attributes:
        triangles: Vertex indices (T, 3), counter-clockwise seen from outside, for right hands (`side` 0).
        mirrored_triangles: The same for left hands (`side` 1), whose vertices are mirrored.
        pose_names: Names of the P pose parameters.
        shape_names: Names of the S shape parameters.
        surface_offset_mm: Depth (21,) of each joint below the skin, mean of back and pad side, mean hand.
        radius_mm: Radius (21,) of the flesh about each joint, and `direction_radius_mm` (K, 21) its change with shape.
        palm_mm: Centres (8, 3) of spheres that fill the palm: carpal end and knuckle of four rays, index to little;
            with their radii and the changes of both with shape.
        template: Flat rest vertices (V * 3,); `directions` (K, V * 3) their shape directions.
        rest_joints: Flat rest joints (63,); `joint_directions` (K, 63).
        rest_axis: Flexion axes (5, 3) at rest; `flat_frame` (5, 3, 3) the digits' first frames at angle 0.
        weight_start: Row starts (V + 1,) of the sparse skinning weights `weight_bone`, `weight`.
    """

    triangles: np.ndarray
    mirrored_triangles: np.ndarray
    pose_names: tuple[str, ...]
    shape_names: tuple[str, ...]
    surface_offset_mm: np.ndarray
    radius_mm: np.ndarray
    direction_radius_mm: np.ndarray
    palm_mm: np.ndarray
    direction_palm_mm: np.ndarray
    palm_radius_mm: np.ndarray
    direction_palm_radius_mm: np.ndarray
    template: np.ndarray
    directions: np.ndarray
    rest_joints: np.ndarray
    joint_directions: np.ndarray
    rest_axis: np.ndarray
    flat_frame: np.ndarray
    weight_start: np.ndarray
    weight_bone: np.ndarray
    weight: np.ndarray

    def triangles_of(self, side: int) -> np.ndarray:
        """Give the triangles that a right (0) or left (1) hand is drawn with."""
        return self.triangles if side == 0 else self.mirrored_triangles


@cache
def load_hand() -> HandModel:
    """Read the packaged hand; the same object on every call."""
    with (files("refiner.hand") / "assets" / "hand.npz").open("rb") as file, np.load(file) as asset:
        a = dict(asset)
    triangles = a["triangles"].astype(np.int32)
    model = HandModel(
        triangles=triangles,
        mirrored_triangles=np.ascontiguousarray(triangles[:, ::-1]),
        pose_names=POSE_NAMES,
        shape_names=("scale", *(str(n) for n in a["direction_names"])),
        surface_offset_mm=a["surface_offset_mm"],
        radius_mm=a["radius_mm"].astype(np.float64),
        direction_radius_mm=a["direction_radius_mm"].astype(np.float64),
        palm_mm=a["palm_mm"].astype(np.float64),
        direction_palm_mm=a["direction_palm_mm"].astype(np.float64),
        palm_radius_mm=a["palm_radius_mm"].astype(np.float64),
        direction_palm_radius_mm=a["direction_palm_radius_mm"].astype(np.float64),
        template=a["vertices_mm"].astype(np.float32).reshape(-1),
        directions=a["direction_vertices_mm"].astype(np.float32).reshape(len(a["direction_names"]), -1),
        rest_joints=a["joints_mm"].astype(np.float64).reshape(-1),
        joint_directions=a["direction_joints_mm"].astype(np.float64).reshape(len(a["direction_names"]), -1),
        rest_axis=a["rest_axis"].astype(np.float64),
        flat_frame=a["flat_frame"].astype(np.float64),
        weight_start=a["weight_start"].astype(np.int64),
        weight_bone=a["weight_bone"].astype(np.int64),
        weight=a["weight"].astype(np.float32),
    )
    for value in vars(model).values():
        if isinstance(value, np.ndarray):
            value.flags.writeable = False
    return model


def _checked(
    model: HandModel, pose: np.ndarray, shape: np.ndarray, side: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    pose, shape = np.ascontiguousarray(pose, dtype=np.float64), np.ascontiguousarray(shape, dtype=np.float64)
    side = np.ascontiguousarray(side)
    count = len(pose)
    for name, array, width in (("pose", pose, len(model.pose_names)), ("shape", shape, len(model.shape_names))):
        if array.shape != (count, width):
            raise ValueError(
                f"`{name}` has shape {array.shape}, wanted {(count, width)}: one row for each of the {count} hands and "
                f"one column for each of `model.{name}_names`."
            )
        if not np.isfinite(array).all():
            row = int(np.flatnonzero(~np.isfinite(array).all(axis=1))[0])
            raise ValueError(f"`{name}` is not finite in row {row}; wanted finite numbers. Drop or mend that hand.")
    if side.shape != (count,) or not np.isin(side, (0, 1)).all():
        raise ValueError(
            f"`side` has shape {side.shape} and values {np.unique(side)[:5]}, wanted shape {(count,)} and only "
            "0 (right) or 1 (left)."
        )
    return pose, shape, side.astype(np.int64)


def pose_hands(
    model: HandModel, pose: np.ndarray, shape: np.ndarray, side: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Pose a batch of hands; the wrist stays at the origin. Holds no lock while it computes, so threads run abreast.

    Args:
        model: The hand.
        pose: (N, 26), radians, in the order of `model.pose_names`.
        shape: (N, 17), in the order of `model.shape_names`.
        side: (N,), 0 right, 1 left. A left hand is the mirror image (x to -x in the hand frame) of the right hand of
            the same pose and shape, mirrored before `camera_from_hand` turns it.

    Returns:
        Vertices and joints in mm, in axes parallel to the camera's. Draw left hands with `model.mirrored_triangles`.
    """
    pose, shape, side = _checked(model, pose, shape, side)
    vertices = np.empty((len(pose), model.template.size // 3, 3), dtype=np.float32)
    joints = np.empty((len(pose), 21, 3), dtype=np.float32)
    _run(model, pose, shape, side, model.template, model.directions, vertices, joints)
    return vertices, joints


def pose_joints(model: HandModel, pose: np.ndarray, shape: np.ndarray, side: np.ndarray) -> np.ndarray:
    """Joints of `pose_hands`, to the bit, without the mesh; about ten times faster."""
    pose, shape, side = _checked(model, pose, shape, side)
    joints = np.empty((len(pose), 21, 3), dtype=np.float32)
    nothing = np.empty((0, 0, 3), dtype=np.float32)
    _run(model, pose, shape, side, model.template[:0], model.directions[:, :0], nothing, joints)
    return joints


def _run(model, pose, shape, side, template, directions, vertices, joints) -> None:
    pose_batch(
        pose, shape, side, template, directions, model.rest_joints, model.joint_directions, model.rest_axis,
        model.flat_frame, model.weight_start, model.weight_bone, model.weight, vertices, joints,
    )  # fmt: skip
