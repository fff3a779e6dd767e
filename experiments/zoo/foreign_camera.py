"""A camera made by other people's code: nobody here chose how it errs.

BlenderProc (GPL-3.0) has the noise that its authors give to the Azure Kinect: strayed pixels, noise that grows with
distance, no reading at great jumps and on dark surfaces. librealsense (Apache-2.0) has the filters that run after a
RealSense: disparity, edge-preserving smoothing, filling of holes. The one's noisy maps pass through the other's
filters. Both come from the package index by name into an environment of their own, beside the sets, and are run as
another process; their code is no part of this project.
"""

import hashlib
import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from experiments.zoo.capsule_scene import Pixels, Scene
from experiments.zoo.surfaces import Map, tilt_deg
from refiner.files import partial_folder

PACKAGES = ("numpy==2.4.6", "opencv-python-headless==5.0.0.93", "pyrealsense2==2.59.1.11053")
ALONE = ("blenderproc==2.8.0",)
"""Installed without what they ask for: of BlenderProc one file is used, and none of Blender."""
ENVIRONMENT = "other_people"
BEYOND_M = 8.0
"""Depth beside the window."""


@dataclass(frozen=True)
class Foreign:
    """Settings of other people's code.

    Attributes:
        light: Grey value of a facing surface at 500 mm, of 255; the noise loses what is darker than 15, and light falls
            with tilt and the square of the distance.
        baseline_mm: What the filters take for the distance of two cameras.
        filter_magnitude: How often the smoothing passes.
        filter_smooth_alpha: Weight of the pixel itself in it; 1 does not smooth.
        filter_smooth_delta: Largest jump of disparity that is smoothed, in steps of 1/32 px.
        holes_fill: How wide holes the smoothing fills, 0 none to 5 all.
        hole_filling: 0 fills holes with what is left of them, 1 with the farthest around, 2 with the nearest.
    """

    light: float = 45.0
    baseline_mm: float = 50.0
    filter_magnitude: int = 3
    filter_smooth_alpha: float = 0.4
    filter_smooth_delta: int = 30
    holes_fill: int = 0
    hole_filling: int = 0

    def see_all(
        self, scenes: Sequence[Scene], pixels: Pixels, seeds: Sequence[tuple[int, ...]], folder: Path
    ) -> list[Map]:
        """See scenes.

        Args:
            scenes: The scenes.
            pixels: Of the camera.
            seeds: Numbers >= 0 that fix what is random in each scene.
            folder: Where the environment lies, or will.

        Returns:
            For each scene (rows, columns) readings in mm, 0 where there is none.

        Raises:
            subprocess.CalledProcessError: Their code failed or could not be installed.
        """
        python = environment(folder)
        # Every window alone in a frame of one size: what is random in it must not depend on what else is seen.
        frame = pixels.largest_window
        depth_m = np.full((len(scenes), *frame), BEYOND_M, np.float32)
        grey = np.full((len(scenes), *frame), 255, np.uint8)
        for n, scene in enumerate(scenes):
            window = _window(scene)
            depth_m[n][window] = scene.scene_mm / 1000.0
            cosine = np.cos(np.radians(tilt_deg(scene.scene_mm, pixels.focal_px)))
            grey[n][window] = np.clip(self.light * cosine * (500.0 / scene.scene_mm) ** 2, 0, 255)
            # What lies behind is as bright as it needs to be: its holes are not those of the hand.
            grey[n][window][scene.hand_mm <= 0] = 255
        settings = json.dumps({**asdict(self), "focal_px": pixels.focal_px})
        with tempfile.TemporaryDirectory() as work:
            given, seen = Path(work) / "given.npz", Path(work) / "seen.npy"
            np.savez(given, depth_m=depth_m, grey=grey, seeds=[_seed(numbers) for numbers in seeds], settings=settings)
            script = Path(__file__).with_name("foreign_process.py")
            subprocess.run([python, script, given, seen], check=True, cwd=work)
            depth_mm = np.load(seen)
        return [depth_mm[n][_window(scene)].astype(np.float32) for n, scene in enumerate(scenes)]


def environment(folder: Path) -> Path:
    """Return the interpreter of the environment of other people's code, made where it is missing.

    Raises:
        subprocess.CalledProcessError: A package could not be installed.
    """
    home = (folder / ENVIRONMENT).absolute()
    if not home.exists():
        with partial_folder(home) as new:
            subprocess.run([sys.executable, "-m", "venv", new], check=True)
            for extra, packages in (((), PACKAGES), (("--no-deps",), ALONE)):
                subprocess.run([new / "bin/python", "-m", "pip", "install", "-q", *extra, *packages], check=True)
    return home / "bin/python"


def _window(scene: Scene) -> tuple[slice, slice]:
    """Return the part of a frame that a scene's window takes."""
    rows, columns = scene.scene_mm.shape
    return slice(0, rows), slice(0, columns)


def _seed(numbers: tuple[int, ...]) -> int:
    """Return one number below 2^32, which is what the other side takes."""
    return int.from_bytes(hashlib.sha256(repr(numbers).encode()).digest()[:4], "little")
