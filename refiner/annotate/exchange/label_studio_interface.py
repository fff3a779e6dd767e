"""The labelling interface of a Label Studio project: what to paste in its settings, under "Labeling Interface", "Code".

Joints are https://labelstud.io/tags/keypointlabels, hidden ones a choice for each region,
https://labelstud.io/tags/choices with `perRegion`, order in depth https://labelstud.io/tags/relations.
"""

import xml.etree.ElementTree as ET
from pathlib import Path

from refiner.annotate.exchange.label_studio import FLAGS, IMAGE, JOINT, NEARER, VISIBILITY
from refiner.annotate.exchange.xml_file import to_bytes
from refiner.hand.skeleton import Skeleton

INTERFACE = "labelling_interface.xml"


def write_interface(folder: Path, skeleton: Skeleton) -> None:
    """Write the interface in which `tasks.json` is labelled."""
    view = ET.Element("View")
    ET.SubElement(view, "Image", {"name": IMAGE, "value": f"${IMAGE}", "zoom": "true", "zoomControl": "true"})
    joints = ET.SubElement(view, "KeyPointLabels", {"name": JOINT, "toName": IMAGE})
    for joint in skeleton.joints:
        ET.SubElement(joints, "Label", {"value": joint, "maxUsages": "1"})
    choice = {"perRegion": "true", "choice": "single", "showInline": "true"}
    choices = ET.SubElement(view, "Choices", {"name": VISIBILITY, "toName": IMAGE, **choice})
    for flag in FLAGS:
        ET.SubElement(choices, "Choice", {"value": flag})
    ET.SubElement(ET.SubElement(view, "Relations"), "Relation", {"value": NEARER})
    (folder / INTERFACE).write_bytes(to_bytes(view).split(b"\n", 1)[1])  # the tool wants no declaration
