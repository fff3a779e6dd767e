"""What a person says of a frame: where each joint is, whether it is seen, which of two is nearer. And LABELS.json.

LABELS.json is COCO keypoints in pixels of the stored crop with their centres at integers; each image has `frame`, its
index in the session, and each annotation `nearer`, pairs [a, b] of joint indices with a nearer to the camera than b.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from refiner.annotate.sessions.json_file import field, is_number, read_json
from refiner.errors import LabelError
from refiner.files import write_json
from refiner.hand.skeleton import Skeleton

ABSENT, OCCLUDED, VISIBLE = 0, 1, 2


@dataclass(frozen=True, eq=False)
class FrameLabels:
    """The labels of one frame.

    Attributes:
        frame: Index in the session's store.
        uv_px: (J, 2) pixels of the stored crop, NaN where absent.
        flag: (J,) 0 absent, 1 occluded, 2 visible.
        nearer: Pairs (a, b) of joints, a nearer to the camera than b.
    """

    frame: int
    uv_px: NDArray[np.float64]
    flag: NDArray[np.int8]
    nearer: tuple[tuple[int, int], ...] = ()


def inside(uv_px: NDArray[np.floating], size: int) -> NDArray[np.bool_]:
    """Say which pixels (J, 2) lie in a crop."""
    return np.all((uv_px >= -0.5) & (uv_px <= size - 0.5), axis=1)  # NaN is nowhere


def check_labels(labels: FrameLabels, skeleton: Skeleton, size: int, frames: int) -> None:
    """Check the labels of one frame.

    Args:
        labels: What to check. Where a joint is absent, its pixel is not looked at.
        skeleton: Its joints are those of the session.
        size: Side of the crops in pixels.
        frames: Number of frames in the session.

    Raises:
        LabelError: A joint or frame that does not exist, a click outside the crop, contradictory order.
    """
    if not 0 <= labels.frame < frames:
        raise LabelError(f"Found labels of frame {labels.frame}, wanted 0 to {frames - 1}. Label frames that exist.")
    where, joints = f"frame {labels.frame}", skeleton.joints
    uv_px, flag = np.asarray(labels.uv_px), np.asarray(labels.flag)
    if uv_px.shape != (len(joints), 2) or flag.shape != (len(joints),):
        raise LabelError(
            f"{where}: found uv_px of shape {uv_px.shape} and flag of shape {flag.shape}, wanted those of "
            f"{len(joints)} joints. Label the joints of {skeleton.name!r}."
        )
    if (strange := ~np.isin(flag, (ABSENT, OCCLUDED, VISIBLE))).any():
        joint = int(np.argmax(strange))
        raise LabelError(
            f"{where}: found the flag {flag[joint]} of {joints[joint]}, wanted 0 absent, 1 occluded or 2 visible."
        )
    if (wrong := (flag != ABSENT) & ~inside(uv_px, size)).any():
        joint = int(np.argmax(wrong))
        u, v = uv_px[joint]
        raise LabelError(
            f"{where}: found {joints[joint]} at ({u:g}, {v:g}) px, wanted both from -0.5 to {size - 0.5}, inside the "
            "crop. Move it there, or give it the flag 0 (absent)."
        )
    _check_order(labels.nearer, flag, joints, where)


def read_labels(path: str | Path, skeleton: Skeleton, size: int, frames: int) -> list[FrameLabels]:
    """Read and check a LABELS.json; joints are matched by name, those that the file does not name are absent.

    Args:
        path: The file.
        skeleton: Of the session.
        size: Side of its crops in pixels.
        frames: Number of its frames.

    Returns:
        In order of frames.

    Raises:
        DatasetNotFoundError: There is no such file.
        LabelError: It is not COCO keypoints of this session; the message says where.
    """
    content = read_json(path)
    places = {category: _places(record, skeleton, path) for category, record in _by_id(content, "categories", path)}
    images: dict[int, int] = {}
    for image, record in _by_id(content, "images", path):
        where = f"{path}: image {image}"
        images[image] = field(record, "frame", int, where)
        for side in ("width", "height"):
            if side in record and record[side] != size:
                raise LabelError(
                    f"{where}: found the {side} {record[side]!r}, wanted {size}, as the crops of the session. The "
                    "labels belong to another store; scale them, or make a session of that store."
                )
    labels: dict[int, FrameLabels] = {}
    for number, record in enumerate(field(content, "annotations", list, str(path))):
        where = f"{path}: annotation {number}"
        image, category = (field(record, key, int, where) for key in ("image_id", "category_id"))
        if image not in images or category not in places:
            raise LabelError(
                f"{where}: found image_id {image} and category_id {category}, wanted ids of the file's own."
            )
        one = _frame_labels(record, images[image], places[category], len(skeleton), where)
        if one.frame in labels:
            raise LabelError(f"{where}: found frame {one.frame} labelled a second time, wanted one annotation a frame.")
        try:
            check_labels(one, skeleton, size, frames)
        except LabelError as error:
            raise LabelError(f"{where}: {error}") from None
        labels[one.frame] = one
    return [labels[frame] for frame in sorted(labels)]


def write_labels(
    path: str | Path, labels: Sequence[FrameLabels], skeleton: Skeleton, sources: Sequence[str], size: int
) -> None:
    """Write a LABELS.json.

    Args:
        path: Where to write.
        labels: Of as many frames as there are.
        skeleton: Names and tree of the joints.
        sources: Where each frame of the session came from, all of them: names for `file_name`.
        size: Side of the crops in pixels.
    """
    images, annotations = [], []
    for number, one in enumerate(labels, start=1):  # from 1: an annotation of id 0 counts as none in pycocotools
        known = one.flag != ABSENT
        uv_px = np.where(known[:, None], one.uv_px, 0.0)
        clicks = zip(uv_px.tolist(), one.flag.tolist(), strict=True)
        low, high = (uv_px[known].min(axis=0), uv_px[known].max(axis=0)) if known.any() else (np.zeros(2), np.zeros(2))
        image = {"id": one.frame, "frame": one.frame, "file_name": str(sources[one.frame])}
        images.append({**image, "width": size, "height": size})
        annotations.append(
            {
                "id": number,
                "image_id": one.frame,
                "category_id": 1,
                "keypoints": [value for (u, v), flag in clicks for value in (u, v, flag)],
                "num_keypoints": int(known.sum()),
                "bbox": [*low.tolist(), *(high - low).tolist()],
                "area": float(np.prod(high - low)),
                "iscrowd": 0,
                "nearer": [list(pair) for pair in one.nearer],
            }
        )
    category = {"id": 1, "name": "hand", "supercategory": "hand", "keypoints": list(skeleton.joints)}
    category["skeleton"] = [[parent + 1, child + 1] for parent, child in skeleton.bones]  # COCO counts from 1 here
    info = {"description": f"Joints of {skeleton.name} in depth crops; pixel centres at integers."}
    write_json(Path(path), {"info": info, "images": images, "annotations": annotations, "categories": [category]})


def _check_order(nearer: Sequence[tuple[int, int]], flag: NDArray[Any], joints: Sequence[str], where: str) -> None:
    order: TopologicalSorter[int] = TopologicalSorter()
    for pair in nearer:
        if len(pair) != 2 or not all(0 <= joint < len(joints) for joint in pair):
            raise LabelError(
                f"{where}: found {list(pair)} in `nearer`, wanted joints from 0 to {len(joints) - 1}. Mend it."
            )
        names = [joints[joint] for joint in pair]
        if pair[0] == pair[1]:
            raise LabelError(f"{where}: found {names[0]} nearer than itself, wanted two joints. Remove the pair.")
        if absent := [joints[joint] for joint in pair if flag[joint] == ABSENT]:
            raise LabelError(
                f"{where}: found {names[0]} nearer than {names[1]}, but {absent[0]} is absent. Click it, or remove the "
                "pair."
            )
        order.add(pair[1], pair[0])
    try:
        order.prepare()
    except CycleError as error:
        circle = " nearer than ".join(str(joints[joint]) for joint in error.args[1])
        raise LabelError(
            f"{where}: found {circle}, wanted an order without circles. Remove one of the pairs."
        ) from None


def _places(category: Any, skeleton: Skeleton, path: str | Path) -> list[int]:
    """Give the index in the skeleton of each joint that a category names."""
    where = f"{path}: category {category['id']}"
    names = field(category, "keypoints", list, where)
    unknown = [name for name in names if name not in skeleton.joints]
    doubled = sorted({str(name) for name in names if names.count(name) > 1})
    if unknown or doubled:
        wrong = f"the joints {unknown}" if unknown else f"{doubled} twice"
        raise LabelError(
            f"{where}: found {wrong}, wanted names of {skeleton.name!r}, each once: {', '.join(skeleton.joints)}. "
            "Rename them, or make a session of a store with that skeleton."
        )
    return [skeleton.joints.index(name) for name in names]


def _frame_labels(record: Any, frame: int, places: list[int], joints: int, where: str) -> FrameLabels:
    numbers = field(record, "keypoints", list, where)
    if len(numbers) != 3 * len(places):
        raise LabelError(
            f"{where}: found {len(numbers)} numbers in `keypoints`, wanted u, v, flag of {len(places)} joints."
        )
    if wrong := [number for number in numbers if not is_number(number)]:
        raise LabelError(f"{where}: found {wrong[0]!r:.40} in `keypoints`, wanted numbers.")
    clicks = np.array(numbers, dtype=np.float64).reshape(-1, 3)
    if not np.isin(clicks[:, 2], (ABSENT, OCCLUDED, VISIBLE)).all():
        raise LabelError(f"{where}: found the flags {clicks[:, 2].tolist()}, wanted 0 absent, 1 occluded, 2 visible.")
    uv_px, flag = np.full((joints, 2), np.nan), np.zeros(joints, dtype=np.int8)
    flag[places] = clicks[:, 2]
    uv_px[places] = np.where(clicks[:, 2:] != ABSENT, clicks[:, :2], np.nan)
    pairs = field(record, "nearer", list, where) if "nearer" in record else []
    for pair in pairs:
        whole = isinstance(pair, list) and len(pair) == 2 and all(type(joint) is int for joint in pair)
        if not whole or not all(0 <= joint < len(places) for joint in pair):
            raise LabelError(
                f"{where}: found {pair!r} in `nearer`, wanted two indices of the file's joints, 0 to "
                f"{len(places) - 1}. Mend the pair."
            )
    return FrameLabels(frame, uv_px, flag, tuple((places[a], places[b]) for a, b in pairs))


def _by_id(content: Any, key: str, path: str | Path) -> list[tuple[int, Any]]:
    records = field(content, key, list, str(path))
    found = [(field(record, "id", int, f"{path}: {key}[{n}]"), record) for n, record in enumerate(records)]
    if len(dict(found)) < len(found):
        raise LabelError(f"{path}: found an id twice in `{key}`, wanted each once. Write the file again.")
    return found
