"""Make the environment from nothing, with the versions of constraints.txt: environment.py VENV REQUIREMENT ...

`uv` does it where it is installed, else pip; uv is told what pip is configured with. On a machine without an NVIDIA
driver the CPU build of torch is taken: from the index that is configured where that has one, else from CPU_INDEX.
CUDA=1 takes what the index offers.
"""

import json
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

CPU_INDEX = os.environ.get("CPU_INDEX") or "https://download.pytorch.org/whl/cpu"
DRIVER = Path("/proc/driver/nvidia/version")
CONSTRAINTS = ["-c", "constraints.txt"]


def main(venv: str, *requirements: str) -> int:
    """Make the environment; return the exit status."""
    install = make_environment(Path(venv))
    index: list[str] = []
    if not DRIVER.exists() and not os.environ.get("CUDA") and brings_cuda(install, []):
        index = ["--extra-index-url", CPU_INDEX]
        if brings_cuda(install, index) is not False:
            print(
                "This machine has no NVIDIA driver, but the package index has only the CUDA build of torch (several "
                f"GB), and {CPU_INDEX} cannot be reached or has no CPU build of the version in constraints.txt. Set "
                "CPU_INDEX to an index that has, or CUDA=1 to go on all the same.",
                file=sys.stderr,
            )
            return 2
        print(f"No NVIDIA driver: taking the CPU build of torch from {CPU_INDEX}", flush=True)
    run([*install, "--quiet", *CONSTRAINTS, *index, "torch", *requirements])
    return 0


def make_environment(venv: Path) -> list[str]:
    """Make an empty environment, and return the words of the command that installs into it."""
    shutil.rmtree(venv, ignore_errors=True)
    python = venv / "bin/python"
    if uv := shutil.which("uv"):
        run([uv, "venv", "--quiet", "--python", sys.executable, str(venv)])
        # The best version of all indexes, as pip takes it, and not the first index that has any.
        return [uv, "pip", "install", "--python", str(python), "--index-strategy", "unsafe-best-match", *uv_options()]
    run([sys.executable, "-m", "venv", str(venv)])
    return [str(python), "-m", "pip", "install"]


def run(words: list[str]) -> None:
    """Run a command that says itself what goes wrong; end with its status where something does."""
    if status := subprocess.run(words).returncode:
        sys.exit(status)


def brings_cuda(install: list[str], index: list[str]) -> bool | None:
    """Return whether installing torch would bring CUDA packages, or None if no index has torch."""
    with_pip = "--index-strategy" not in install
    dry = ["--dry-run", *(("--quiet", "--report", "-") if with_pip else ()), *CONSTRAINTS, *index, "torch"]
    tried = subprocess.run([*install, *dry], capture_output=True, text=True)
    if tried.returncode:
        return None
    if with_pip:
        names = [item["metadata"]["name"] for item in json.loads(tried.stdout)["install"]]
    else:
        lines = (tried.stdout + tried.stderr).splitlines()
        names = [line.removeprefix(" + ") for line in lines if line.startswith(" + ")]
    return any(name.startswith("nvidia-") for name in names)


def uv_options() -> list[str]:
    """Return what pip is configured with, which uv does not read, as options of uv."""
    listed = subprocess.run([sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True).stdout
    settings: dict[str, str] = {}
    for line in sorted(listed.splitlines(), key=lambda line: line.startswith(":env:")):  # the environment wins
        name, _, value = line.partition("=")
        settings[name.rpartition(".")[2]] = " ".join(shlex.split(value))
    os.environ.update({"SSL_CERT_FILE": settings["cert"]} if "cert" in settings else {})
    options = ["--default-index", settings["index-url"]] if "index-url" in settings else []
    for name, option in (
        ("extra-index-url", "--index"),
        ("find-links", "--find-links"),
        ("constraint", "--constraints"),
    ):
        options += [word for value in settings.get(name, "").split() for word in (option, value)]
    return options


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
