"""The crops of a session as pictures, with its labels, to be labelled in another tool.

Pictures have the size of the crops, so that a click there is a click here. The labels beside them are COCO keypoints as
such tools know them: pixel centres at halves, images named and not numbered. `refiner annotate import` takes back what
they write.
"""

import os
import shutil
import uuid
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from refiner import viz
from refiner.annotate.sessions.coco import coco_of
from refiner.annotate.sessions.image_names import picture_name
from refiner.annotate.sessions.session import Session
from refiner.errors import OutputExistsError
from refiner.files import write_json
from refiner.geometry.depth import to_mm

LABELS = "labels.json"


def write_pictures(
    session: Session, folder: Path, frames: Sequence[int], *, raw: bool = False, overwrite: bool = False
) -> None:
    """Write a picture of each frame, and `labels.json` with all these images and what is labelled of them.

    Args:
        session: Whose crops.
        folder: Made whole or not at all.
        frames: Which frames.
        raw: Write the stored numbers of 16 bits, in units of the store's `depth_unit_mm`, instead of shaded pictures.
        overwrite: Replace the folder where it exists.

    Raises:
        OutputExistsError: The folder exists.
    """
    if folder.exists() and not overwrite:
        raise OutputExistsError(f"{folder} exists. Give another name, or --overwrite.")
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = folder.with_name(f".{folder.name}.{uuid.uuid4().hex[:8]}.partial")
    temporary.mkdir()
    try:
        for frame in frames:
            picture = session.store.read("depth", frame, frame + 1)[0] if raw else shaded(session, frame)
            done, data = cv2.imencode(".png", picture)
            assert done, "OpenCV writes 8 and 16 bits of one channel"
            (temporary / picture_name(frame)).write_bytes(data.tobytes())
        labels = [one for one in session.all_labels() if one.frame in set(frames)]
        names = {frame: picture_name(frame) for frame in frames}
        write_json(temporary / LABELS, coco_of(labels, session.skeleton, names, session.store.size, "half"))
        if folder.exists():
            shutil.rmtree(folder)
        os.replace(temporary, folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def shaded(session: Session, frame: int) -> NDArray[np.uint8]:
    """Draw a crop in greys: near is bright, and surfaces are lit from the upper left."""
    store = session.store
    depth_mm = to_mm(store.read("depth", frame, frame + 1)[0], store.depth_unit_mm)
    centre_mm, cube_mm = (store.read(name, frame, frame + 1)[0] for name in ("centre_mm", "cube_mm"))
    near_mm, far_mm = centre_mm[2] - cube_mm / 2, centre_mm[2] + cube_mm / 2
    return viz.shade_relief(depth_mm, float(near_mm), float(far_mm), float(cube_mm) / store.size)
