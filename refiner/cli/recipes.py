"""Recipes that come with the package: configs/ of a checkout, refiner/configs of an installed wheel."""

from pathlib import Path


def shipped(name: str) -> Path:
    """Give the path of a file, or of the recipe of that name where the current folder has no such file."""
    package = Path(__file__).resolve().parent.parent
    if not Path(name).exists():
        for folder in (package / "configs", package.parent / "configs"):
            if (folder / name).is_file():
                return folder / name
    return Path(name)
