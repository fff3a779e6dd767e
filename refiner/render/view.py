"""One hand in front of the camera: choose a view that shows it, render it, find its centre, put noise on it.

A drawn view is taken when the hand stays in its cube and in the image and the centre that `locate_hand` finds is on the
palm. The centre is found in the clean map, so that the same seed shows the same hands in the same crops with any
sensor, pixel for pixel. (In the noisy maps it would lie 3 mm from there in the median, more than 9 to 15 mm in a tenth
of them: the spread that real centres have, but without the pairs.)

The model's forearm ends 20 cm behind the wrist, where real arms go on. Its end is pushed to where the elbow would be,
so that it leaves the cube, and mostly the image or the depth that is searched, as real arms do.
"""

from dataclasses import dataclass, replace
from functools import cache

import numba
import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from refiner.datasets.locate import locate_hand
from refiner.errors import StoreError
from refiner.hand.model import load_hand
from refiner.hand.tessellation import Tessellation
from refiner.render.raster import rasterize, window_of
from refiner.render.scene import PALM_DEPTH_MM, PALM_WEIGHTS, draw_place, draw_rotation
from refiner.render.settings import GivenPoses, RenderSettings
from refiner.scratch import scratch
from refiner.sensors.sense import optics, sense

Points = NDArray[np.floating]

TRIES = 30
"""Views drawn for one hand before the best of them is taken."""
_SCENE = 0x7363656E65
"""Keeps the generators of scenes apart from those of hands."""
_OUTSIDE_JOINTS, _OUTSIDE_MM, _OFF_PALM_MM = 3, 15.0, 50.0
_ARM_LONGER_MM = 80.0


@dataclass(frozen=True, eq=False)
class View:
    """Where everything is, and what the camera sees of it; its maps hold until this thread renders the next.

    Attributes:
        rotation: camera_from_hand (3, 3).
        joints_mm: (21, 3) in the camera frame.
        clean_mm: Depth of a window of the image, without noise.
        seen_mm: The same window as the sensor sees it.
        origin: Column and row of the window's first pixel.
        camera: fx fy cx cy of the window, px.
        centre_mm: (3,) centre of the crop cube.
        cube_mm: Its side.
        image: Edges of the recorded image that is imitated, see `GivenPoses`; or none.
    """

    rotation: NDArray[np.float64]
    joints_mm: NDArray[np.float64]
    clean_mm: NDArray[np.float32]
    seen_mm: NDArray[np.float32]
    origin: tuple[int, int]
    camera: NDArray[np.float64]
    centre_mm: NDArray[np.float64]
    cube_mm: float
    image: NDArray[np.float64] | None = None


def given_view(
    settings: RenderSettings, poses: GivenPoses, turn: Points, vertices: Points, joints: Points, side: int,
    seed: int, item: int,
) -> View:  # fmt: skip
    """Show a given hand at its place, in its cube.

    Args:
        settings: Camera and sensor.
        poses: The hands; the one of this item is shown, from the first again where there are fewer.
        turn: (3,) rotation vector, camera from hand.
        vertices: (V, 3) of the posed hand without its global rotation.
        joints: (21, 3) likewise.
        side: 0 right, 1 left.
        seed: Of the sensor's noise.
        item: Number of the item.

    Raises:
        StoreError: Nothing of it lies in the image.
    """
    given, rotation = item % len(poses.names), Rotation.from_rotvec(turn).as_matrix()
    surface = _surface(vertices, side, settings.tessellations)
    view = _look(settings, rotation, poses.wrist_mm[given], *surface, joints)
    if view is None or not view.clean_mm.any():
        raise StoreError(
            f"{poses.names[given]}: nothing of this hand lies in the image of the camera {settings.sensor.camera}. "
            "Give the camera that the poses were solved for (--camera), or leave this frame out."
        )
    image = None if poses.image is None else poses.image[given]
    view = replace(view, centre_mm=poses.centre_mm[given], cube_mm=float(poses.cube_mm[given]), image=image)
    return _sense(settings, view, seed, item)


