"""What is written beside pictures for each tool, so that it opens them with the labels that they have."""

from collections.abc import Callable
from pathlib import Path
from typing import Literal

from refiner.annotate.exchange import coco, cvat, label_studio, labelme
from refiner.annotate.exchange.cvat_labels import write_labels_of_task
from refiner.annotate.exchange.label_studio_interface import write_interface
from refiner.annotate.exchange.record import Pictures

Tool = Literal["coco", "cvat", "label-studio", "labelme"]


def _write_cvat(folder: Path, pictures: Pictures) -> None:
    cvat.write_cvat(folder, pictures)
    write_labels_of_task(folder, pictures.skeleton)


def _write_label_studio(folder: Path, pictures: Pictures) -> None:
    label_studio.write_label_studio(folder, pictures)
    write_interface(folder, pictures.skeleton)


WRITERS: dict[Tool, tuple[str, Callable[[Path, Pictures], None]]] = {
    "coco": (coco.LABELS, coco.write_pictures_labels),
    "cvat": (cvat.LABELS, _write_cvat),
    "label-studio": (label_studio.LABELS, _write_label_studio),
    "labelme": (labelme.LABELS, labelme.write_labelme),
}
"""Name of the file of labels, and what writes it and all that the tool needs besides."""
