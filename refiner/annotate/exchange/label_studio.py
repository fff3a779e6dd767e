"""Label Studio: the JSON that it exports, a list of tasks, and `tasks.json` to import there.

The format is https://labelstud.io/guide/task_format.html, of points https://labelstud.io/tags/keypointlabels: x and y
are percent of the image's size, from 0 at its left edge to 100 at its right, so that pixel centres are at halves. What
else a project must have is its labelling interface, see `label_studio_interface`: a joint is hidden where the choice
`visibility` of its region, a result of the same id, is "occluded"; it is nearer than another where a relation "nearer"
leads from it to that. Submitted annotations are read, not predictions. Of several in a task the one that was updated
last is taken, as Label Studio keeps older ones beside it; those that were cancelled (skipped) are left out.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

from refiner.annotate.exchange.record import FileContent, LabelledImage, Pictures, Point
from refiner.annotate.sessions.json_file import field, number
from refiner.annotate.sessions.labels import ABSENT, OCCLUDED, VISIBLE
from refiner.errors import LabelError
from refiner.files import write_json

TOOL = "Label Studio"
LABELS = "tasks.json"
LOCAL_FILES = "/data/local-files/?d="
"""Before the path of a picture, below the folder whose files Label Studio serves."""
IMAGE, JOINT, VISIBILITY, NEARER = "image", "joint", "visibility", "nearer"
"""Names in the labelling interface. An interface may call its image and its joints otherwise."""
FLAGS = {"visible": VISIBLE, "occluded": OCCLUDED}


def read_label_studio(tasks: list[Any], path: str) -> FileContent:
    """Take what an exported list of tasks says; regions that are no points are left out.

    Args:
        tasks: Of the file.
        path: The file, for messages.

    Raises:
        LabelError: It is not Label Studio's JSON; the message says where.
    """
    images = [_image(task, f"{path}: task {place}") for place, task in enumerate(tasks)]
    return FileContent(path, TOOL, [image for image in images if image is not None], "half", f"as {TOOL} has them")


def write_label_studio(folder: Path, pictures: Pictures) -> None:
    """Write a task for each picture of a folder, with what is labelled of it as a submitted annotation."""
    tasks = []
    for image in pictures.images():
        path = quote(f"{pictures.folder}/{image.name}")
        submitted = [{"result": _results(image)}] if image.points else []
        tasks.append({"data": {IMAGE: LOCAL_FILES + path}, "annotations": submitted})
    write_json(folder / LABELS, tasks)


def _results(image: LabelledImage) -> list[dict[str, Any]]:
    results: list[dict[str, Any]] = []
    for point in image.points:
        if point.flag == ABSENT:
            continue
        size = {"original_width": image.width, "original_height": image.height, "image_rotation": 0}
        place = {"x": 100 * point.u_px / image.width, "y": 100 * point.v_px / image.height, "width": 0.5}
        region = {"id": point.joint, "to_name": IMAGE, **size}
        value = {**place, "keypointlabels": [point.joint]}
        results.append({**region, "from_name": JOINT, "type": "keypointlabels", "value": value})
        if point.flag == OCCLUDED:
            value = {**place, "choices": ["occluded"]}
            results.append({**region, "from_name": VISIBILITY, "type": "choices", "value": value})
    relation = {"type": "relation", "direction": "right", "labels": [NEARER]}
    return results + [{**relation, "from_id": near, "to_id": far} for near, far in image.nearer]


def _image(task: Any, where: str) -> LabelledImage | None:
    """Return what is said of a task's image, nothing where nobody has submitted anything."""
    if not isinstance(task, dict) or not isinstance(task.get("annotations"), list):
        raise LabelError(
            f"{where}: found no list of `annotations`, wanted one in each task. Export as JSON, not as JSON-MIN."
        )
    submitted = [(f"{where}, annotation {place}", one) for place, one in enumerate(task["annotations"])]
    results = {at: field(one, "result", list, at) for at, one in submitted if not _cancelled(one, at)}
    if not results:
        return None
    if len(results) > 1:
        where = max(reversed([pair for pair in submitted if pair[0] in results]), key=_updated)[0]
    else:
        (where,) = results
    return _labelled(_name(task, where), results[where], where)


