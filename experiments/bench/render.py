"""How many labelled maps a second `render` writes, and what its parts cost.

    python -m experiments.bench.render [--count 2048] [--workers N] [--rounds 5] [--out FILE.json]

Each round renders the same items into a fresh store: hands drawn and posed, rendered, centred, cropped, labelled,
compressed and written. Compiling is left out: everything runs once before it is timed.
"""

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from experiments.bench.timing import report, row
from refiner.hand.limits import sample_hands
from refiner.hand.model import load_hand, pose_hands
from refiner.render.generate import generate
from refiner.render.raster import rasterize
from refiner.render.settings import RenderSettings
from refiner.sensors.catalogue import CATALOGUE, PLAIN
from refiner.sensors.sense import sense

WINDOW_PX, ORIGIN = 220, (210, 130)
HANDS = 32


def maps_per_second(settings: RenderSettings, count: int, workers: int, rounds: int) -> list[float]:
    """Write a store again and again; the rates."""
    rates = []
    with tempfile.TemporaryDirectory() as folder:
        for number in range(rounds + 1):
            start = time.perf_counter()
            generate(Path(folder, f"{number}.zarr"), settings, count=count, seed=0, provenance={}, workers=workers)
            rates.append(count / (time.perf_counter() - start))
    return rates[1:]


def milliseconds(job: Callable[[int], object], rounds: int) -> list[float]:
    """Run a job for each of some hands, on one core; the time for one hand, of each round.

    Time of this thread, so that other work on the machine counts as little as can be.
    """
    times = []
    for _ in range(4 * rounds + 1):
        start = time.thread_time()
        for hand in range(HANDS):
            job(hand)
        times.append((time.thread_time() - start) / HANDS)
    return [1e3 * seconds for seconds in times[1:]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=2048)
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()

    model, camera = load_hand(), PLAIN.camera
    sample = sample_hands(model, 0, np.arange(HANDS))
    sample.pose[:, 0] = np.pi  # fingers up, the palm to the camera
    vertices, _ = pose_hands(model, sample.pose, sample.shape, sample.side)
    vertices = vertices + np.array([0, 60, 680], dtype=np.float32)
    shape = (WINDOW_PX, WINDOW_PX)
    clean = [rasterize(hand, model.triangles, camera, shape, ORIGIN, closed=True) for hand in vertices]
    drawing = milliseconds(
        lambda n: rasterize(vertices[n], model.triangles, camera, shape, ORIGIN, closed=True), options.rounds
    )
    rows = [row(f"rasterise a hand of {len(model.triangles)} triangles in {WINDOW_PX} x {WINDOW_PX}", drawing, "ms")]
    modelled = {name: CATALOGUE[name] for name in ("kinect1", "kinect2", "d435")}
    for name, sensor in modelled.items():
        assert sensor.model is not None
        noise = milliseconds(
            lambda n, model=sensor.model: sense(clean[n], camera, model, seed=0, item=n, origin=ORIGIN), options.rounds
        )
        rows.append(row(f"{name} noise on it", noise, "ms"))
    settings = RenderSettings()
    for name, sensor in {"clean": PLAIN, **modelled}.items():
        # On the same pixels, so that rates compare.
        sensor = replace(sensor, camera=PLAIN.camera, image_px=PLAIN.image_px)
        seen = replace(settings, sensor=sensor, noise=sensor.model is not None)
        rates = maps_per_second(seen, options.count, options.workers, options.rounds)
        what = f"render {options.count} maps of {settings.size} px, {name}, {options.workers} threads"
        rows.append(row(what, rates, "maps/s", "" if seen.noise else ">= 800"))
    report(rows, options.out)


if __name__ == "__main__":
    main()
