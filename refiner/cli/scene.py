"""Scene files: how hands are turned, what they do and what a sensor does to them, where that is not the default."""

from typing import TYPE_CHECKING, Any

import yaml

from refiner.cli.recipes import shipped
from refiner.errors import UsageError

if TYPE_CHECKING:
    from refiner.hand.limits import HandPrior
    from refiner.render.scene import Viewpoints
    from refiner.sensors.sense import CameraModel


def read_scene(
    name: str | None, model: "CameraModel | None" = None
) -> "tuple[Viewpoints, HandPrior, CameraModel | None]":
    """Read a scene file.

    Args:
        name: A YAML file, or one of the shipped recipes such as render/facing.yaml; none gives the defaults. It may
            have the sections `views`, `hands` and `sensor`, with those fields of
            `refiner.render.scene.Viewpoints`, `refiner.hand.limits.HandPrior` and the camera model's class that differ.
        model: The camera model that the section `sensor` changes; without one there must be no such section.

    Returns:
        Views, hands and the camera model.

    Raises:
        UsageError: There is no such file, or it says what cannot be.
    """
    from jsonargparse import ArgumentError, ArgumentParser

    from refiner.hand.limits import HandPrior
    from refiner.render.scene import Viewpoints

    defaults: dict[str, Any] = {"views": Viewpoints(), "hands": HandPrior()}
    defaults |= {} if model is None else {"sensor": model}
    given = _sections(name, list(defaults)) if name is not None else {}
    parser = ArgumentParser(exit_on_error=False)
    for section, default in defaults.items():
        parser.add_argument(f"--{section}", type=type(default), default=default)
    try:
        made = parser.instantiate(parser.parse_object(given))
    except (ArgumentError, ValueError) as error:
        raise UsageError(f"{name}: {' '.join(str(error).split())} See configs/render/facing.yaml.") from None
    return made["views"], made["hands"], None if model is None else made["sensor"]


def _sections(name: str, known: list[str]) -> dict[str, dict[str, object]]:
    path = shipped(name)
    try:
        given = yaml.safe_load(path.read_text()) or {}
    except (OSError, yaml.YAMLError) as error:
        raise UsageError(f"Found the scene {name!r}, wanted a YAML file: {' '.join(str(error).split())}") from None
    if not isinstance(given, dict) or not set(given) <= set(known):
        found = ", ".join(map(str, given)) if isinstance(given, dict) else repr(given)
        raise UsageError(
            f"{name} has the sections {found}, wanted some of {', '.join(known)}"
            f"{'' if 'sensor' in known else ' (and sensor, where --sensor names a camera)'}."
        )
    return given
