"""The labels of a CVAT task: what its constructor takes in the tab "Raw", a hand as a skeleton.

A skeleton (https://docs.cvat.ai/v2.7.6/docs/manual/advanced/annotation-with-skeletons) has a label for each point, and
a drawing of where a new one has them, in percent of its box. The keys are those that CVAT's REST API takes.
"""

import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

from refiner.annotate.exchange.cvat import HAND, NEARER_THAN
from refiner.files import write_json
from refiner.hand.skeleton import Skeleton

LABELS_OF_TASK = "cvat_labels.json"


def write_labels_of_task(folder: Path, skeleton: Skeleton) -> None:
    """Write the labels that a task needs before it takes `annotations.xml`."""
    text = {"name": NEARER_THAN, "input_type": "text", "mutable": False, "default_value": "", "values": [""]}
    joints: list[dict[str, Any]] = [
        {"name": joint, "type": "points", "attributes": [text]} for joint in skeleton.joints
    ]  # fmt: skip
    hand = {"name": HAND, "type": "skeleton", "attributes": [], "sublabels": joints, "svg": _drawing(skeleton)}
    write_json(folder / LABELS_OF_TASK, [hand])


def _drawing(skeleton: Skeleton) -> str:
    places, shapes = _places(skeleton), []
    for parent, child in skeleton.bones:
        (x1, y1), (x2, y2) = places[parent], places[child]
        ends = {"data-node-from": str(parent + 1), "data-node-to": str(child + 1)}  # CVAT counts from 1
        shapes.append(("line", {"x1": x1, "y1": y1, "x2": x2, "y2": y2}, {"data-type": "edge", **ends}))
    for number, (joint, (x, y)) in enumerate(zip(skeleton.joints, places, strict=True), start=1):
        node = {"data-type": "element node", "data-element-id": str(number), "data-node-id": str(number)}
        shapes.append(("circle", {"r": 0.75, "cx": x, "cy": y}, {**node, "data-label-name": joint}))
    elements = [
        ET.Element(tag, {key: f"{value:g}" for key, value in sizes.items()} | words) for tag, sizes, words in shapes
    ]
    return "".join(ET.tostring(element, encoding="unicode", short_empty_elements=False) for element in elements)


def _places(skeleton: Skeleton) -> list[tuple[float, float]]:
    """Place joints in percent: the root below, each further from it higher, and the ends of chains side by side."""
    depth = [0] * len(skeleton)
    for joint in range(len(skeleton)):
        at = joint
        while (at := skeleton.parents[at]) >= 0:
            depth[joint] += 1
    parents = set(skeleton.parents)
    ends = [joint for joint in range(len(skeleton)) if joint not in parents]
    x = {joint: 10 + 80 * (place + 0.5) / len(ends) for place, joint in enumerate(ends)}
    for joint in sorted(range(len(skeleton)), key=lambda joint: -depth[joint]):
        if joint not in x:
            children = [x[child] for parent, child in skeleton.bones if parent == joint]
            x[joint] = sum(children) / len(children)
    return [(x[joint], 90 - 80 * depth[joint] / max(1, *depth)) for joint in range(len(skeleton))]
