"""A picture of a camera: renders above what it sees, shaded.

python -m experiments.zoo.sheet CAMERA --sets DIR --out FILE.png
"""

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from experiments.sheets import COLUMNS, save_sheet
from refiner.datasets.store import DepthStore
from refiner.geometry.depth import to_mm
from refiner.viz import shade_relief


def shaded(path: Path, count: int) -> list[NDArray[np.uint8]]:
    """Return the first maps of a store in greys; missing readings are dark blue."""
    store = DepthStore(path)
    shown = min(count, len(store))
    pictures = []
    for depth, centre_mm, cube_mm in zip(
        *(store.read(name, 0, shown) for name in ("depth", "centre_mm", "cube_mm")), strict=True
    ):
        depth_mm, z = to_mm(depth, store.depth_unit_mm), float(centre_mm[2])
        grey = shade_relief(depth_mm, z - cube_mm / 2, z + cube_mm / 2, cube_mm / len(depth_mm))
        picture = np.repeat(grey[..., None], 3, axis=2)
        picture[depth_mm <= 0] = (25, 25, 60)
        pictures.append(picture)
    return pictures


def write_sheet(sets: Path, out: Path, title: str) -> None:
    """Write a sheet of eight renders and eight maps of a camera.

    Args:
        sets: Folder of `make_sets`.
        out: PNG to write.
        title: Name of the camera.
    """
    titles = {"synthetic": f"{title}: renders", "camera": f"{title}: the camera's maps"}
    save_sheet(out, {words: shaded(sets / f"{kind}.zarr", COLUMNS) for kind, words in titles.items()})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("camera")
    parser.add_argument("--sets", type=Path, required=True, help="folder of make_sets")
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    write_sheet(arguments.sets, arguments.out, arguments.camera)
    print(f"wrote {arguments.out}: 1 sheet")


if __name__ == "__main__":
    main()
