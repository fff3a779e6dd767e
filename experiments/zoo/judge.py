"""How real a row's maps look beside the camera's, and how far its labels moved; no estimator takes part."""

import json
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from experiments.zoo.rows import ROWS, Camera
from refiner.datasets.inspection import spread_items
from refiner.datasets.store import DepthStore
from refiner.files import write_json
from refiner.geometry.holes import hole_rate
from refiner.realism.labels import label_shift
from refiner.realism.maps import read_depth_mm
from refiner.realism.noise import noise_distances
from refiner.realism.timeline import place
from refiner.realism.verdicts import Effort, Side, verdict_on
from refiner.sensors.residuals import noise_correlation, noise_mm_of
from refiner.sensors.statistics import depth_steps_mm, edge_profile_mm


def statistics_of(depth_mm: NDArray[np.float32]) -> dict[str, float]:
    """Return what is compared with the camera's.

    Args:
        depth_mm: (n, H, W), 0 = no reading.

    Returns:
        `hole_rate`, share of the hands that is holes; `noise_mm` and `noise_correlation`, see
        `refiner.sensors.residuals`; `steps_mm`, mean size of the second differences along rows, in which edges count,
        too; `rim_mm`, mean of how much deeper the outermost readings lie than the surface behind them, and
        `rim_spread_mm`, its standard deviation.
    """
    rims_mm = edge_profile_mm(depth_mm)
    return {
        "hole_rate": hole_rate(depth_mm > 0),
        "noise_mm": noise_mm_of(depth_mm),
        "noise_correlation": noise_correlation(depth_mm),
        "steps_mm": float(np.abs(depth_steps_mm(depth_mm)).mean()),
        "rim_mm": float(rims_mm.mean()),
        "rim_spread_mm": float(rims_mm.std()),
    }


def judge(camera: Camera, row: str, seed: int) -> dict[str, Any]:
    """Compare a row's maps with the camera's held-out ones, unless that is done.

    Returns:
        `two_sample`, see `refiner.realism.classifier.Verdict`; `statistics`, see `statistics_of`; `distances` to the
        held-out maps, see `refiner.realism.noise`; `label_shift` from the renders, see `refiner.realism.labels`, none
        for renders and camera maps; `processor_s`.
    """
    result = camera.out / "judged" / f"{camera.job_name(row, seed)}.json"
    if not result.exists():
        began_s, effort = time.process_time(), Effort(**camera.settings["judge"])
        test, maps = DepthStore(camera.store("test")), DepthStore(ROWS[row](camera, seed))
        unit_mm = max(test.depth_unit_mm, maps.depth_unit_mm)
        own, seen = (Side(placed, unit_mm) for placed in place((test, maps))[0])
        verdict = verdict_on(own, seen, "patches", effort, seed)
        seen_mm, own_mm = (_read(store, unit_mm) for store in (maps, test))
        synthetic = DepthStore(camera.store("synthetic"))
        refined = row not in ("raw", "camera")
        write_json(
            result,
            {
                "two_sample": verdict.as_plain(),
                "statistics": statistics_of(seen_mm),
                "distances": noise_distances(seen_mm, own_mm),
                "label_shift": _shift(_read(synthetic, unit_mm), seen_mm) if refined else None,
                "processor_s": round(time.process_time() - began_s, 1),
            },
        )
    return json.loads(result.read_text())


def judge_camera(camera: Camera) -> dict[str, Any]:
    """Measure the camera's own maps, unless that is done.

    Returns:
        `statistics` of the held-out maps; `halves`, those of every other map of the labelled set and of the rest: how
        far apart two sets of this camera are by chance; and `distances` between these halves.
    """
    result: Path = camera.out / "judged" / "own.json"
    if not result.exists():
        test, maps = (DepthStore(camera.store(name)) for name in ("test", "camera"))
        own_mm = _read(maps, maps.depth_unit_mm)
        halves_mm = own_mm[::2], own_mm[1::2]
        write_json(
            result,
            {
                "statistics": statistics_of(_read(test, test.depth_unit_mm)),
                "halves": [statistics_of(half_mm) for half_mm in halves_mm],
                "distances": noise_distances(*halves_mm),
            },
        )
    return json.loads(result.read_text())


def _read(store: DepthStore, unit_mm: float, most: int = 1500) -> NDArray[np.float32]:
    return read_depth_mm(store, spread_items(len(store), most), unit_mm)


def _shift(synthetic_mm: NDArray[np.float32], seen_mm: NDArray[np.float32]) -> dict[str, Any]:
    shift = label_shift(synthetic_mm, seen_mm)
    del shift["per_map"]
    return shift
