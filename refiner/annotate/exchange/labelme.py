"""labelme: a JSON beside each picture, a joint a shape of the type "point" with the joint's name as its label.

The format is that of labelme 5, `labelme/_label_file.py` of https://github.com/wkentaro/labelme. A joint is hidden
where the flag `occluded` of its shape is set, which `labelme --labelflags '{.*: [occluded]}'` offers for every label.
Pixel centres are at halves, since points count from the upper left corner of the image
(https://github.com/wkentaro/labelme/pull/1973). Which joints one is nearer than stands in `nearer_than` of its shape, a
list of names: labelme has no place for it, but keeps keys that it does not know. `group_id` is not looked at.
"""

from collections.abc import Iterable
from pathlib import Path, PurePath
from typing import Any

from refiner.annotate.exchange.record import FileContent, LabelledImage, Pictures, Point
from refiner.annotate.sessions.json_file import field, is_number
from refiner.annotate.sessions.labels import ABSENT, OCCLUDED, VISIBLE
from refiner.errors import LabelError
from refiner.files import write_json

TOOL = "labelme"
LABELS = "crop_*.json"
JOINTS = "labels.txt"
"""The names to choose from, as `labelme --labels` takes them."""
OCCLUDED_FLAG = "occluded"
NEARER_THAN = "nearer_than"


def read_labelme(files: Iterable[tuple[str, Any]], path: str) -> FileContent:
    """Take what labelme's files say; shapes that are no points are left out.

    Args:
        files: Path and content of each.
        path: The file or folder, for messages.

    Raises:
        LabelError: One is not labelme's; the message says which, and where in it.
    """
    return FileContent(path, TOOL, [_image(content, file) for file, content in files], "half", f"as {TOOL} has them")


def write_labelme(folder: Path, pictures: Pictures) -> None:
    """Write a file beside each labelled picture of a folder, and the names of the joints."""
    for image in pictures.images():
        if image.points:
            write_json(folder / PurePath(image.name).with_suffix(".json"), _content(image))
    (folder / JOINTS).write_text("".join(f"{joint}\n" for joint in pictures.skeleton.joints), encoding="utf-8")


def _content(image: LabelledImage) -> dict[str, Any]:
    shapes = []
    for point in image.points:
        if point.flag == ABSENT:
            continue
        shape = {"label": point.joint, "points": [[point.u_px, point.v_px]], "group_id": None, "description": ""}
        shape |= {"shape_type": "point", "flags": {OCCLUDED_FLAG: point.flag == OCCLUDED}, "mask": None}
        further = [far for near, far in image.nearer if near == point.joint]
        shapes.append(shape | ({NEARER_THAN: further} if further else {}))
    size = {"imageHeight": image.height, "imageWidth": image.width}
    return {"version": "5.5.0", "flags": {}, "shapes": shapes, "imagePath": image.name, "imageData": None, **size}


def _image(content: Any, where: str) -> LabelledImage:
    name = field(content, "imagePath", str, where)
    points, nearer = list[Point](), list[tuple[str, str]]()
    for place, shape in enumerate(field(content, "shapes", list, where)):
        at = f"{where}: shape {place}"
        if field(shape, "shape_type", str, at) != "point":
            continue
        joint = field(shape, "label", str, at)
        u_px, v_px = _place(shape, f"{at} ({joint:.40})")
        points.append(Point(joint, u_px, v_px, _flag(shape, f"{at} ({joint:.40})")))
        further = field(shape, NEARER_THAN, list, at) if NEARER_THAN in shape else []
        if strange := [far for far in further if not isinstance(far, str)]:
            raise LabelError(f"{at}: found {strange[0]!r:.40} in `{NEARER_THAN}`, wanted names of joints.")
        nearer += [(joint, far) for far in further]
    return LabelledImage(
        where, name, tuple(points), tuple(nearer), content.get("imageWidth"), content.get("imageHeight")
    )  # fmt: skip


def _place(shape: Any, where: str) -> tuple[float, float]:
    found = field(shape, "points", list, where)
    pair = found[0] if len(found) == 1 else None
    if not isinstance(pair, list) or len(pair) != 2 or not all(map(is_number, pair)):
        raise LabelError(f"{where}: found points = {found!r:.60}, wanted one point, [[u, v]].")
    return float(pair[0]), float(pair[1])


def _flag(shape: Any, where: str) -> int:
    flags = shape.get("flags")
    said = flags.get(OCCLUDED_FLAG, False) if isinstance(flags, dict) else flags
    if said not in (None, False, True):
        raise LabelError(f"{where}: found the flag {OCCLUDED_FLAG} = {said!r:.40}, wanted true or false.")
    return OCCLUDED if said else VISIBLE
