"""The hand that a skeleton of `hand21` belongs to: what fingers can do, and where its skin lies upon what is seen.

Neither is in Oberweger et al. 2016. Bone lengths alone let fingers bend sideways and palms fold, and likeness to a
neighbour that has drifted keeps the drift. The hand model, of a shape that is fitted to the labelled frames, gives the
solver two things: the nearest anatomical joints to a solution, and pairs of seen points and skin, along whose normals
the bones below are moved (iterative closest points; Tagliasacchi et al., "Robust articulated-ICP for real-time hand
tracking", SGP 2015).
"""

from typing import Self

import numba
import numpy as np
from numpy.typing import ArrayLike, NDArray

from refiner.annotate.solver.terms import Terms
from refiner.hand.fit import fit_hands
from refiner.hand.model import HandModel, load_hand, pose_hands
from refiner.hand.normals import vertex_normals

_FAR_MM = 30.0
"""Seen points farther from the skin belong to something else."""

_BEHIND_WRIST_MM = 10.0
"""So far beyond the wrist begins the forearm, whose pose joints do not tell."""

_FOREARM = 1


class Anatomy:
    """A hand of known side and shape.

    Attributes:
        side: 0 right, 1 left.
        shape: (S,) of the hand model.
        residual_mm: Median distance of the joints it was fitted to from its own.
    """

    def __init__(self, model: HandModel, side: int, shape: NDArray[np.float64], residual_mm: float) -> None:
        self._model, self.side, self.shape, self.residual_mm = model, side, shape, residual_mm
        self._triangles = np.asarray(model.triangles_of(side), dtype=np.int64)
        bone = np.zeros(len(model.weight_start) - 1, dtype=np.int64)
        for vertex, (start, stop) in enumerate(zip(model.weight_start[:-1], model.weight_start[1:], strict=True)):
            bone[vertex] = model.weight_bone[start + np.argmax(model.weight[start:stop])]
        # The model's bones after palm and forearm are three for each digit; a tree's are named by their outer joints.
        digit, part = np.divmod(bone - 2, 3)
        self._joint_of_vertex = np.where(bone >= 2, 2 + 4 * digit + part, np.where(bone == _FOREARM, -1, 0))

    @classmethod
    def of_joints(cls, joints_mm: NDArray[np.floating]) -> Self:
        """Find side and shape of the hand of joints (N, 21, 3) in several poses: the side that fits better."""
        model = load_hand()
        fits = [fit_hands(model, joints_mm, side, "shared") for side in (0, 1)]
        residuals = [float(np.nanmedian(fit.residual_mm)) for fit in fits]
        side = int(np.argmin(residuals))
        return cls(model, side, fits[side].shape[np.isfinite(fits[side].shape[:, 0])][0], residuals[side])

    @classmethod
    def of_shape(cls, side: int, shape: ArrayLike, residual_mm: float) -> Self:
        """Make again a hand that was found before."""
        return cls(load_hand(), side, np.asarray(shape, dtype=np.float64), residual_mm)

    def nearest_hands(self, joints_mm: NDArray[np.floating]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Give joints (N, 21, 3) and skin (N, V, 3) of the anatomical hands nearest to joints (N, 21, 3)."""
        fit = fit_hands(self._model, joints_mm, self.side, self.shape)
        sides = np.full(len(fit.pose), self.side)
        vertices, joints = pose_hands(self._model, fit.pose, fit.shape, sides)
        place = fit.wrist_mm[:, None]
        return joints + place, vertices + place

    def match(
        self, terms: Terms, n: int, points_mm: NDArray[np.float64], joints_mm: NDArray[np.float64],
        vertices_mm: NDArray[np.float64],
    ) -> None:  # fmt: skip
        """Pair seen points with the skin of a hand, and write the pairs to row n of the terms.

        Args:
            terms: With room for the pairs (see `with_room`).
            n: Which frame.
            points_mm: (M, 3).
            joints_mm: (21, 3) of an anatomical hand.
            vertices_mm: (V, 3) its skin.
        """
        _match(
            points_mm, joints_mm, vertices_mm, self._triangles, self._joint_of_vertex, terms.point_bone[n],
            terms.point_share[n], terms.point_mm[n], terms.point_normal[n],
        )  # fmt: skip


def with_room(terms: Terms, points: int) -> Terms:
    """Give the terms room for so many pairs of each frame."""
    frames = len(terms.camera)
    return terms._replace(
        point_bone=np.full((frames, points), -1, dtype=np.int64),
        point_share=np.zeros((frames, points)),
        point_mm=np.zeros((frames, points, 3)),
        point_normal=np.zeros((frames, points, 3)),
    )


@numba.njit(nogil=True, cache=True)
def _match(points, joints, vertices, triangles, joint_of_vertex, bone_out, share_out, place_out, normal_out):
    normals = vertex_normals(vertices, triangles)
    facing = np.empty(len(vertices), dtype=np.bool_)
    for v in range(len(vertices)):
        towards = 0.0
        for i in range(3):
            towards -= normals[v, i] * vertices[v, i]
        facing[v] = towards > 0.0
    which = np.flatnonzero(facing)
    front = vertices[which]
    palm = np.zeros(3)  # from the wrist to the middle of the knuckles
    for finger in range(1, 5):
        for i in range(3):
            palm[i] += 0.25 * (joints[1 + 4 * finger, i] - joints[0, i])
    palm /= max(np.sqrt((palm**2).sum()), 1e-12)
    bone_out[:] = -1
    count = 0
    for m in range(len(points)):
        along = 0.0
        for i in range(3):
            along += (points[m, i] - joints[0, i]) * palm[i]
        if along < -_BEHIND_WRIST_MM:
            continue
        best, least = -1, _FAR_MM**2
        for v in range(len(front)):
            square = 0.0
            for i in range(3):
                square += (points[m, i] - front[v, i]) ** 2
            if square < least:
                best, least = which[v], square
        if best < 0 or joint_of_vertex[best] < 0:
            continue
        joint = joint_of_vertex[best]
        if joint == 0:  # the palm: its nearest ray
            nearest = 1e18
            for ray in range(5):
                share, square = _along(joints, 0, 1 + 4 * ray, vertices[best])
                if square < nearest:
                    joint, nearest = 1 + 4 * ray, square
        parent = 0 if joint % 4 == 1 else joint - 1
        share, _ = _along(joints, parent, joint, vertices[best])
        off = 0.0
        for i in range(3):
            off += normals[best, i] * (points[m, i] - vertices[best, i])
        bone_out[count], share_out[count] = joint, share
        for i in range(3):
            on_bone = joints[parent, i] + share * (joints[joint, i] - joints[parent, i])
            place_out[count, i] = on_bone + off * normals[best, i]
            normal_out[count, i] = normals[best, i]
        count += 1


@numba.njit(nogil=True, cache=True)
def _along(joints, parent, joint, point):
    """Give the share along a bone that is nearest to a point, and the square of their distance."""
    length = dot = 0.0
    for i in range(3):
        way = joints[joint, i] - joints[parent, i]
        length += way * way
        dot += way * (point[i] - joints[parent, i])
    share = min(max(dot / max(length, 1e-12), 0.0), 1.0)
    square = 0.0
    for i in range(3):
        square += (point[i] - joints[parent, i] - share * (joints[joint, i] - joints[parent, i])) ** 2
    return share, square
