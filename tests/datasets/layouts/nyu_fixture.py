"""Make a folder with the exact bytes of NYU's `train`: packed colours, MATLAB labels, y up."""

import cv2
import numpy as np
from scipy.io import savemat

FX, FY, CX, CY = 588.036865, 587.075073, 320.0, 240.0
EVALUATED = [0, 3, 6, 9, 12, 15, 18, 21, 24, 25, 27, 30, 31, 32]


def pack(depth_mm):
    """Put 16 bits into green and blue, as the set has them; red is noise that nobody may read."""
    red = np.full(depth_mm.shape, 77, np.uint8)
    return np.dstack([(depth_mm & 255).astype(np.uint8), (depth_mm >> 8).astype(np.uint8), red])


def make_nyu(folder, frames=3, views=(1, 2)):
    """Write a ball of 60 mm about the palm before a wall at 1500 mm; the render has the ball alone.

    Returns:
        (3, frames, 36, 3) labels as in the file, mm, y up.
    """
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    labels = rng.uniform(-60, 60, (3, frames, 36, 3))
    labels[..., 2] += 750
    labels[..., 1] += 90  # above the optical axis
    v, u = np.mgrid[:480, :640]
    for view in views:
        for frame in range(frames):
            x, y, z = labels[view - 1, frame, 32]
            radius = np.hypot((u - CX) * z / FX - x, (CY - v) * z / FY - y)
            ball = np.where(radius < 60, z - np.sqrt(np.maximum(3600 - radius**2, 0)), 0)
            real = np.where(ball > 0, ball, 1500).astype(np.uint16)
            name = f"{view}_{frame + 1:07d}.png"
            cv2.imwrite(str(folder / f"depth_{name}"), pack(real))
            cv2.imwrite(str(folder / f"synthdepth_{name}"), pack((ball * (radius < 50)).astype(np.uint16)))
    savemat(folder / "joint_data.mat", {"joint_xyz": labels, "joint_uvd": np.zeros_like(labels)})
    return labels
