"""`refiner measure`: what a set's maps tell about the camera that took them."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from refiner.files import write_json

if TYPE_CHECKING:
    from refiner.datasets.store import DepthStore

MOST_MAPS = 100
"""Maps that are measured at most where the set does not say what its recording told."""
_CONDITIONED = re.compile(r"_tilt_\d|_at_\d+_|_outline_|_period_\d|_edge$|_blot_\d")
"""Names that say a measure again for a part of the pixels; the report has them."""


def measure(dataset: str, *, out: str | None = None, overwrite: bool = False) -> None:
    """Show what is known of the camera that took a set: units, steps, noise, rims, losses and shadows.

    `refiner prepare` measures a camera at its own pixels, before crops average them, and stores the result. Of sets
    that do not have it, written by another program or before this version, their crops are measured, and what these
    cannot tell is named. Values stand with their 95 % intervals.

    Args:
        dataset: A set of camera maps (NAME.zarr).
        out: Folder for report.md, report.json and plots.png, with all measures for each tilt and distance.
        overwrite: Replace a report that is there.
    """
    from refiner.cli.measure_report import as_markdown, draw_plots, line
    from refiner.datasets.store import DepthStore
    from refiner.errors import OutputExistsError
    from refiner.sensors.measure.crops import why_not
    from refiner.sensors.measure.names import MEASURES

    folder = None if out is None else Path(out)
    if folder is not None and (folder / "report.json").exists() and not overwrite:
        raise OutputExistsError(f"{folder} holds a report. Give another --out, or --overwrite.")
    store = DepthStore(dataset)
    sensor = store.sensor or _measured_from_crops(store)
    measured = sensor["measured"]
    print(f"{dataset}: {_origin(store, sensor)}")
    known = [name for name in MEASURES if measured.get(name) is not None]
    for name in known:
        if not _CONDITIONED.search(name):
            print(line(name, measured[name]))
    unknown = [name for name in MEASURES if measured.get(name) is None and not _CONDITIONED.search(name)]
    reasons: dict[str, list[str]] = {}
    for name in unknown:
        why = "too few places in these maps show it" if store.sensor else why_not(name)
        reasons.setdefault(why, []).append(name)
    for why, names in reasons.items():
        print(f"cannot tell {', '.join(names)}: {why}")
    if folder is None:
        print(f"{dataset}: {len(known)} of {len(MEASURES)} measures are known")
        return
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / "report.json", sensor)
    drawn = draw_plots(measured, folder / "plots.png")
    (folder / "report.md").write_text(as_markdown(sensor, _origin(store, sensor), drawn=drawn))
    print(f"{folder}: report.md, report.json{', plots.png' if drawn else ''} of {len(known)} measures")


def _origin(store: "DepthStore", sensor: dict[str, Any]) -> str:
    name = sensor["name"] or "a camera without a name"
    place = "recorded images at the camera's own pixels" if store.sensor else "crops, which average the camera's pixels"
    return f"{name}, measured from {sensor['frames']} {place}"


def _measured_from_crops(store: "DepthStore") -> dict[str, Any]:
    """Describe the camera of a set that does not, from its maps."""
    import numpy as np

    from refiner.datasets.inspection import read_items, spread_items
    from refiner.datasets.recorded_sensor import sensor_attribute
    from refiner.geometry.depth import to_mm
    from refiner.render.sources import sensor_like
    from refiner.sensors.measure.crops import measure_crops

    items = spread_items(len(store), MOST_MAPS)
    depth_mm = to_mm(read_items(store, "depth", items), store.depth_unit_mm)
    camera, centre_mm, cube_mm = (read_items(store, name, items) for name in ("camera", "centre_mm", "cube_mm"))
    seen_by, camera_px = sensor_like(store), None
    if seen_by is not None and len(items):
        camera_px = float(np.median(seen_by.camera[0] * cube_mm / store.size / centre_mm[:, 2]))
    measured = measure_crops(depth_mm, camera, centre_mm, cube_mm, camera_px)
    return sensor_attribute(seen_by, store.depth_unit_mm, {}, measured, len(items))
