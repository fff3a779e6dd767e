"""Hands of an ellipsoid and capsules before a wall, exactly where rays meet them, and cameras that look at them."""

from functools import cache

import numpy as np

from refiner.sensors.measure.window import HandWindow

SIZE, CAMERA, ORIGIN = (220, 240), (475.0, 475.0, 119.5, 109.5), (41, 30)
CUBE_MM = 260.0
FINGERS = ((-34, 62), (-12, 78), (11, 74), (33, 60), (58, 10))


def _ellipsoid(rays, centre, axes, radii):
    """Depth at which rays meet an ellipsoid; infinite where they do not."""
    to_ball = axes / np.asarray(radii)[:, None]
    d, c = rays @ to_ball.T, to_ball @ centre
    a, b, rest = (d * d).sum(-1), d @ c, c @ c - 1
    root = b * b - a * rest
    return np.where(root > 0, (b - np.sqrt(np.maximum(root, 0))) / a, np.inf)


def _capsule(rays, start, end, radius):
    length = np.linalg.norm(end - start)
    axis = (end - start) / length
    d, c = rays - (rays @ axis)[..., None] * axis, start - (start @ axis) * axis
    a, b, rest = (d * d).sum(-1), d @ c, c @ c - radius**2
    root = b * b - a * rest
    t = np.where(root > 0, (b - np.sqrt(np.maximum(root, 0))) / a, np.inf)
    along = np.where(np.isfinite(t), t, 0) * (rays @ axis) - start @ axis
    side = np.where((along >= 0) & (along <= length), t, np.inf)
    ends = [_ellipsoid(rays, ball, np.eye(3), (radius,) * 3) for ball in (start, end)]
    return np.minimum(side, np.minimum(*ends))


def rotation(rng, most_deg):
    """A rotation about a random axis."""
    axis = rng.normal(size=3)
    x, y, z = axis / np.linalg.norm(axis)
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    angle = np.radians(most_deg) * rng.uniform(-1, 1)
    return np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross


@cache
def hand_depth(seed, distance_mm=600.0, wall_mm=1500.0, most_deg=50.0, size=SIZE, camera=CAMERA):
    """Depth of one hand before a wall (none where 0), and the centre of its palm."""
    rng = np.random.default_rng(seed)
    fx, fy, cx, cy = camera
    v, u = np.mgrid[: size[0], : size[1]]
    rays = np.stack([(u - cx) / fx, (v - cy) / fy, np.ones(size)], axis=-1)
    centre = np.array([*rng.uniform(-8, 8, 2), distance_mm * rng.uniform(0.9, 1.1)])
    turn = rotation(rng, most_deg)
    depth = _ellipsoid(rays, centre, turn.T, (45.0, 52.0, 20.0))
    for x, reach in FINGERS:
        start, end = np.array([x * 0.8, -20.0, 0]), np.array([x, -20.0 - reach, rng.uniform(-30, 5)])
        depth = np.minimum(depth, _capsule(rays, centre + turn @ start, centre + turn @ end, 9.0))
    depth = np.minimum(depth, _capsule(rays, centre + turn @ [0, 30, 0], centre + turn @ [0, 95, 0], 26.0))
    nothing = wall_mm if wall_mm else 0.0
    depth = np.where(np.isfinite(depth), depth, nothing).astype(np.float32)
    depth.flags.writeable = False
    # The palm's middle lies on its surface.
    return depth, centre - [0, 0, 20.0]


def windows(see=lambda depth, _rng: depth, count=24, seed=0, unit_mm=None, **scene):
    """What a camera sees of hands: `see` takes clean depth and a generator."""
    result = []
    for index in range(count):
        clean, centre = hand_depth((seed, index), **scene)
        depth = see(clean, np.random.default_rng((seed, index, 1)))
        if unit_mm is not None:
            depth = np.rint(depth / unit_mm) * unit_mm
        near, far = centre[2] - CUBE_MM / 2, centre[2] + CUBE_MM / 2
        camera = scene.get("camera", CAMERA)
        result.append(HandWindow(depth.astype(np.float32), camera, ORIGIN, near, far, centre))
    return result
