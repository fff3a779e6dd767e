"""Bring a hand to rest before a map: Levenberg-Marquardt on turn, place, angles and, where free, the shape.

Besides the surface there are four soft things: a stiff wall at the limits of the joints, parts that push each other
apart where they overlap (`refiner.hand.collision`), a pull of the angles to the middle of their range, which decides
what the map does not show, and the spread of human shapes about a given one.
"""

from dataclasses import dataclass, replace
from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from refiner.cholesky import solve_damped
from refiner.fitting.equations import cut_drawn, misfit_mm, surface_equations, surface_mm
from refiner.fitting.target import POINTS, Target
from refiner.hand.collision import overlap_mm, pair_overlaps_mm
from refiner.hand.limits import HandPrior, pose_limits, shape_covariance
from refiner.hand.model import HandModel, load_hand, pose_hands
from refiner.render.raster import rasterize
from refiner.render.view import longer_arm
from refiner.sensors.window import close_slits

Floats = NDArray[np.float64]

SIGMA_MM = 4.0
"""Deviation of readings from the model's skin: no hand is quite like it."""
_STEP = 1e-3
"""Of the differences that stand for derivatives, rad or relative."""
_WALL = np.deg2rad(1.0)
_OVERLAP_MM = 1.0
"""Deviation of how far two parts overlap beyond what flesh gives way."""
_COST_OF_OVERLAP, _COST_OF_SURFACE = 0.6, 3.0
"""Of a mm of the worst overlap and of a mm between surfaces, in mm of misfit, where one fit is chosen of several."""
_PULL_DEG = (20.0, 15.0, *(40.0,) * 5, *(50.0, 25.0, 50.0, 50.0) * 4)
_OVERSHOOT, _MOST_TURN = 0.05, 0.5
_DAMPING, _PATIENCE = 1e-2, 6
MOVES, SHAPED = 29, 46
"""Unknowns of turn, place and angles; and with the shape."""


@dataclass(frozen=True, eq=False)
class PlacedHand:
    """A hand before the camera.

    Attributes:
        pose: (26,) as `refiner.hand.model` has it, `camera_from_hand` included.
        shape: (17,).
        wrist_mm: (3,).
        side: 0 right, 1 left.
        misfit_mm: See `refiner.fitting.equations.misfit_mm`; infinite before it is known.
        overlap_mm: How far it cuts through itself (`refiner.hand.collision.overlap_mm`); above 0 it cannot be.
        surface_mm: See `refiner.fitting.equations.surface_mm`.
    """

    pose: Floats
    shape: Floats
    wrist_mm: Floats
    side: int
    misfit_mm: float = np.inf
    overlap_mm: float = 0.0
    surface_mm: float = 0.0

    @property
    def cost_mm(self) -> float:
        """Give what fits of one map are chosen by.

        Most of a misfit is noise and rims, which all fits have: by it alone the smooth back of a hand is taken for a
        fist's palm, whose folded fingers no model has quite right. What is left when they are averaged away tells.
        """
        return self.misfit_mm + _COST_OF_OVERLAP * max(self.overlap_mm, 0.0) + _COST_OF_SURFACE * self.surface_mm


@cache
def shape_precision() -> Floats:
    """Give the inverse covariance (17, 17) of human shapes, half as wide again as renders draw them."""
    covariance = shape_covariance(load_hand().shape_names, HandPrior(), widening=1.5)
    return np.linalg.inv(covariance).astype(np.float64)


def draw(hand: PlacedHand, target: Target) -> NDArray[np.float32]:
    """Draw the depth of a hand on the map's pixels, (H, W) mm, cut as the map is; slits are closed as by its camera."""
    model = load_hand()
    vertices, _ = pose_hands(model, hand.pose[None], hand.shape[None], np.array([hand.side]))
    return _drawn(model, vertices[0].astype(np.float64), hand, target)


def measured(hand: PlacedHand, target: Target) -> PlacedHand:
    """Give the hand with its misfit, its overlap, and how far its surface is off."""
    overlap = overlap_mm(load_hand(), hand.pose[None], hand.shape[None])[0]
    drawn = draw(hand, target)
    return replace(
        hand, misfit_mm=float(misfit_mm(drawn, target.depth_mm)), overlap_mm=float(overlap),
        surface_mm=surface_mm(drawn, target.depth_mm, target.smooth_px),
    )  # fmt: skip


def settle(
    hand: PlacedHand, target: Target, iterations: int, mean: Floats | None = None, tightness: float = 0.0
) -> PlacedHand:
    """Fit a hand, and give the best that was met.

    Args:
        hand: Where to begin.
        target: The map.
        iterations: At most.
        mean: (17,); where given, the shape is free about it.
        tightness: Weight of the spread of shapes about `mean`.
    """
    best, waited, moved = measured(hand, target), 0, hand
    for _ in range(iterations):
        step = _step(moved, target, mean, tightness)
        if step is None:
            break
        moved = measured(_moved(moved, step), target)
        waited += 1
        if moved.cost_mm < best.cost_mm - 1e-3:
            best, waited = moved, 0
        elif waited >= _PATIENCE:
            break
    return best


