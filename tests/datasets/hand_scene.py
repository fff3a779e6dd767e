"""Depth maps of a crude hand made of capsules, whose place is known exactly."""

import numpy as np

CAMERA = (240.0, 240.0, 159.5, 119.5)
SHAPE = (240, 320)
PALM_MM, FINGERS_MM = 80.0, 75.0


def draw(depth_mm, camera, start_mm, end_mm, radius_mm):
    """Draw a capsule between two points of the camera frame; what is nearer wins."""
    fx, fy, cx, cy = camera
    (x0, y0, z0), (x1, y1, z1) = start_mm, end_mm
    v, u = np.mgrid[: depth_mm.shape[0], : depth_mm.shape[1]]
    a, b = np.array([fx * x0 / z0 + cx, fy * y0 / z0 + cy]), np.array([fx * x1 / z1 + cx, fy * y1 / z1 + cy])
    along = ((u - a[0]) * (b - a)[0] + (v - a[1]) * (b - a)[1]) / max(((b - a) ** 2).sum(), 1e-9)
    t = np.clip(along, 0, 1)
    z = z0 + t * (z1 - z0)
    inside = np.hypot(u - a[0] - t * (b - a)[0], v - a[1] - t * (b - a)[1]) <= radius_mm * fx / z
    nearer = inside & ((depth_mm == 0) | (z < depth_mm))
    depth_mm[nearer] = z[nearer]


def hand_scene(
    palm_mm=(0, 0, 600), arm=(0, 300, 100), angle=0.0, fingers=True, camera=CAMERA, shape=SHAPE, wall_mm=1500
):
    """Draw a hand whose palm has its middle at `palm_mm`, with stretched fingers or a fist, an arm and a wall behind.

    Args:
        arm: From the palm to the elbow in millimetres, before the turn by `angle` (radians, in the image).
    """
    depth_mm = np.full(shape, wall_mm, np.float32)
    palm = np.array(palm_mm, float)
    turn = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]])
    draw(depth_mm, camera, palm, palm + turn @ arm, 26)
    draw(depth_mm, camera, palm + turn @ [0, -8, 0], palm + turn @ [0, 8, 0], 38)
    if fingers:
        for side in (-30, -10, 10, 30):
            root = palm + turn @ [side, -30, 0]
            draw(depth_mm, camera, root, root + turn @ [side / 3, -FINGERS_MM, 0], 8)
        draw(depth_mm, camera, palm + turn @ [30, 10, 0], palm + turn @ [80, -30, 0], 10)
    return depth_mm
