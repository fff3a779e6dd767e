"""How many whole camera frames a second `prepare` turns into stored crops, and what finding a hand costs.

    python -m experiments.bench.prepare [--src FOLDER --camera fx,fy,cx,cy [--depth-unit-mm U]] [--frames 200]
                                        [--rounds 5] [--out FILE.json]

Without --src it draws a person with a raised hand, in the size, camera and noise of a Kinect v2, and writes the frames
as PNG into a temporary folder. Each round reads every file twice, as the command does, and writes a store.
"""

import argparse
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np

from experiments.bench.timing import report, row
from refiner.datasets.hands import find_hands
from refiner.datasets.layouts import LAYOUTS, Frame, GivenCamera
from refiner.datasets.locate import locate_hand
from refiner.datasets.prepare import write_crops
from refiner.sensors.catalogue import CATALOGUE, camera_of

KINECT2 = GivenCamera(CATALOGUE["kinect2"].camera)
SHAPE = (424, 512)
CUBE_MM, WINDOW_PX = 260.0, 220
LOCATES = 40


def draw_scene(index: int) -> np.ndarray:
    """Draw a wall, a body, an arm and a hand with five fingers; the hand wanders with the index."""
    rng = np.random.default_rng(index)
    depth_mm = np.full(SHAPE, 2400.0, np.float32)
    cv2.rectangle(depth_mm, (180, 110), (340, 423), 1200.0, -1)
    cv2.circle(depth_mm, (260, 70), 40, 1180.0, -1)
    u, v = int(250 + 60 * np.sin(index / 9)), int(170 + 30 * np.cos(index / 7))
    for step in range(16):  # the arm comes forward from the shoulder to the palm
        t = step / 15
        place = (round(330 + (u - 330) * t), round(260 + (v - 260) * t))
        cv2.circle(depth_mm, place, 20, 1000 - 400 * t, -1)
    cv2.ellipse(depth_mm, (u, v), (24, 28), 0, 0, 360, 600.0, -1)
    for finger in range(5):
        angle = np.pi * (0.15 + 0.17 * finger)
        cv2.line(depth_mm, (u, v), (round(u - 68 * np.cos(angle)), round(v - 68 * np.sin(angle))), 595.0, 9)
    depth_mm += rng.normal(0, 2, SHAPE).astype(np.float32)
    depth_mm[rng.random(SHAPE) < 0.03] = 0
    return np.rint(depth_mm).astype(np.uint16)


def prepare_once(frames: list[Frame], out: Path) -> float:
    """Do both passes of `prepare`; give frames a second."""
    start = time.perf_counter()
    hands = find_hands(frames, cube_mm=CUBE_MM)
    write_crops(out, hands, cube_mm=CUBE_MM, size=128, side=None, provenance={}, overwrite=True)
    return len(frames) / (time.perf_counter() - start)


def milliseconds_to_locate(depth_mm: np.ndarray, camera: tuple[float, ...], rounds: int) -> list[float]:
    """Find the hand of one map over and over on one core; the mean of each round."""
    milliseconds = []
    for _ in range(rounds):
        start = time.perf_counter()
        for _ in range(LOCATES):
            locate_hand(depth_mm, camera, cube_mm=CUBE_MM)
        milliseconds.append(1e3 * (time.perf_counter() - start) / LOCATES)
    return milliseconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--src", type=Path)
    parser.add_argument("--camera", type=str)
    parser.add_argument("--depth-unit-mm", type=float)
    parser.add_argument("--frames", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    camera = GivenCamera(camera_of(options.camera).camera) if options.camera else None
    with tempfile.TemporaryDirectory() as folder:
        src = options.src or Path(folder, "src")
        if options.src is None:
            src.mkdir()
            camera = KINECT2
            for index in range(options.frames):
                cv2.imwrite(str(src / f"{index:06d}.png"), draw_scene(index))
        frames = LAYOUTS["folder"](src, camera, options.depth_unit_mm)[: options.frames]
        first = frames[0].read()
        out = Path(folder, "out.zarr")
        prepare_once(frames, out)
        rates = [prepare_once(frames, out) for _ in range(options.rounds)]
        height, width = first.depth_mm.shape
        times = milliseconds_to_locate(first.depth_mm, first.camera, options.rounds)
        rows = [
            row(f"prepare, {width} x {height} files to stored crops", rates, "frames/s", ">= 60"),
            row(f"locate a hand in {width} x {height}", times, "ms", "<= 3"),
        ]
        centre = locate_hand(first.depth_mm, first.camera, cube_mm=CUBE_MM)
        if centre is not None and min(height, width) >= WINDOW_PX:
            fx, fy, cx, cy = first.camera
            u = int(np.clip(fx * centre[0] / centre[2] + cx - WINDOW_PX / 2, 0, width - WINDOW_PX))
            v = int(np.clip(fy * centre[1] / centre[2] + cy - WINDOW_PX / 2, 0, height - WINDOW_PX))
            window = np.ascontiguousarray(first.depth_mm[v : v + WINDOW_PX, u : u + WINDOW_PX])
            times = milliseconds_to_locate(window, (fx, fy, cx - u, cy - v), options.rounds)
            rows.append(row(f"locate a hand in {WINDOW_PX} x {WINDOW_PX}", times, "ms", "<= 0.7"))
    report(rows, options.out)


if __name__ == "__main__":
    main()
