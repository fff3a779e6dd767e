"""No number that only one camera has stands in networks, game, renderer or recipes."""

import io
import tokenize
from pathlib import Path

import pytest
import yaml

from refiner.sensors.catalogue import CATALOGUE

ROOT = Path(__file__).parents[1]
KEYS = {"focal_px", "camera_px", "step_mm", "row_offset", "dots_per_px", "rim_shift", "baseline_mm"}
"""Facts of a camera that some network can be told."""
NUMBERS = {number for sensor in CATALOGUE.values() for number in sensor.camera if number not in (120, 160, 240, 320)}
"""Focal lengths and principal points; halves of common image sizes say nothing."""


def numbers_in(source):
    """Numbers in the code of a module, comments and docstrings left out."""
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    return {
        float(token.string.replace("_", ""))
        for token in tokens
        if token.type == tokenize.NUMBER and token.string.replace("_", "").replace(".", "").isdigit()
    }


def leaves(value):
    """Keys and numbers of nested settings."""
    if isinstance(value, dict):
        for key, below in value.items():
            yield key
            yield from leaves(below)
    elif isinstance(value, list):
        for below in value:
            yield from leaves(below)
    elif isinstance(value, (int, float)):
        yield value


def test_such_numbers_are_found():
    assert numbers_in("focal = 363.9  # and 575.0") & NUMBERS == {363.9}
    assert set(leaves({"model": {"focal_px": [363.9]}})) == {"model", "focal_px", 363.9}


@pytest.mark.parametrize("package", ["nets", "simgan", "render"])
def test_code_knows_no_camera(package):
    for path in sorted((ROOT / "refiner" / package).rglob("*.py")):
        assert numbers_in(path.read_text()) & NUMBERS == set(), path


@pytest.mark.parametrize("path", sorted((ROOT / "configs").rglob("*.yaml")), ids=lambda path: path.name)
def test_recipes_know_no_camera(path):
    assert set(leaves(yaml.safe_load(path.read_text()))) & (KEYS | NUMBERS) == set()
