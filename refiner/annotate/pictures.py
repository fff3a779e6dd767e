"""The crops of a session as pictures, with its labels, to be labelled in another tool.

Pictures have the size of the crops, so that a click there is a click here. The labels beside them are as the tool knows
them: pixel centres at halves, images named and not numbered. `refiner annotate import` takes back what it writes.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from refiner import viz
from refiner.annotate.exchange.image_names import picture_name
from refiner.annotate.exchange.record import Pictures
from refiner.annotate.exchange.writing import WRITERS, Tool
from refiner.annotate.sessions.session import Session
from refiner.datasets.store import DepthStore
from refiner.errors import OutputExistsError
from refiner.files import partial_folder, remove
from refiner.geometry.depth import to_mm


def write_pictures(
    session: Session,
    folder: Path,
    frames: Sequence[int],
    *,
    tool: Tool = "coco",
    raw: bool = False,
    overwrite: bool = False,
) -> None:
    """Write a picture of each frame, and for a tool all these images and what is labelled of them.

    Args:
        session: Whose crops.
        folder: Made whole or not at all.
        frames: Which frames.
        tool: Whose format the labels have.
        raw: Write the stored numbers of 16 bits, in units of the store's `depth_unit_mm`, instead of shaded pictures.
        overwrite: Replace the folder where it exists.

    Raises:
        OutputExistsError: The folder exists.
    """
    if folder.exists() and not overwrite:
        raise OutputExistsError(f"{folder} exists. Give another name, or --overwrite.")
    names = {frame: picture_name(frame) for frame in frames}
    with partial_folder(folder) as made:
        for start, stop in session.store.chunk_ranges():
            rows = [frame - start for frame in frames if start <= frame < stop]
            if rows:
                pictures = read_pictures(session.store, start, stop, rows, raw=raw)
                for row, picture in zip(rows, pictures, strict=True):
                    done, data = cv2.imencode(".png", picture)
                    assert done, "OpenCV writes 8 and 16 bits of one channel"
                    (made / names[start + row]).write_bytes(data.tobytes())
        labels = [one for one in session.all_labels() if one.frame in names]
        _, write = WRITERS[tool]
        write(made, Pictures(folder.resolve().name, names, labels, session.skeleton, session.store.size))
        if folder.exists():
            remove(folder)


def read_pictures(
    store: DepthStore, start: int, stop: int, rows: Sequence[int], *, raw: bool
) -> Iterator[NDArray[np.uint16] | NDArray[np.uint8]]:
    """Read some rows of a chunk: as they are stored, or in greys, near is bright and lit from the upper left."""
    depth, centre_mm, cube_mm = (store.read(name, start, stop) for name in ("depth", "centre_mm", "cube_mm"))
    for row in rows:
        if raw:
            yield depth[row]
            continue
        z_mm, side_mm = float(centre_mm[row, 2]), float(cube_mm[row])
        depth_mm = to_mm(depth[row], store.depth_unit_mm)
        yield viz.shade_relief(depth_mm, z_mm - side_mm / 2, z_mm + side_mm / 2, side_mm / store.size)
