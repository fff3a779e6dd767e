"""CVAT for images 1.1: `annotations.xml`, where a hand is a skeleton of points, or each joint a point of its own label.

The format is https://docs.cvat.ai/docs/other/xml_format, of skeletons also CVAT's `dataset_manager/formats/cvat.py`:
in a skeleton each point says `outside`, which means absent, and each point says `occluded`. Pixel centres are at
halves: the left edge of a picture is 0 and its right edge is its width (https://github.com/cvat-ai/cvat/issues/9973).
CVAT itself writes two decimals. Which joints a point is nearer than stands in its text attribute `nearer_than`, names
with commas between; CVAT keeps it where the label has that attribute.
"""

import re
import xml.etree.ElementTree as ET
from collections import defaultdict
from pathlib import Path
from typing import Any

from refiner.annotate.exchange.record import FileContent, LabelledImage, Pictures, Point
from refiner.annotate.exchange.xml_file import parse_xml, to_bytes
from refiner.annotate.sessions.labels import ABSENT, OCCLUDED, VISIBLE
from refiner.errors import LabelError

TOOL = "CVAT for images"
LABELS = "annotations.xml"
HAND = "hand"
"""Label of the skeleton that is written; of what is read any will do."""
NEARER_THAN = "nearer_than"


def read_cvat(data: bytes, path: str) -> FileContent:
    """Take what an `annotations.xml` says; shapes that are no points are left out.

    Args:
        data: Of the file.
        path: The file, for messages.

    Raises:
        LabelError: It is not CVAT for images; the message says where.
    """
    root = parse_xml(data, path)
    if root.tag != "annotations":
        raise LabelError(f"{path}: found <{root.tag:.40}>, wanted <annotations>, as CVAT for images 1.1 has it.")
    if root.find("track") is not None:
        raise LabelError(
            f"{path}: found <track>, wanted <image> alone: it is CVAT for video. Export it as CVAT for images 1.1."
        )
    images = [_image(image, f"{path}: image {number}") for number, image in enumerate(root.findall("image"))]
    return FileContent(path, TOOL, [image for image in images if image is not None], "half", "as CVAT has them")


def write_cvat(folder: Path, pictures: Pictures) -> None:
    """Write what is labelled of a folder of pictures, a hand as a skeleton that has all joints."""
    root = ET.Element("annotations")
    ET.SubElement(root, "version").text = "1.1"
    for number, image in enumerate(pictures.images()):
        size = {"width": str(image.width), "height": str(image.height)}
        record = ET.SubElement(root, "image", {"id": str(number), "name": image.name, **size})
        if not image.points:
            continue
        nearer = defaultdict[str, list[str]](list)
        for near, far in image.nearer:
            nearer[near].append(far)
        hand = ET.SubElement(record, "skeleton", {"label": HAND, "source": "manual", "z_order": "0"})
        for point in image.points:
            outside, occluded = (str(int(point.flag == flag)) for flag in (ABSENT, OCCLUDED))
            said = {"label": point.joint, "source": "manual", "outside": outside, "occluded": occluded}
            element = ET.SubElement(hand, "points", {**said, "points": f"{point.u_px!r},{point.v_px!r}"})
            if nearer[point.joint]:
                ET.SubElement(element, "attribute", {"name": NEARER_THAN}).text = ",".join(nearer[point.joint])
    (folder / LABELS).write_bytes(to_bytes(root))


def _image(image: ET.Element, where: str) -> LabelledImage | None:
    """Return what is said of an image, nothing where it has no shapes at all."""
    name = _said(image, "name", where)
    where = f"{where} ({name:.80})"
    points, nearer = list[Point](), list[tuple[str, str]]()
    for shape in (*image.findall("points"), *image.findall("skeleton/points")):
        joint = _said(shape, "label", where)
        points.append(_point(shape, joint, f"{where}, {joint:.40}"))
        for attribute in shape.findall("attribute"):
            if attribute.get("name") == NEARER_THAN:
                others = [other.strip() for other in (attribute.text or "").split(",")]
                nearer += [(joint, other) for other in others if other]
    if len(image) == 0:
        return None
    width, height = (_whole(image.get(side)) for side in ("width", "height"))
    return LabelledImage(where, name, tuple(points), tuple(nearer), width, height)


def _point(shape: ET.Element, joint: str, where: str) -> Point:
    text = _said(shape, "points", where)
    try:
        ((u_px, v_px),) = ([float(number) for number in pair.split(",")] for pair in text.split(";"))
    except ValueError:
        raise LabelError(
            f"{where}: found points = {text!r:.60}, wanted one point, u,v. Label each joint once."
        ) from None
    outside, occluded = (_switch(shape, key, where) for key in ("outside", "occluded"))
    return Point(joint, u_px, v_px, ABSENT if outside else OCCLUDED if occluded else VISIBLE)


def _switch(shape: ET.Element, key: str, where: str) -> bool:
    said = shape.get(key, "0")
    if said not in ("0", "1"):
        raise LabelError(f"{where}: found {key} = {said!r:.40}, wanted 0 or 1.")
    return said == "1"


def _said(element: ET.Element, key: str, where: str) -> str:
    said = element.get(key)
    if not said:
        raise LabelError(f"{where}: found <{element.tag}> without `{key}`, wanted it. Export the labels again.")
    return said


def _whole(text: str | None) -> Any:
    """Return a whole number, and what is none as it is: whoever compares it will say so."""
    return int(text) if text is not None and re.fullmatch("[0-9]{1,9}", text) else text
