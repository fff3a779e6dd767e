"""Whether refined maps come to look like the camera's, in numbers that have names.

A run's accuracy says that something is wrong with its maps, and not what. Here each statistic of the held-out maps
stands beside the camera's; one that training does not move towards it is named.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from refiner.geometry.holes import hole_rate
from refiner.sensors.residuals import noise_correlation, noise_mm_of
from refiner.sensors.statistics import edge_profile_mm

Maps = NDArray[np.float32]
"""(n, H, W), mm, 0 = no reading."""

_CLOSE = 0.1
"""Share of the camera's value by which a statistic may differ."""
_MOVED = 0.9
"""A statistic moves where it comes nearer to the camera's than this share of the renders' distance."""

STATISTICS: dict[str, tuple[str, str, Callable[[Maps], float]]] = {
    "hole_rate": ("share of holes", "{:.2%}", lambda maps: hole_rate(maps > 0)),
    "noise_mm": ("noise", "{:.2f} mm", noise_mm_of),
    "noise_correlation": ("correlation of neighbours' noise", "{:.2f}", noise_correlation),
    "rim_mm": ("rims behind the surface", "{:.1f} mm", lambda maps: float(edge_profile_mm(maps).mean())),
}
"""Name -> what it is, how it is written, and how it is measured."""


class Beside(NamedTuple):
    """A statistic of three kinds of maps.

    Attributes:
        renders: Of the renders.
        refined: Of what the refiner makes of them.
        camera: Of the camera's maps.
        chance: How far two halves of the camera's maps are apart.
    """

    renders: float
    refined: float
    camera: float
    chance: float

    @property
    def is_stuck(self) -> bool:
        """Whether the renders' value is not the camera's, and the refined maps' is hardly nearer to it."""
        enough = max(_CLOSE * abs(self.camera), self.chance)
        off, was_off = abs(self.refined - self.camera), abs(self.renders - self.camera)
        return was_off > enough and off > enough and off > _MOVED * was_off


def measure(renders_mm: Maps, refined_mm: Maps, camera_mm: Maps) -> dict[str, Beside]:
    """Measure held-out maps; the camera's are others than the renders."""
    return {
        name: Beside(
            *(statistic(maps) for maps in (renders_mm, refined_mm, camera_mm)),
            chance=abs(statistic(camera_mm[::2]) - statistic(camera_mm[1::2])),
        )
        for name, (_, _, statistic) in STATISTICS.items()
    }


def stuck(measured: dict[str, Beside]) -> list[str]:
    """Return a sentence for each statistic that has not moved towards the camera's."""
    sentences = []
    for name, beside in measured.items():
        what, form, _ = STATISTICS[name]
        if beside.is_stuck:
            refined, renders, camera = (form.format(v) for v in (beside.refined, beside.renders, beside.camera))
            sentences.append(
                f"{what} (val/{name}): {refined} in refined maps, {renders} in renders, {camera} in camera maps: "
                "it has not moved towards the camera's"
            )
    return sentences
