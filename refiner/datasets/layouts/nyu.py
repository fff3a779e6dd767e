"""The layout `nyu`: the NYU hand pose set of Tompson et al. 2014, one of its folders `train` or `test`.

    joint_data.mat                  joint_xyz [3 views, frames, 36, 3] in mm, **y up**
    depth_{view}_{frame:07d}.png    640 x 480, 8-bit colours that hold 16 bits: mm = G * 256 + B, 0 = no reading
    synthdepth_{view}_{frame:07d}.png   the same frame rendered, without a background

Views are 1 (front), 2 and 3 (sides); frames count from 1. All views share one set of intrinsics. Of the 36 labels the
protocol evaluates 14 (see `NYU14`), and crops about the palm, the last of them. The 14 were checked over the public
loaders of deep-prior-pp, V2V, AWR, A2J and mmpose.
"""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.io import loadmat
from scipy.io.matlab import MatReadError

from refiner.datasets.layouts.camera_file import Camera, GivenCamera
from refiner.datasets.layouts.frame import Frame
from refiner.errors import DatasetNotFoundError, DepthFormatError
from refiner.sensors.catalogue import CATALOGUE

CAMERA: Camera = CATALOGUE["kinect1-nyu"].camera
EVALUATED = (0, 3, 6, 9, 12, 15, 18, 21, 24, 25, 27, 30, 31, 32)
"""Of the 36 labels, in the order of `NYU14`."""

CUBE_MM = 300.0
LABELS = "joint_data.mat"


def list_nyu(
    src: Path,
    camera: GivenCamera | None,
    depth_unit_mm: float | None,
    *,
    kind: Literal["real", "synthetic"] = "real",
    mask_with_synthetic: bool = False,
    views: Sequence[int] = (1,),
) -> list[Frame]:
    """List the frames of one folder, `train` or `test`.

    Args:
        src: The folder.
        camera: Overrides the set's own.
        depth_unit_mm: Overrides 1 mm.
        kind: The camera's maps, or the renders beside them.
        mask_with_synthetic: Real readings are kept only where the render of the frame has one, as the paper did.
        views: Which of the three cameras, one sequence each; the benchmark uses the first.

    Raises:
        DatasetNotFoundError: The folder, its labels or its maps are missing.
        DepthFormatError: The labels are something else.
    """
    labels = _read_labels(src / LABELS)
    stem = {"real": "depth", "synthetic": "synthdepth"}[kind]
    frames: list[Frame] = []
    for sequence, view in enumerate(views):
        for index, joints_mm in enumerate(labels[view - 1]):
            path = src / f"{stem}_{view}_{index + 1:07d}.png"
            if not path.exists():
                continue  # a part of the set is a set
            load = partial(read_masked, stem=stem) if mask_with_synthetic and kind == "real" else read_packed
            frames.append(
                Frame(
                    path=path,
                    source=path.name,
                    sequence=sequence,
                    frame=index,
                    given=camera or GivenCamera(CAMERA),
                    depth_unit_mm=depth_unit_mm or 1.0,
                    load=load,
                    joints_mm=joints_mm,
                    centre_mm=joints_mm[-1].astype(np.float64),
                )
            )
    if not frames:
        raise DatasetNotFoundError(
            f"No map in {src}: found none of the {sum(len(labels[view - 1]) for view in views)} labelled "
            f"{stem}_VIEW_FRAME.png of view {', '.join(map(str, views))}. Give the folder `train` or `test` of NYU, "
            "and the --views that are in it."
        )
    return frames


def read_packed(path: Path) -> NDArray[np.uint16]:
    """Read a map whose 16 bits lie in two colours: (H, W) mm.

    Raises:
        DepthFormatError: The file cannot be read, or is no colour image of 8 bits.
    """
    data = path.read_bytes() if path.exists() else b""
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED) if b"IEND" in data[-64:] else None
    if image is None or image.ndim != 3 or image.dtype != np.uint8:
        found = f"{len(data)} bytes that are damaged or cut short" if image is None else f"{image.shape} {image.dtype}"
        raise DepthFormatError(
            f"{path} is no map of NYU: found {found}, wanted an 8-bit colour PNG (mm = G * 256 + B)."
        )
    blue, green = image[..., 0], image[..., 1]
    return np.left_shift(green.astype(np.uint16), 8) | blue.astype(np.uint16)  # cast first: 8 bits would overflow


def read_masked(path: Path, stem: str) -> NDArray[np.uint16]:
    """Read a real map, and keep what the render of the same frame covers."""
    rendered = read_packed(path.with_name(path.name.replace(stem, "synthdepth", 1)))
    return np.where(rendered > 0, read_packed(path), 0).astype(np.uint16)


def _read_labels(path: Path) -> NDArray[np.float32]:
    """Give the 14 evaluated joints of all views: (3, frames, 14, 3) mm, y down."""
    if not path.is_file():
        raise DatasetNotFoundError(
            f"No labels at {path}: wanted the folder `train` or `test` of NYU with its {LABELS}."
        )
    try:
        joints: NDArray[Any] = np.asarray(loadmat(path, variable_names=["joint_xyz"])["joint_xyz"], np.float32)
    except (OSError, ValueError, KeyError, NotImplementedError, MatReadError) as error:
        raise DepthFormatError(f"{path} holds no joint_xyz: {error}. Take the file of the original set.") from error
    if joints.ndim != 4 or joints.shape[0] != 3 or joints.shape[2:] != (36, 3):
        raise DepthFormatError(f"{path}: joint_xyz has the shape {joints.shape}, wanted (3, frames, 36, 3).")
    return joints[:, :, EVALUATED] * np.array([1, -1, 1], np.float32)
