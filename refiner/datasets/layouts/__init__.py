"""Readers of public layouts: each lists the frames of a recording; one file a layout, one line in the table below."""

from collections.abc import Callable
from pathlib import Path

from refiner.datasets.layouts.folder import list_folder
from refiner.datasets.layouts.frame import ASSUMED_FOCAL_PX, Camera, DepthMap, Frame

__all__ = ["ASSUMED_FOCAL_PX", "LAYOUTS", "Camera", "DepthMap", "Frame"]

LAYOUTS: dict[str, Callable[[Path, Camera | None, float | None], list[Frame]]] = {
    "folder": list_folder,
}
"""Name -> function of (recording, camera or none, depth unit or none); what is given overrides the recording's."""
