"""What maps can still tell of a camera that were cropped and resampled before anybody measured.

A crop averages the camera's pixels over its own, so strength, correlation, steps and patterns of what one pixel reads
are gone. It holds no reading where the nearest of the camera's pixels holds none
(see `refiner.geometry.crop.crop_cube`): shares of lost pixels survive, sizes of holes do not. Background is cut away.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from refiner.errors import UsageError
from refiner.sensors.measure.estimates import Bootstrap, Estimate
from refiner.sensors.measure.losses import loss_sums, measure_losses
from refiner.sensors.measure.names import MEASURES
from refiner.sensors.measure.rims import measure_rims, rim_sums
from refiner.sensors.measure.shadows import measure_shadows, shadow_sums
from refiner.sensors.measure.window import HandWindow, find_hand_in

_SAME_PX = 1.25
"""Up to this number of camera pixels along one pixel of a map, the map shows camera pixels one by one."""
_AVERAGED = "the crop averages the camera's pixels over its own"
_RESAMPLED = "pixels of the map are not the camera's, which alternate or step at places that are lost"
_SIZES = (
    "sizes and distances in the camera's pixels are lost where several of them make one of the map's, or no one knows"
)
_CUT = "the background was cut away"
_RARE = "too few places in these maps show it"


def why_not(name: str) -> str:
    """Return why crops cannot tell a measure of `MEASURES`."""
    if name.startswith(("unit", "step", "rows", "columns")):
        return _RESAMPLED
    if name.startswith("noise"):
        return _AVERAGED
    if name.startswith("shadow_background"):
        return _CUT
    if name.startswith(("rim", "lost_single", "lost_blot")) or "_outline_" in name or name.endswith("_px"):
        return _SIZES
    return _RARE


def measure_crops(
    depth_mm: NDArray[np.float32],
    camera: ArrayLike,
    centre_mm: ArrayLike,
    cube_mm: ArrayLike,
    camera_px: float | None = None,
    seed: int = 0,
) -> dict[str, Estimate | None]:
    """Measure what crops can still tell of a camera.

    A gap that fingers enclose is taken for a hole: crops hold no background that would show through it.

    Args:
        depth_mm: (N, H, W) maps in the order of the recording, 0 = no reading or outside the cube.
        camera: (N, 4) fx fy cx cy of each map, px.
        centre_mm: (N, 3) centres of the cubes.
        cube_mm: (N,) their sides.
        camera_px: Pixels of the camera along one of the map, at the median; nothing where it is unknown.
        seed: Of the bootstrap.

    Returns:
        For each name of `MEASURES` a value with its 95 % interval, or nothing where it cannot be told; see `why_not`.

    Raises:
        UsageError: There is no map.
    """
    if not len(depth_mm):
        raise UsageError("No map to measure a camera from; wanted one and more. Give a store with maps of hands.")
    windows = _windows(depth_mm, np.asarray(camera), np.asarray(centre_mm), np.asarray(cube_mm))
    hands = [find_hand_in(window) for window in windows]
    bootstrap = Bootstrap(len(hands), seed)
    result: dict[str, Estimate | None] = dict.fromkeys(MEASURES)
    losses = [loss_sums(hand, 0.0) for hand in hands]
    found = measure_losses({name: np.array([sums[name] for sums in losses]) for name in losses[0]}, bootstrap)
    found |= measure_shadows(np.array([shadow_sums(hand) for hand in hands]), bootstrap)
    rims = [rim_sums(hand, 0.0) for hand in hands]
    found |= measure_rims({name: np.array([sums[name] for sums in rims]) for name in rims[0]}, bootstrap)
    one_by_one = camera_px is not None and camera_px <= _SAME_PX
    for name, estimate in found.items():
        if name.startswith("shadow_background"):
            continue
        if why_not(name) == _RARE or one_by_one:
            result[name] = estimate
    width = found["shadow_hand_px"]
    if camera_px is not None and width is not None:
        result["shadow_hand_px"] = Estimate(*(camera_px * value for value in width))
    return result


def _windows(
    depth_mm: NDArray[np.float32], camera: NDArray, centre_mm: NDArray, cube_mm: NDArray
) -> Sequence[HandWindow]:
    """Return crops as windows, with a border of a pixel without readings, so that all around them is outline."""
    return [
        HandWindow(
            np.pad(np.asarray(map_, np.float32), 1),
            own + np.array([0, 0, 1, 1]),
            (0, 0),
            float(centre[2] - cube / 2),
            float(centre[2] + cube / 2),
            centre,
        )
        for map_, own, centre, cube in zip(depth_mm, camera, centre_mm, cube_mm, strict=True)
    ]
