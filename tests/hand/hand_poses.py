"""A few poses that people would name."""

import numpy as np

from refiner.hand.model import POSE_NAMES

FINGERS = ("index", "middle", "ring", "little")
THUMB = ("cmc_flexion", "cmc_abduction", "cmc_twist", "mcp_flexion", "ip_flexion")


def make_pose(thumb=(0, 0, 0, 0, 0), fingers=(0, 0, 0), **named):
    """Pose (26,) from degrees: a thumb, (MCP, PIP, DIP) of all fingers or of one by name, single angles by name."""
    degrees = dict(zip((f"thumb_{a}" for a in THUMB), thumb, strict=True))
    for finger in FINGERS:
        bends = named.pop(finger, fingers)
        names = (f"{finger}_{joint}_flexion" for joint in ("mcp", "pip", "dip"))
        degrees.update(zip(names, bends, strict=True))
    degrees.update(named)
    pose = np.zeros(len(POSE_NAMES))
    for name, value in degrees.items():
        pose[POSE_NAMES.index(name)] = np.deg2rad(value)
    return pose


POSES = {
    "flat": make_pose(),
    "relaxed": make_pose(thumb=(15, 25, 15, 10, 15), fingers=(20, 30, 20)),
    "fist": make_pose(thumb=(50, 43, 57, 38, 8), fingers=(80, 98, 62)),
    "point": make_pose(thumb=(50, 43, 57, 38, 8), fingers=(80, 98, 62), index=(0, 0, 0)),
    "pinch": make_pose(thumb=(48, 33, 58, -3, -4), index=(70, 39, 2), middle=(20, 30, 20), ring=(20, 30, 20)),
    "spread": make_pose(index_mcp_abduction=14, ring_mcp_abduction=10, little_mcp_abduction=20),
    "wrist": make_pose(wrist_flexion=45, wrist_deviation=15),
}