def draw_view(settings: RenderSettings, vertices: Points, joints: Points, side: int, seed: int, item: int) -> View:
    """Draw views of a hand until one is good, or take the best of them.

    Args:
        settings: Camera, sensor, and what to draw from.
        vertices: (V, 3) of the posed hand without global rotation.
        joints: (21, 3) likewise.
        side: 0 right, 1 left.
        seed: With `item` it fixes every byte.
        item: Number of the item.

    Raises:
        StoreError: No view shows the hand.
    """
    rng = np.random.default_rng((_SCENE, seed, item))
    surface, palm = _surface(vertices, side, settings.tessellations), PALM_WEIGHTS @ joints
    best, best_fault, cube_mm = None, np.inf, settings.places.cube_mm
    for _ in range(TRIES):
        rotation = draw_rotation(rng, settings.views)
        target, cube_mm = draw_place(rng, settings.places, settings.sensor)
        wrist = target - rotation @ palm
        wrist[2] += PALM_DEPTH_MM
        # Seen before anything is drawn; the centre that is found lies near the target.
        if _fault(settings, _move(joints, rotation, wrist), target, cube_mm) > 1.5:
            continue
        view = _look(settings, rotation, wrist, *surface, joints)
        centre = None if view is None else locate_hand(view.clean_mm, view.camera, cube_mm=cube_mm)
        if view is None or centre is None:
            continue
        off_palm = float(np.linalg.norm(centre - target)) / _OFF_PALM_MM
        fault = max(_fault(settings, view.joints_mm, centre, cube_mm), off_palm)
        if fault < best_fault:
            best, best_fault = replace(view, centre_mm=centre, cube_mm=cube_mm), fault
            if fault <= 1.0:
                break
            kept = view.clean_mm.copy()  # the next view is drawn into the same memory
            best = replace(best, clean_mm=kept, seen_mm=kept)
    if best is None:
        raise StoreError(
            f"Item {item} of seed {seed}: none of {TRIES} views shows the hand whole. Its cube of {cube_mm:g} mm, the "
            "distances or the camera leave no room; change --cube-mm, --distance-mm or --camera."
        )
    return _sense(settings, best, seed, item)


@cache
def _arm_end() -> NDArray[np.intp]:
    y = load_hand().template.reshape(-1, 3)[:, 1]
    return np.flatnonzero(y < y.min() + 0.5)


def longer_arm(vertices: Points) -> Points:
    """Push the arm's end away from the wrist, which is the origin, along the arm."""
    end = _arm_end()
    middle = vertices[end].mean(axis=0)
    longer = vertices.copy()
    longer[end] += middle * (_ARM_LONGER_MM / np.linalg.norm(middle)).astype(vertices.dtype)
    return longer


@cache
def _tessellation(side: int, number: int) -> Tessellation:
    coarse = load_hand().triangles_of(side) if number == 0 else _tessellation(side, number - 1).triangles
    return Tessellation(coarse)


def _surface(vertices: Points, side: int, tessellations: int) -> tuple[Points, NDArray[np.int32]]:
    """Give the mesh that is drawn, its arm as long as real ones."""
    vertices, triangles = longer_arm(vertices), load_hand().triangles_of(side)
    for finer in (_tessellation(side, number) for number in range(tessellations)):
        vertices, triangles = finer.vertices(vertices), finer.triangles
    return vertices, triangles


@numba.njit(nogil=True, cache=True)
def _outside_mm(point, centre, half):
    """Say how far a point lies outside the crop of a cube (negative inside): x and y as they project into it."""
    scale = centre[2] / point[2]
    return max(abs(point[0] * scale - centre[0]), abs(point[1] * scale - centre[1]), abs(point[2] - centre[2])) - half


