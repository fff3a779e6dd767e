"""What a person said of a frame that its joints could not keep."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from refiner.annotate.sessions.labels import VISIBLE, FrameLabels
from refiner.annotate.sessions.results import StageResult
from refiner.annotate.solver.terms import Weights
from refiner.geometry.camera import project

SAME_PX = 0.02
"""A click that is missed by as much as before, to this, is where it was: what is stored of both is rounded."""


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


def words_of(conflict: Mapping[str, Any]) -> str:
    """Return a conflict in words, without its frame."""
    joint = conflict["joint"]
    if "off_px" in conflict:
        return (
            f"the click on {joint} lies {conflict['off_px']:.1f} px from where the other labels, the depth and the "
            "bone lengths put it"
        )
    return f"{joint} is labelled {conflict['what']}, but lies {conflict['by_mm']:.1f} mm too far back for that"


def conflicts_left(
    lift: StageResult, labels: FrameLabels, camera: NDArray[np.float64], names: tuple[str, ...]
) -> list[dict[str, Any]]:
    """Return the conflicts that a lift found in a frame, without those of labels that were changed since.

    Args:
        lift: The result of the stage.
        labels: What the frame shows now.
        camera: (4,) fx fy cx cy of its crop.
        names: Of the joints.
    """
    found = [one for one in lift.info.get("conflicts", []) if one["frame"] == labels.frame]
    if not found:
        return found
    off_px = np.linalg.norm(project(lift.joints_mm[labels.frame].astype(np.float64), camera) - labels.uv_px, axis=-1)
    orders = {(names[near], f"nearer than {names[far]}") for near, far in labels.nearer}
    return [
        one
        for one in found
        if (one["joint"], one["what"]) in orders
        or ("off_px" in one and abs(off_px[names.index(one["joint"])] - one["off_px"]) <= SAME_PX)  # NaN where absent
    ]
