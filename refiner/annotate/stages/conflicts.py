"""What a person said of a frame that its joints could not keep."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from refiner.annotate.sessions.labels import VISIBLE, FrameLabels
from refiner.annotate.solver.terms import Weights
from refiner.geometry.camera import project


def conflicts_of(
    labels: FrameLabels,
    joints_mm: NDArray[np.float64],
    camera: NDArray[np.float64],
    names: tuple[str, ...],
    weights: Weights,
) -> list[dict[str, Any]]:
    """List the clicks that are missed by 4 deviations, and the orders in depth missed by 1 mm.

    Args:
        labels: What was said.
        joints_mm: (J, 3) what was found.
        camera: (4,) fx fy cx cy of the crop.
        names: Of the joints.
        weights: That were solved with.

    Returns:
        Of each conflict `frame`, `joint`, `what` was said, and by how much it is missed: `off_px` or `by_mm`.
    """
    flag = labels.flag
    off_px = np.linalg.norm(project(joints_mm, camera) - labels.uv_px, axis=-1)
    sigma = np.where(flag == VISIBLE, weights.visible_click_px, weights.occluded_click_px)
    found: list[dict[str, Any]] = [
        {"frame": labels.frame, "joint": names[k], "what": "click", "off_px": round(float(off_px[k]), 2)}
        for k in np.flatnonzero((flag > 0) & (off_px > 4 * sigma))
    ]
    for near, far in labels.nearer:
        lacking = weights.nearer_mm - float(joints_mm[far, 2] - joints_mm[near, 2])
        if lacking > 1:
            what = f"nearer than {names[far]}"
            found.append({"frame": labels.frame, "joint": names[near], "what": what, "by_mm": round(lacking, 2)})
    return found
