"""The wheel holds everything that the command needs at run time."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """Build the wheel and unpack it where the checkout is not."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    subprocess.run(command, check=True, capture_output=True)
    (wheel,) = folder.glob("depth_refiner-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "site")
    return folder / "site"


def run_in(site, cwd, script):
    environment = {**os.environ, "PYTHONPATH": str(site), "NUMBA_CACHE_DIR": str(cwd / "numba")}
    return subprocess.run(
        [sys.executable, "-c", script], cwd=cwd, env=environment, capture_output=True, text=True, check=False
    )


def test_the_wheel_holds_code_assets_licences_and_recipes(installed):
    names = {path.relative_to(installed).as_posix() for path in installed.rglob("*")}
    assert {
        "refiner/cli/main.py",
        "refiner/hand/assets/hand.npz",
        "refiner/configs/simgan/fast.yaml",
        "refiner/web/turing.html",
    } <= names
    assert not any(name.startswith(("tests", "experiments", "data/")) for name in names)


@pytest.mark.slow  # compiles everything anew
def test_it_renders_away_from_the_checkout(installed, tmp_path):
    script = (
        "import refiner, sys; from refiner.cli.main import main; print(refiner.__file__);"
        "sys.exit(main(['render', 'a.zarr', '--count', '2', '--size', '32']) or main(['inspect', 'a.zarr']))"
    )
    done = run_in(installed, tmp_path, script)
    assert done.returncode == 0, done.stderr
    assert str(installed) in done.stdout
    assert done.stdout.strip().endswith("whole")


def test_recipes_are_found_away_from_the_checkout(installed, tmp_path):
    script = (
        "import sys; from refiner.cli.main import main;"
        "sys.exit(main(['train', '--config', 'simgan/fast.yaml', '--print_config']))"
    )
    done = run_in(installed, tmp_path, script)
    assert done.returncode == 0, done.stderr
    assert "ComposedRefiner" in done.stdout
