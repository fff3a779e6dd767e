"""What a dataset holds, whether it is whole, and which labels deserve a second look."""

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from refiner import viz
from refiner.datasets.parts import MIN_AREA_MM2
from refiner.datasets.store import DepthStore
from refiner.geometry.camera import project
from refiner.geometry.depth import to_mm

BEFORE_SURFACE_MM = 10.0
"""A joint this far in front of the surface that the camera saw at its pixel cannot be inside the hand."""
JUMP_MM = 60.0
"""Between two frames of one sequence; 60 mm at 30 frames/s is 1.8 m/s, faster than a hand that is being watched."""
BONE_SPREAD = 0.15
"""A bone whose length strays this far from its person's median, as a share of it."""


def inspect_store(store: DepthStore) -> dict[str, Any]:
    """Summarise a store, chunk by chunk.

    Returns:
        A dictionary of plain values. `problems` lists what makes the store unfit for use; where parts of it are
        missing nothing is said of its content. `doubtful_labels` lists items with {"item", "reason", "joint",
        "value_mm"}, the worst first, and `impossible_joints` those whose labels cannot be and count as unknown, with
        {"item", "reason", "joints": how many}.
    """
    problems = _problems(store)
    report: dict[str, Any] = {
        "path": str(store.path),
        "items": len(store),
        "size_px": store.size,
        "depth_unit_mm": store.depth_unit_mm,
        "arrays": store.names,
        "complete": store.complete,
        "provenance": store.provenance,
        "problems": problems,
    }
    if store.sensor is not None:
        name = store.sensor["name"] or "no name"
        report["camera"] = f"{name}, measured from {store.sensor['frames']} frames: `refiner measure` shows it"
    if problems:
        return report  # what was lost would be counted as maps without readings and joints at the camera
    nothing, readings, pixels = 0, 0, 0
    low, high = np.inf, 0.0
    for start, stop in store.chunk_ranges():
        depth = to_mm(store.read("depth", start, stop), store.depth_unit_mm)
        valid = depth > 0
        per_item = valid.sum(axis=(1, 2))
        nothing += int((per_item == 0).sum())
        readings += int(per_item.sum())
        pixels += depth.size
        if valid.any():
            low, high = min(low, float(depth[valid].min())), max(high, float(depth.max()))
    centre, cube = store.read("centre_mm"), store.read("cube_mm")
    report |= {
        "depth_mm": [low, high] if readings else None,
        "distance_mm": _quantiles(centre[:, 2]),
        "cube_mm": _quantiles(cube),
        "pixels_with_a_reading": readings / max(pixels, 1),
        "empty_maps": nothing,
    }
    if nothing:
        problems.append(f"{nothing} maps hold no reading at all")
    if store.skeleton is not None:
        doubts = doubtful_labels(store)
        report |= {
            "skeleton": store.skeleton.name,
            "joints": len(store.skeleton.joints),
            "impossible_joints": _impossible(store),
            "labelled_items": int(np.isfinite(store.read("joints_mm")).all(axis=(1, 2)).sum()),
            "doubtful_labels": doubts,
        }
    if "sequence" in store:
        report["sequences"] = len(np.unique(store.read("sequence")))
    return report


def doubtful_labels(store: DepthStore) -> list[dict[str, Any]]:
    """List labels that contradict the depth map, the person's bones or the frame before.

    Three checks: the depth of a joint against the surface at its pixel; the length of each bone against its median
    over the person (or over the sequence, where persons are not known; skipped where neither is); the way of each
    joint since the frame before.
    """
    if store.skeleton is None:
        return []
    names = store.skeleton.joints
    joints = store.read("joints_mm").astype(np.float64)
    doubts: list[dict[str, Any]] = []

    def doubt(excess: NDArray[np.floating], threshold: NDArray[np.floating] | float, reason: str) -> None:
        with np.errstate(invalid="ignore"):
            for item, joint in np.argwhere(excess > threshold):
                doubts.append(
                    {"item": int(item), "reason": reason, "joint": names[joint], "value_mm": float(excess[item, joint])}
                )

    doubt(_before_surface_mm(store, joints), BEFORE_SURFACE_MM, "joint before the surface")
    groups = next((store.read(name) for name in ("subject", "sequence") if name in store), None)
    if groups is not None:
        error, length = _bone_errors_mm(joints, np.asarray(store.skeleton.parents), groups)
        doubt(error, BONE_SPREAD * length, "bone length strays")
    if "sequence" in store and "frame" in store:
        doubt(_jumps_mm(joints, store.read("sequence"), store.read("frame")), JUMP_MM, "jump since the frame before")
    return sorted(doubts, key=lambda entry: -entry["value_mm"])


def _problems(store: DepthStore) -> list[str]:
    problems = []
    if not store.complete:
        problems.append(f"incomplete; continue it with: {store.provenance.get('command', 'the command that began it')}")
        return problems
    problems += [*store.lost()] or [*store.damaged()]
    if len(store) == 0:
        problems.append("no items")
    return problems


def _impossible(store: DepthStore) -> list[dict[str, Any]]:
    """Name each item with joints that cannot be where their label is, and count as unknown."""
    return [
        {"item": int(item), "reason": reason, "joints": int(mask[item].sum())}
        for reason, mask in store.impossible_joints().items()
        for item in np.flatnonzero(mask.any(axis=1))
    ]