def reduced_equations(hand: PlacedHand, target: Target) -> tuple[Floats, Floats]:
    """Give J'WJ (17, 17) and J'Wr (17,) of the shape alone, with the pose at its best for each (Schur complement)."""
    equations = _equations(hand, target, SHAPED)
    if equations is None:
        return np.zeros((SHAPED - MOVES, SHAPED - MOVES)), np.zeros(SHAPED - MOVES)
    normal, gradient = equations
    own = normal[:MOVES, :MOVES] + 1e-6 * np.diag(np.diag(normal)[:MOVES]) + 1e-9 * np.eye(MOVES)
    solved = np.linalg.solve(own, np.column_stack([normal[:MOVES, MOVES:], gradient[:MOVES]]))
    reduced = normal[MOVES:] @ np.vstack([-solved, np.eye(SHAPED - MOVES, SHAPED - MOVES + 1)])
    return reduced[:, :-1], reduced[:, -1] + gradient[MOVES:]


def _drawn(model: HandModel, vertices: Floats, hand: PlacedHand, target: Target) -> NDArray[np.float32]:
    placed = longer_arm(vertices) + hand.wrist_mm
    drawn = rasterize(placed, model.triangles_of(hand.side), target.camera, target.depth_mm.shape, closed=True)
    drawn = close_slits(drawn, target.window_px)
    cut_drawn(drawn, target.seen, target.near_mm, target.far_mm)
    return drawn


def _equations(hand: PlacedHand, target: Target, width: int) -> tuple[Floats, Floats] | None:
    model = load_hand()
    rotation = Rotation.from_rotvec(hand.pose[:3]).as_matrix()
    pose, shape = (np.tile(row, (width - 5, 1)) for row in (hand.pose, hand.shape))
    pose[:, :3] = 0.0
    angles, shapes = np.arange(23), np.arange(width - MOVES)
    pose[1 + angles, 3 + angles] += _STEP
    shape[24 + shapes, shapes] += _STEP
    posed, _ = pose_hands(model, pose, shape, np.full(width - 5, hand.side))
    turned = posed.astype(np.float64) @ rotation.T
    moves = (turned[1:] - turned[0]) / _STEP
    drawn = _drawn(model, turned[0], hand, target)
    normal, gradient = np.empty((width, width)), np.empty(width)
    if not surface_equations(
        turned[0] + hand.wrist_mm, hand.wrist_mm, model.triangles_of(hand.side), moves, drawn, target.depth_mm,
        target.camera, target.seen, target.nearest_px, target.points_mm, target.points_px, SIGMA_MM, POINTS, normal,
        gradient,
    ):  # fmt: skip
        return None
    low, high = pose_limits(model)
    low, high, at = low[3:], high[3:], 6 + angles
    middle = (low + high) / 2
    middle[:2] = 0.0  # a forearm in line
    beyond = hand.pose[3:] - np.clip(hand.pose[3:], low, high)
    wall, pull = np.where(beyond != 0, _WALL**-2, 0.0), np.deg2rad(_PULL_DEG) ** -2
    normal[at, at] += wall + pull
    gradient[at] += wall * beyond + pull * (hand.pose[3:] - middle)
    _push_apart(model, pose, shape, normal, gradient)
    return normal, gradient


def _push_apart(model: HandModel, pose: Floats, shape: Floats, normal: Floats, gradient: Floats) -> None:
    """Add the equations of parts that overlap: of a hand (row 0), and of what a step of each unknown makes of it."""
    overlaps = pair_overlaps_mm(model, pose, shape)
    bad = overlaps[0] > 0
    rows = (overlaps[1:, bad] - overlaps[0, bad]) / (_STEP * _OVERLAP_MM)
    part = slice(6, 6 + len(rows))
    normal[part, part] += rows @ rows.T
    gradient[part] += rows @ overlaps[0, bad] / _OVERLAP_MM


def _step(hand: PlacedHand, target: Target, mean: Floats | None, tightness: float) -> Floats | None:
    width = MOVES if mean is None else SHAPED
    equations = _equations(hand, target, width)
    if equations is None:
        return None
    normal, gradient = equations
    if mean is not None:
        free = slice(MOVES, SHAPED)
        normal[free, free] += tightness * shape_precision()
        gradient[free] += tightness * shape_precision() @ (hand.shape - mean)
    step = np.zeros(MOVES + len(hand.shape))
    good = solve_damped(normal, gradient, width, 1e-9, _DAMPING, np.empty((width, width)), step[:width])
    return step if good else None


def _moved(hand: PlacedHand, step: Floats) -> PlacedHand:
    step = step * min(1.0, _MOST_TURN / max(float(np.abs(step[6:MOVES]).max()), 1e-9))
    low, high = pose_limits(load_hand())
    turn = Rotation.from_rotvec(step[:3]) * Rotation.from_rotvec(hand.pose[:3])
    angles = np.clip(hand.pose[3:] + step[6:MOVES], low[3:] - _OVERSHOOT, high[3:] + _OVERSHOOT)
    return replace(
        hand,
        pose=np.concatenate([turn.as_rotvec(), angles]),
        shape=hand.shape + step[MOVES:],
        wrist_mm=hand.wrist_mm + step[3:6],
    )
