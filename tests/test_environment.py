"""The set-up, against package indexes in folders, whose wheels are stand-ins of a few bytes."""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[1] / ".ci/environment.py"
PYTHON = getattr(sys, "_base_executable", sys.executable)  # an environment made by uv has no pip
pytestmark = pytest.mark.skipif(Path("/proc/driver/nvidia/version").exists(), reason="a driver takes any build")


def put_wheel(index, name, version, requires=()):
    """Write a package that holds nothing, and the page of the index that links to it."""
    stem = f"{name.replace('-', '_')}-{version}"
    folder = index / name
    folder.mkdir(parents=True, exist_ok=True)
    info = f"{stem}.dist-info"
    metadata = [f"Name: {name}", f"Version: {version}", *(f"Requires-Dist: {package}" for package in requires)]
    with zipfile.ZipFile(folder / f"{stem}-py3-none-any.whl", "w") as wheel:
        wheel.writestr(f"{info}/METADATA", "\n".join(["Metadata-Version: 2.1", *metadata, ""]))
        wheel.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        wheel.writestr(f"{info}/RECORD", "")
    links = [f'<a href="{path.name}">{path.name}</a>' for path in sorted(folder.glob("*.whl"))]
    (folder / "index.html").write_text("\n".join(["<!DOCTYPE html><html><body>", *links, "</body></html>"]))


@pytest.fixture
def indexes(tmp_path):
    """Three: one of CUDA builds, as the public one is; one of CPU builds; one that cannot be reached."""
    cuda, cpu = tmp_path / "cuda", tmp_path / "cpu"
    put_wheel(cuda, "torch", "2.13.0", ["nvidia-cublas"])
    put_wheel(cuda, "nvidia-cublas", "1.0")
    put_wheel(cuda, "tool", "1.0", ["torch"])
    put_wheel(cpu, "torch", "2.13.0+cpu")
    put_wheel(cpu, "tool", "0.9", ["torch"])
    (tmp_path / "constraints.txt").write_text("torch==2.13.0\n")
    return {"cuda": cuda.as_uri(), "cpu": cpu.as_uri(), "none": (tmp_path / "none").as_uri()}


def set_up(tool, index, cpu_index, **settings):
    """Run the script with one index configured and another for the CPU build; return it and what is installed."""
    if tool == "uv" and shutil.which("uv") is None:
        pytest.skip("uv is not installed")
    paths = [p for p in os.environ["PATH"].split(":") if tool == "uv" or not (Path(p) / "uv").exists()]
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PIP_", "UV_"))}
    kept |= {"PATH": ":".join(paths), "PIP_CONFIG_FILE": os.devnull, "PIP_INDEX_URL": index, "CPU_INDEX": cpu_index}
    run = subprocess.run(
        [PYTHON, str(SCRIPT), "venv", "tool"], capture_output=True, text=True, env={**kept, **settings}
    )
    installed = {path.name.split(".dist")[0] for path in Path("venv").glob("lib/*/site-packages/*.dist-info")}
    return run, {name for name in installed if not name.startswith(("pip", "setuptools"))}


@pytest.fixture(autouse=True)
def in_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("tool", ["pip", "uv"])
def test_an_index_with_a_cpu_build_is_used_as_it_is(tool, indexes):
    run, installed = set_up(tool, indexes["cpu"], indexes["none"])
    assert (run.returncode, run.stdout) == (0, ""), run.stderr
    assert installed == {"torch-2.13.0+cpu", "tool-0.9"}


@pytest.mark.parametrize("tool", ["pip", "uv"])
def test_without_one_the_cpu_build_comes_from_the_other_index(tool, indexes):
    run, installed = set_up(tool, indexes["cuda"], indexes["cpu"])
    assert run.returncode == 0, run.stderr
    assert run.stdout == f"No NVIDIA driver: taking the CPU build of torch from {indexes['cpu']}\n"
    assert installed == {"torch-2.13.0+cpu", "tool-1.0"}


@pytest.mark.parametrize("tool", ["pip", "uv"])
def test_where_that_cannot_be_reached_the_set_up_stops(tool, indexes):
    run, installed = set_up(tool, indexes["cuda"], indexes["none"])
    assert run.returncode == 2
    assert (
        "has no NVIDIA driver, but the package index has only the CUDA build of torch (several GB), and" in run.stderr
    )
    assert "Set CPU_INDEX" in run.stderr
    assert installed == set()


def test_cuda_takes_what_the_index_offers(indexes):
    run, installed = set_up("pip", indexes["cuda"], indexes["none"], CUDA="1")
    assert run.returncode == 0, run.stderr
    assert installed == {"torch-2.13.0", "nvidia_cublas-1.0", "tool-1.0"}
