"""The cameras of the zoo by name, as `experiments/zoo.yaml` lists them."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from experiments.zoo.cameras_blots import Blots
from experiments.zoo.cameras_lost_pixels import LostPixels
from experiments.zoo.cameras_multipath import Multipath
from experiments.zoo.capsule_scene import Pixels, Scene
from experiments.zoo.foreign_camera import ALONE, PACKAGES, Foreign
from experiments.zoo.surfaces import Map, rounded
from refiner.errors import UsageError
from refiner.sensors.models.active_stereo import ActiveStereo
from refiner.sensors.models.structured_light import StructuredLight
from refiner.sensors.models.time_of_flight import TimeOfFlight
from refiner.sensors.sense import CameraModel, sense

MODELS: dict[str, type] = {
    "lost-pixels": LostPixels,
    "multipath": Multipath,
    "blots": Blots,
    "foreign": Foreign,
    "structured-light": StructuredLight,
    "tof": TimeOfFlight,
    "active-stereo": ActiveStereo,
}
"""The last three are the package's own analytic models; the others share no code with them."""
ZOO = Path(__file__).parent.parent / "zoo.yaml"
SETS = ("synthetic", "camera", "test")
_NOISE = 0x6E6F697365


@dataclass(frozen=True, eq=False)
class ZooCamera:
    """One camera.

    Attributes:
        name: As listed.
        model: What it does to a scene.
        pixels: Its image, and where hands are.
        unit_mm: Step of its readings.
        seeds: Seed of each of the sets `SETS`.
        final: Whether it is kept apart until the end.
    """

    name: str
    model: Any
    pixels: Pixels
    unit_mm: float
    seeds: dict[str, int]
    final: bool

    def see(
        self, scenes: Sequence[Scene], *, seed: int, items: Sequence[int], attempts: Sequence[int], folder: Path
    ) -> list[Map]:
        """See scenes.

        Args:
            scenes: One for each item.
            seed: With item and attempt it fixes every byte.
            items: Their numbers.
            attempts: Which scene of its item each is.
            folder: Where the environment of other people's code lies, or will, where that is needed.

        Returns:
            For each (rows, columns) readings of the scene's window in mm, whole `unit_mm`, 0 where there is none.
        """
        keys = [(_NOISE, seed, item, attempt) for item, attempt in zip(items, attempts, strict=True)]
        if isinstance(self.model, Foreign):
            seen = self.model.see_all(scenes, self.pixels, keys, folder)
        else:
            seen = [self._see(scene, key) for scene, key in zip(scenes, keys, strict=True)]
        return [rounded(depth_mm, self.unit_mm) for depth_mm in seen]

    def _see(self, scene: Scene, key: tuple[int, int, int, int]) -> Map:
        if isinstance(self.model, CameraModel):
            # It is given what lies behind the hand, too, so a time-of-flight model draws no wall of its own into it.
            _, seed, item, attempt = key
            return sense(scene.scene_mm, self.pixels.intrinsics, self.model, seed=seed * 1000 + attempt, item=item,
                         origin=scene.origin)  # fmt: skip
        return self.model.see(scene.scene_mm, self.pixels.focal_px, scene.origin, np.random.default_rng(key))

    def describe(self) -> dict[str, Any]:
        """Return all that its sets depend on, in plain types."""
        return {
            "name": self.name,
            "model": type(self.model).__name__,
            "settings": asdict(self.model),
            "packages": [*PACKAGES, *ALONE] if isinstance(self.model, Foreign) else [],
            "pixels": asdict(self.pixels),
            "unit_mm": self.unit_mm,
        }


def zoo_camera(name: str, settings: Mapping[str, Any]) -> ZooCamera:
    """Make a camera from its entry in `experiments/zoo.yaml`.

    Args:
        name: Of the camera.
        settings: `model`, `settings` of it that differ from its defaults, `image_px`, `focal_px`, `distance_mm`,
            `unit_mm`, `seeds`, and optionally `final`.

    Raises:
        UsageError: There is no such model, or a key is missing or not known.
    """
    wanted = {"model", "settings", "image_px", "focal_px", "distance_mm", "unit_mm", "seeds"}
    if not wanted <= set(settings) <= {*wanted, "final"}:
        raise UsageError(f"Camera {name}: found the keys {sorted(settings)}, wanted {sorted(wanted)} and maybe final.")
    if settings["model"] not in MODELS:
        raise UsageError(f"Camera {name}: found the model {settings['model']!r}, wanted one of {sorted(MODELS)}.")
    model, given = MODELS[settings["model"]], settings["settings"] or {}
    unknown = set(given) - {field.name for field in fields(model)}
    if unknown or set(settings["seeds"]) != set(SETS):
        raise UsageError(
            f"Camera {name}: found the settings {sorted(unknown)} that {model.__name__} does not have, or the seeds "
            f"{sorted(settings['seeds'])} where {list(SETS)} are wanted."
        )
    made = model(**{key: tuple(value) if isinstance(value, list) else value for key, value in given.items()})
    columns, rows = settings["image_px"]
    near_mm, far_mm = settings["distance_mm"]
    pixels = Pixels(columns, rows, settings["focal_px"], near_mm, far_mm)
    return ZooCamera(name, made, pixels, settings["unit_mm"], dict(settings["seeds"]), bool(settings.get("final")))