def _labelled(name: str, results: list[Any], where: str) -> LabelledImage:
    joints, flags, clicks, sizes = dict[str, str](), dict[str, int](), list[tuple[Point, Any]](), set[Any]()
    relations = list[tuple[Any, str]]()
    for place, result in enumerate(results):
        at = f"{where}, result {place}"
        kind = field(result, "type", str, at)
        if kind == "keypointlabels":
            point, size = _point(result, at)
            sizes.add(size)
            clicks.append((point, result.get("id")))
            if isinstance(result.get("id"), str):
                joints[result["id"]] = point.joint
        elif kind == "choices" and result.get("from_name") == VISIBILITY:
            flags[field(result, "id", str, at)] = _flag(result, at)
        elif kind == "relation" and isinstance(result.get("labels"), list) and NEARER in result["labels"]:
            relations.append((result, at))
    if len(sizes) > 1:
        raise LabelError(f"{where}: found images of the sizes {sorted(sizes)}, wanted one. Label one picture a task.")
    points = [
        Point(point.joint, point.u_px, point.v_px, flags.get(region, VISIBLE)) if isinstance(region, str) else point
        for point, region in clicks
    ]
    nearer = [_pair(result, joints, at) for result, at in relations]
    width, height = sizes.pop() if sizes else (None, None)
    return LabelledImage(where, name, tuple(points), tuple(nearer), width, height)


def _point(result: Mapping[str, Any], where: str) -> tuple[Point, tuple[Any, Any]]:
    """Return a joint in pixels, and the size of the image that it is in, as it is written."""
    value = field(result, "value", dict, where)
    named = field(value, "keypointlabels", list, where)
    if len(named) != 1 or not isinstance(named[0], str):
        raise LabelError(f"{where}: found keypointlabels = {named!r:.60}, wanted the name of one joint.")
    if result.get("image_rotation") not in (None, 0):
        raise LabelError(
            f"{where}: found image_rotation = {result['image_rotation']!r:.40}, wanted 0. Turn the picture back, and "
            "label it as it is."
        )
    width, height = (number(result, f"original_{side}", where) for side in ("width", "height"))
    x, y = (number(value, key, where) for key in ("x", "y"))
    size = result["original_width"], result["original_height"]
    return Point(named[0], x / 100 * width, y / 100 * height, VISIBLE), size


def _flag(result: Mapping[str, Any], where: str) -> int:
    said = field(field(result, "value", dict, where), "choices", list, where)
    if len(said) != 1 or not isinstance(said[0], str) or said[0] not in FLAGS:
        raise LabelError(f"{where}: found the {VISIBILITY} {said!r:.60}, wanted one of {', '.join(FLAGS)}.")
    return FLAGS[said[0]]


def _pair(result: Mapping[str, Any], joints: Mapping[str, str], where: str) -> tuple[str, str]:
    ends = [field(result, key, str, where) for key in ("from_id", "to_id")]
    if not set(ends) <= set(joints):
        raise LabelError(f"{where}: found {NEARER!r} between {ends}, wanted ids of two points. Remove the relation.")
    if result.get("direction") not in ("right", "left"):
        raise LabelError(
            f"{where}: found the direction {result.get('direction')!r:.40} of {NEARER!r}, wanted right or left: from "
            "the nearer joint to the other."
        )
    near, far = ends if result["direction"] == "right" else reversed(ends)
    return joints[near], joints[far]


def _cancelled(annotation: Any, where: str) -> bool:
    if not isinstance(annotation, dict):
        raise LabelError(f"{where}: found {type(annotation).__name__}, wanted an object.")
    return annotation.get("was_cancelled") is True


def _updated(annotation: tuple[str, Mapping[str, Any]]) -> datetime:
    where, record = annotation
    said = record.get("updated_at")
    try:
        time = datetime.fromisoformat(said)  # pyright: ignore[reportArgumentType]
        return (time if time.tzinfo else time.replace(tzinfo=UTC)).astimezone(UTC)
    except (TypeError, ValueError, OverflowError):
        raise LabelError(
            f"{where}: found updated_at = {said!r:.40}, wanted a date, as the task has several annotations. Remove all "
            "but one."
        ) from None


def _name(task: Mapping[str, Any], where: str) -> str:
    """Return the name of a task's image: that of its data, else of the file that was uploaded.

    A task that came in a JSON has as `file_upload` the name of the JSON, so the data go first.
    """
    data = field(task, "data", dict, where)
    texts = [value for value in data.values() if isinstance(value, str)]
    found = [data.get(key) for key in (IMAGE, "img")] + (texts if len(texts) == 1 else []) + [task.get("file_upload")]
    names = [name for name in found if isinstance(name, str) and name]
    if not names:
        raise LabelError(
            f"{where}: found no image in `data` and no `file_upload`, wanted the name of its picture. Name it "
            "data.image."
        )
    name = names[0]
    if LOCAL_FILES in name:
        return unquote(name.split(LOCAL_FILES, 1)[1].split("&")[0])
    if "://" in name:  # of a store in the network, perhaps with a signature behind
        return unquote(name.split("?")[0].split("#")[0])
    return name
