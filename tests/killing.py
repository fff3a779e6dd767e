"""Kill a command in the middle, as a full machine or an impatient person would."""

import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import refiner

COMMAND = [sys.executable, "-c", "from refiner.cli.main import run; run()"]
ENVIRONMENT = os.environ | {"PYTHONPATH": str(Path(refiner.__file__).parents[1]), "OMP_NUM_THREADS": "1"}


@contextmanager
def started(command, **how):
    """Start a process, and kill it where it has not ended: leaving `Popen` waits for its end without a limit."""
    with subprocess.Popen(command, env=ENVIRONMENT, **how) as process:
        try:
            yield process
        finally:
            process.kill()


def run(*words, folder="."):
    """Run a command to its end, in a process of its own."""
    subprocess.run([*COMMAND, *words], env=ENVIRONMENT, cwd=folder, check=True, capture_output=True)


def kill_once_written(path, *words, folder=".", wait_s=0.0):
    """Start a command, and send SIGKILL a moment after it has written a file."""
    process = subprocess.Popen([*COMMAND, *words], env=ENVIRONMENT, cwd=folder, stderr=subprocess.DEVNULL)
    until = time.monotonic() + 120
    while not (Path(folder) / path).exists():
        assert process.poll() is None, f"ended before it wrote {path}"
        assert time.monotonic() < until, f"wrote no {path}"
        time.sleep(0.002)
    time.sleep(wait_s)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
