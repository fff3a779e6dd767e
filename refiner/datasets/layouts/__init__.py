"""Readers of public layouts: each lists the frames of a recording; one file a layout, one line in the table below."""

from collections.abc import Callable

from refiner.datasets.layouts.camera_file import Camera, GivenCamera
from refiner.datasets.layouts.folder import list_folder
from refiner.datasets.layouts.frame import ASSUMED_FOCAL_PX, ASSUMED_UNIT_MM, DepthMap, Frame
from refiner.datasets.layouts.nyu import list_nyu
from refiner.hand.skeleton import NYU14

__all__ = [
    "ASSUMED_FOCAL_PX", "ASSUMED_UNIT_MM", "LAYOUTS", "SKELETONS_OF", "Camera", "DepthMap", "Frame", "GivenCamera",
]  # fmt: skip

LAYOUTS: dict[str, Callable[..., list[Frame]]] = {
    "folder": list_folder,
    "nyu": list_nyu,
}
"""Name -> function of (recording, camera or none, depth unit or none); what is given overrides the recording's. More
options of a layout are named arguments."""

SKELETONS_OF = {"nyu": NYU14}
"""Joint set of the layouts that have labels."""