def _before_surface_mm(store: DepthStore, joints: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give by how much each joint lies in front of the surface at its pixel; NaN where there is no surface."""
    out = np.full(joints.shape[:2], np.nan)
    for start, stop in store.chunk_ranges():
        depth = to_mm(store.read("depth", start, stop), store.depth_unit_mm)
        part = joints[start:stop]
        with np.errstate(invalid="ignore", divide="ignore"):
            uv = project(part, store.read("camera", start, stop)[:, None])
        # NaN compares false.
        inside = np.all((uv >= -0.5) & (uv < store.size - 0.5), axis=-1)
        pixel = np.rint(np.where(inside[..., None], uv, 0)).astype(int)
        surface = depth[np.arange(len(part))[:, None], pixel[..., 1], pixel[..., 0]]
        known = inside & (surface > 0)
        out[start:stop][known] = (surface - part[..., 2])[known]
    return out


def _bone_errors_mm(
    joints: NDArray[np.float64], parents: NDArray[np.int_], groups: NDArray[np.int32]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Give |length - median of the group| and the median, per item and joint; NaN at the root."""
    length = np.linalg.norm(joints - joints[:, parents], axis=-1)
    length[:, parents < 0] = np.nan
    median = np.full_like(length, np.nan)
    for group in np.unique(groups):
        rows = groups == group
        known = np.isfinite(length[rows]).any(axis=0)
        median[np.ix_(rows, known)] = np.nanmedian(length[rows][:, known], axis=0)
    return np.abs(length - median), median


def _jumps_mm(
    joints: NDArray[np.float64], sequence: NDArray[np.int32], frame: NDArray[np.int32]
) -> NDArray[np.float64]:
    order = np.lexsort((frame, sequence))
    way = np.full(joints.shape[:2], np.nan)
    same, next_frame = np.diff(sequence[order]) == 0, np.diff(frame[order]) == 1
    follows = np.flatnonzero(same & next_frame)
    later, earlier = order[follows + 1], order[follows]
    way[later] = np.linalg.norm(joints[later] - joints[earlier], axis=-1)
    return way


def _quantiles(values: NDArray[np.floating]) -> dict[str, float]:
    if len(values) == 0:
        return {}
    low, middle, high = np.quantile(values, [0.0, 0.5, 1.0])
    return {"min": float(low), "median": float(middle), "max": float(high)}


def sheet_items(count: int, wanted: int) -> NDArray[np.int_]:
    """Choose items for a contact sheet: evenly spread over the set."""
    return np.unique(np.linspace(0, count - 1, min(wanted, count)).round().astype(int))


def spread_items(count: int, most: int) -> NDArray[np.int64]:
    """Choose at most so many of `count` items, evenly spread, in order."""
    return np.linspace(0, count - 1, min(most, count)).round().astype(np.int64)


def read_items(store: DepthStore, name: str, items: Sequence[int] | NDArray[np.int_]) -> NDArray[Any]:
    """Read single rows of one array, each chunk once."""
    wanted = np.asarray(items, np.int64)
    rows = np.empty((len(wanted), *store.read(name, 0, 1).shape[1:]), store.read(name, 0, 1).dtype)
    for start, stop in store.chunk_ranges():
        here = (wanted >= start) & (wanted < stop)
        if here.any():
            rows[here] = store.read(name, start, stop)[wanted[here] - start]
    return rows


def shade_item(store: DepthStore, item: int) -> NDArray[np.uint8]:
    """Colour one map over the depth range of its cube, (H, W, 3); what lies outside the recorded image is hatched."""
    half = float(store.read("cube_mm", item, item + 1)[0]) / 2
    z_mm = float(store.read("centre_mm", item, item + 1)[0, 2])
    depth_mm = to_mm(store.read("depth", item, item + 1)[0], store.depth_unit_mm)
    picture = viz.colour_depth(depth_mm, z_mm - half, z_mm + half)
    return viz.hatch(picture, outside_image(store, item))


def outside_image(store: DepthStore, item: int) -> NDArray[np.bool_]:
    """Return which pixels of one map lie outside the image that it was cut from, (H, W)."""
    if "image_px" not in store:
        return np.zeros((store.size, store.size), bool)
    left, top, right, bottom = store.read("image_px", item, item + 1)[0]
    v, u = np.mgrid[: store.size, : store.size]
    return (u < left) | (u > right) | (v < top) | (v > bottom)


def parts_beside(store: DepthStore, item: int) -> int:
    """Return how many parts of one map are not connected to the largest, and no smaller than the least of a hand."""
    depth_mm = to_mm(store.read("depth", item, item + 1)[0], store.depth_unit_mm)
    fx, fy, _, _ = store.read("camera", item, item + 1)[0]
    count, labels = cv2.connectedComponents((depth_mm > 0).astype(np.uint8), connectivity=4)
    areas = sorted(float((depth_mm[labels == n] ** 2).sum() / (fx * fy)) for n in range(1, count))
    return sum(area > MIN_AREA_MM2 for area in areas[:-1])
