"""LABELS.json: labels as COCO keypoints, as the session writes them and as other tools do.

Clicks are pixels of the stored crop. `info.pixel_centres` says where centres are, "integer" or "half"; without it they
are at integers where images have `frame`, their index in the session, else at halves as in COCO, and images are found
by `file_name`. Each annotation may have `nearer`, pairs [a, b] of the category's joints, a nearer to the camera than b.
Joints are matched by name; a category may name all, or one (tools with point labels), and all annotations of an image
are taken together.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from refiner.annotate.sessions.image_names import FrameNames
from refiner.annotate.sessions.json_file import field, is_number, read_json
from refiner.annotate.sessions.labels import ABSENT, OCCLUDED, VISIBLE, FrameLabels, check_labels, merged
from refiner.errors import LabelError
from refiner.files import write_json
from refiner.hand.skeleton import Skeleton

Centres = Literal["integer", "half"]


@dataclass(frozen=True)
class LabelFile:
    """What a LABELS.json holds.

    Attributes:
        labels: In order of frames, pixel centres at integers.
        centres: Where the file has them.
        told: Whether the file says so itself.
        unknown: Names of images with annotations that are no frame of the session; they are left out.
        empty: How many images have nothing but annotations without keypoints; they are left out, too.
    """

    labels: list[FrameLabels]
    centres: Centres
    told: bool
    unknown: list[str]
    empty: int


def read_labels(path: str | Path, skeleton: Skeleton, size: int, sources: Sequence[str]) -> LabelFile:
    """Read and check a LABELS.json; joints that it does not name are absent.

    Args:
        path: The file.
        skeleton: Of the session.
        size: Side of its crops in pixels.
        sources: Where each of its frames came from.

    Raises:
        DatasetNotFoundError: There is no such file.
        LabelError: It is not COCO keypoints of this session, or contradicts itself; the message says where.
    """
    content = read_json(path)
    categories = dict(_by_id(content, "categories", path))
    images = dict(_by_id(content, "images", path))
    clicks: dict[int, list[tuple[str, FrameLabels]]] = {}
    used, unknown, empty, names = dict[int, int | None](), list[str](), set[int](), FrameNames(sources)
    for number, record in enumerate(field(content, "annotations", list, str(path))):
        where = f"{path}: annotation {number}"
        image, category = (field(record, key, int, where) for key in ("image_id", "category_id"))
        if image not in images or category not in categories:
            raise LabelError(
                f"{where}: found image_id {image} and category_id {category}, wanted ids of the file's own."
            )
        if record.get("keypoints") in (None, []) and "nearer" not in record:
            empty.add(image)
            continue
        if image not in used:
            used[image] = _frame_of(images[image], names, size, f"{path}: image {image}")
            if used[image] is None:
                unknown.append(str(images[image]["file_name"]))
        frame = used[image]
        if frame is not None:
            places = _places(categories[category], skeleton, path)
            one = _frame_labels(record, frame, places, len(skeleton), where)
            clicks.setdefault(frame, []).append((where, one))
    centres, told = _centres(content, [images[image] for image, frame in used.items() if frame is not None], path)
    labels = []
    for _, several in sorted(clicks.items()):
        try:
            one = merged([one for _, one in several], skeleton)
            one = one if centres == "integer" else replace(one, uv_px=one.uv_px - 0.5)
            check_labels(one, skeleton, size, len(sources))
        except LabelError as error:
            raise LabelError(f"{several[0][0]}: {error}") from None
        labels.append(one)
    return LabelFile(labels, centres, told, unknown, len(empty - set(used)))


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
    shift_px = 0.0 if centres == "integer" else 0.5
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


def _frame_of(image: Any, names: FrameNames, size: int, where: str) -> int | None:
    """Return the frame of an image, nothing where its name is none of the session's."""
    if image.get("frame") is not None:
        frame = field(image, "frame", int, where)
    elif isinstance(name := image.get("file_name"), str) and name:
        try:
            frame = names.frame(name)
        except LabelError as error:
            raise LabelError(f"{where}: {error}") from None
    else:
        raise LabelError(
            f"{where}: found neither `frame` nor `file_name`, wanted its index in the session, or its source or "
            "picture. Add one."
        )
    for side in ("width", "height"):
        if frame is not None and side in image and image[side] != size:
            raise LabelError(
                f"{where}: found the {side} {image[side]!r}, wanted {size}, as the crops of the session. The "
                "labels belong to another store; scale them, or make a session of that store."
            )
    return frame


def _centres(content: Any, images: Sequence[Any], path: str | Path) -> tuple[Centres, bool]:
    """Say where a file has its pixel centres, and whether it says so itself."""
    info = content.get("info")
    said = info.get("pixel_centres") if isinstance(info, dict) else None
    if said in ("integer", "half"):
        return said, True
    if said is not None:
        raise LabelError(f'{path}: found info.pixel_centres = {said!r:.40}, wanted "integer" or "half". Mend it.')
    framed = [image.get("frame") is not None for image in images]
    if any(framed) and not all(framed):
        raise LabelError(
            f"{path}: found `frame` in {sum(framed)} of {len(framed)} images, so that it does not tell where pixel "
            'centres are. Add "pixel_centres" to `info`: "integer" or "half".'
        )
    return ("integer" if all(framed) else "half"), False


def _places(category: Any, skeleton: Skeleton, path: str | Path) -> list[int]:
    """Return the index in the skeleton of each joint that a category names."""
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