@numba.njit(nogil=True, cache=True)
def _misfit(joints, fx, fy, cx, cy, columns, rows, centre, half, outside_joints, outside_mm):
    worst, outside = 0.0, 0
    for k in range(joints.shape[0]):
        x, y, z = joints[k]
        if z < half:
            return np.inf
        u, v = fx * x / z + cx, fy * y / z + cy
        if u < -0.5 or v < -0.5 or u > columns - 0.5 or v > rows - 0.5:
            return np.inf
        excess = _outside_mm(joints[k], centre, half)
        outside += excess > 0.0
        worst = max(worst, excess)
    return max(worst / outside_mm, outside / outside_joints)


def _fault(settings: RenderSettings, joints_mm, centre_mm, cube_mm: float) -> float:
    """Say how badly a hand leaves its cube (1 is the most that is accepted) or its camera's image (infinite)."""
    camera = settings.sensor
    return _misfit(
        joints_mm, *camera.camera, camera.columns, camera.rows, centre_mm, cube_mm / 2, _OUTSIDE_JOINTS, _OUTSIDE_MM
    )


@numba.njit(nogil=True, cache=True)
def _move(points, rotation, shift):
    out = np.empty((points.shape[0], 3))
    for n in range(points.shape[0]):
        x, y, z = float(points[n, 0]), float(points[n, 1]), float(points[n, 2])
        for i in range(3):
            out[n, i] = rotation[i, 0] * x + rotation[i, 1] * y + rotation[i, 2] * z + shift[i]
    return out


def _look(settings: RenderSettings, rotation, wrist, vertices: Points, triangles, joints: Points) -> View | None:
    """Render a placed hand, its centre still open; none where it lies beside the image."""
    camera = settings.sensor
    placed = _move(vertices, rotation, wrist)
    origin, shape = window_of(placed, camera.camera, (camera.rows, camera.columns), 1)
    if 0 in shape:
        return None
    clean = rasterize(placed, triangles, camera.camera, shape, origin, closed=True, out=scratch("image", *shape))
    fx, fy, cx, cy = camera.camera
    window_camera = np.array([fx, fy, cx - origin[0], cy - origin[1]])
    return View(rotation, _move(joints, rotation, wrist), clean, clean, origin, window_camera, np.full(3, np.nan), 0.0)


def _sense(settings: RenderSettings, view: View, seed: int, item: int) -> View:
    """See what the crop shows of a view through the sensor."""
    model = settings.sensor.model
    if model is None:
        return view
    columns, rows = settings.sensor.image_px
    middle = view.camera[:2] * view.centre_mm[:2] / view.centre_mm[2] + view.camera[2:] + view.origin
    margin = model.margin_px + 2
    half = view.camera[:2] * view.cube_mm / 2 / view.centre_mm[2] + margin
    left, top = np.maximum(np.floor(middle - half), 0).astype(int).tolist()
    right, bottom = np.minimum(np.ceil(middle + half) + 1, (columns, rows)).astype(int).tolist()
    clean = scratch("clean", max(bottom - top, 1), max(right - left, 1))
    clean[:] = 0.0
    # The part of the window that lies in it; the sensor may put readings beside the window.
    u, v = view.origin
    from_u, to_u = max(left, u), min(right, u + view.clean_mm.shape[1])
    from_v, to_v = max(top, v), min(bottom, v + view.clean_mm.shape[0])
    if from_u < to_u and from_v < to_v:
        clean[from_v - top : to_v - top, from_u - left : to_u - left] = view.clean_mm[
            from_v - v : to_v - v, from_u - u : to_u - u
        ]
    intrinsics = settings.sensor.camera
    if settings.noise:
        seen = sense(clean, intrinsics, model, seed=seed, item=item, origin=(left, top),
                     out=scratch("seen", *clean.shape))  # fmt: skip
    else:
        seen = optics(clean, intrinsics, model)
    camera = np.array([*intrinsics[:2], intrinsics[2] - left, intrinsics[3] - top])
    return replace(view, clean_mm=clean, seen_mm=seen, origin=(left, top), camera=camera)
