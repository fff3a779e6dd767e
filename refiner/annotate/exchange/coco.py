"""COCO keypoints: LABELS.json, as the session writes it and as other tools do.

Clicks are pixels of the stored crop. `info.pixel_centres` says where centres are, "integer" or "half"; without it they
are at integers where images have `frame`, their index in the session, else at halves as in COCO, and images are found
by `file_name`. Each annotation may have `nearer`, pairs [a, b] of the category's joints, a nearer to the camera than b.
Joints are matched by name; a category may name all, or one (tools with point labels), and all annotations of an image
are taken together.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from refiner.annotate.exchange.record import SHIFT_PX, Centres, FileContent, LabelledImage, Pictures, Point
from refiner.annotate.sessions.json_file import field, is_number
from refiner.annotate.sessions.labels import ABSENT, OCCLUDED, VISIBLE, FrameLabels
from refiner.errors import LabelError
from refiner.files import write_json
from refiner.hand.skeleton import Skeleton

TOOL = "COCO keypoints"
LABELS = "labels.json"


def read_coco(content: Any, path: str) -> FileContent:
    """Take what a LABELS.json says.

    Args:
        content: Of the file, an object.
        path: The file, for messages.

    Raises:
        LabelError: It is not COCO keypoints; the message says where.
    """
    categories = dict(_by_id(content, "categories", path))
    images = dict(_by_id(content, "images", path))
    points, nearer = defaultdict[int, list[Point]](list), defaultdict[int, list[tuple[str, str]]](list)
    for number, record in enumerate(field(content, "annotations", list, path)):
        where = f"{path}: annotation {number}"
        image, category = (field(record, key, int, where) for key in ("image_id", "category_id"))
        if image not in images or category not in categories:
            raise LabelError(
                f"{where}: found image_id {image} and category_id {category}, wanted ids of the file's own."
            )
        points[image] += []  # the image is annotated, be it with nothing
        if record.get("keypoints") in (None, []) and "nearer" not in record:
            continue
        joints = _joints(categories[category], path)
        points[image] += _points(record, joints, where)
        nearer[image] += _nearer(record, joints, where)
    found = [_image(images[image], points[image], nearer[image], f"{path}: image {image}") for image in points]
    centres = _centres(content, path)
    return FileContent(path, TOOL, found, centres, "says info.pixel_centres" if centres else "")


def write_pictures_labels(folder: Path, pictures: Pictures) -> None:
    """Write what is labelled of a folder of pictures."""
    content = coco_of(pictures.labels, pictures.skeleton, pictures.names, pictures.size, "half")
    write_json(folder / LABELS, content)


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
    names = {one.frame: sources[one.frame] for one in labels}
    write_json(Path(path), coco_of(labels, skeleton, names, size, "integer"))


def coco_of(
    labels: Sequence[FrameLabels], skeleton: Skeleton, names: Mapping[int, str], size: int, centres: Centres
) -> dict[str, Any]:
    """Return labels as the content of a LABELS.json.

    Args:
        labels: Of frames that have names.
        skeleton: Names and tree of the joints.
        names: Frame -> `file_name`, of all images to list.
        size: Side of the crops in pixels.
        centres: Where pixels have their centres. At halves images have no `frame`: what comes back from a tool that
            drops `info` is then read with its centres at halves, as such tools have them.
    """
    images, annotations = [], []
    for frame, name in names.items():
        number = {"frame": frame} if centres == "integer" else {}
        images.append({"id": frame, **number, "file_name": str(name), "width": size, "height": size})
    shift_px = 0.0 if centres == "integer" else SHIFT_PX
    for number, one in enumerate(labels, start=1):  # from 1: an annotation of id 0 counts as none in pycocotools
        known = one.flag != ABSENT
        uv_px = np.where(known[:, None], one.uv_px + shift_px, 0.0)
        clicks = zip(uv_px.tolist(), one.flag.tolist(), strict=True)
        low, high = (uv_px[known].min(axis=0), uv_px[known].max(axis=0)) if known.any() else (np.zeros(2), np.zeros(2))
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
    info = {"description": f"Joints of {skeleton.name} in depth crops.", "pixel_centres": centres}
    return {"info": info, "images": images, "annotations": annotations, "categories": [category]}


def _image(record: Any, points: list[Point], nearer: list[tuple[str, str]], where: str) -> LabelledImage:
    name = record.get("file_name")
    name = name if isinstance(name, str) else ""
    if not points and not nearer:
        return LabelledImage(where, name, ())
    frame = field(record, "frame", int, where) if record.get("frame") is not None else None
    if frame is None and not name:
        raise LabelError(
            f"{where}: found neither `frame` nor `file_name`, wanted its index in the session, or its source or "
            "picture. Add one."
        )
    return LabelledImage(
        where, name, tuple(points), tuple(nearer), record.get("width"), record.get("height"), frame
    )  # fmt: skip


def _centres(content: Any, path: str) -> Centres | None:
    """Return the pixel centres that a file states: "integer", "half", or nothing."""
    info = content.get("info")
    said = info.get("pixel_centres") if isinstance(info, dict) else None
    if said in ("integer", "half", None):
        return said
    raise LabelError(f'{path}: found info.pixel_centres = {said!r:.40}, wanted "integer" or "half". Mend it.')


def _joints(category: Any, path: str) -> list[str]:
    """Return the names of the joints of a category."""
    where = f"{path}: category {category['id']}"
    names = field(category, "keypoints", list, where)
    if strange := [name for name in names if not isinstance(name, str)]:
        raise LabelError(f"{where}: found the joints {strange}, wanted names of joints. Write the file again.")
    if doubled := sorted({name for name in names if names.count(name) > 1}):
        raise LabelError(f"{where}: found {doubled} twice, wanted each joint once. Rename them.")
    return names


def _points(record: Any, joints: list[str], where: str) -> list[Point]:
    numbers = field(record, "keypoints", list, where)
    if len(numbers) != 3 * len(joints):
        raise LabelError(
            f"{where}: found {len(numbers)} numbers in `keypoints`, wanted u, v, flag of {len(joints)} joints."
        )
    if wrong := [number for number in numbers if not is_number(number)]:
        raise LabelError(f"{where}: found {wrong[0]!r:.40} in `keypoints`, wanted numbers.")
    flags = [float(flag) for flag in numbers[2::3]]
    if not set(flags) <= {ABSENT, OCCLUDED, VISIBLE}:
        raise LabelError(f"{where}: found the flags {flags}, wanted 0 absent, 1 occluded, 2 visible.")
    clicks = zip(joints, numbers[::3], numbers[1::3], flags, strict=True)
    return [Point(joint, float(u_px), float(v_px), int(flag)) for joint, u_px, v_px, flag in clicks]


def _nearer(record: Any, joints: list[str], where: str) -> list[tuple[str, str]]:
    pairs = field(record, "nearer", list, where) if "nearer" in record else []
    for pair in pairs:
        whole = isinstance(pair, list) and len(pair) == 2 and all(type(joint) is int for joint in pair)
        if not whole or not all(0 <= joint < len(joints) for joint in pair):
            raise LabelError(
                f"{where}: found {pair!r:.40} in `nearer`, wanted two indices of the file's joints, 0 to "
                f"{len(joints) - 1}. Mend the pair."
            )
    return [(joints[a], joints[b]) for a, b in pairs]


def _by_id(content: Any, key: str, path: str) -> list[tuple[int, Any]]:
    records = field(content, key, list, path)
    found = [(field(record, "id", int, f"{path}: {key}[{n}]"), record) for n, record in enumerate(records)]
    if len(dict(found)) < len(found):
        raise LabelError(f"{path}: found an id twice in `{key}`, wanted each once. Write the file again.")
    return found
