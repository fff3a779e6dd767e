"""`refiner fit`: find the hand behind every map of a recording, without any label."""

import shlex
import sys
from typing import Any


def fit(
    src: str,
    out: str,
    *,
    hand: str | None = None,
    scene: str | None = None,
    bank: int = 20000,
    seed: int = 0,
    overwrite: bool = False,
) -> None:
    """Find the hand behind every map of a recording, without any label, so that renders can show its poses.

    The hand model is laid on each map: one shape for the whole set, then each map from the most similar of many
    renders, of palms and of backs, then from poses that recur and its neighbours in the sequence; fingers push each
    other apart where they would cut through one another. `refiner render --poses OUT` shows these hands. Joints that a
    map does not show are guessed: take them for a pose that looks the same, and not for labels. An interrupted run is
    continued by the same command.

    Args:
        src: A set of camera maps (NAME.zarr), as `refiner prepare` writes.
        out: The dataset to write (NAME.zarr): the maps with pose, shape, joints and misfit_mm, the mean distance of
            map and hand, where a pixel that only one of them covers counts as 40 mm.
        hand: right or left; where nothing is given both are tried on some maps.
        scene: A YAML file of how hands are turned and what they do, for the renders where fits begin; by default
            hands are seen from all sides.
        bank: Renders where fits begin.
        seed: Seed of those renders.
        overwrite: Replace OUT where it exists.
    """
    from dataclasses import replace
    from pathlib import Path

    import numpy as np

    from refiner.cli.progress import Progress
    from refiner.cli.scene import read_scene
    from refiner.datasets.store import DepthStore
    from refiner.datasets.store_writer import provenance, require_writable
    from refiner.errors import UsageError
    from refiner.files import require_apart
    from refiner.fitting.starts import make_bank
    from refiner.fitting.whole_set import SHAPE_STEPS, shared_shape, side_misfits
    from refiner.fitting.write import write_fitted
    from refiner.render.settings import RenderSettings
    from refiner.render.sources import places_like, sensor_like
    from refiner.sensors.depth_sensor import DepthSensor

    if hand not in (None, "right", "left"):
        raise UsageError(f"Found --hand {hand}, wanted right or left, or nothing: both are tried then.")
    if bank < 100 or seed < 0:
        raise UsageError(f"Found --bank {bank} --seed {seed}, wanted 100 renders or more, and a seed >= 0.")
    store, target = DepthStore(src), Path(out)
    require_apart(target, "the set", store.path)
    require_writable(target, overwrite)
    views, prior, _ = read_scene(scene)
    # In the middle of a wide image, where a hand at any of the set's distances is seen whole.
    places = places_like(store)
    centre_mm = np.asarray(places.centres_mm) * [0.0, 0.0, 1.0]
    settings = RenderSettings(
        sensor=DepthSensor((500.0, 500.0, 639.5, 639.5), (1280, 1280)), places=replace(places, centres_mm=centre_mm),
        views=views, prior=prior,
    )  # fmt: skip
    words = ["refiner", "fit", src, out]
    given = {"hand": hand, "scene": scene, "bank": bank, "seed": seed}
    seen_by = sensor_like(store)
    # Slits that the camera's windows close are closed in the hands that are laid on its maps, too.
    window_px = 1
    if seen_by is not None:
        distance_mm = float(np.median(np.asarray(places.centres_mm)[:, 2]))
        window_px = seen_by.window_in_maps_px(store.size, places.cube_mm, distance_mm)
    for name, value in given.items():
        words += [] if value is None else [f"--{name}", str(value)]
    with Progress(bank, "renders to begin with") as progress:
        starts = make_bank(settings, bank, seed, progress.update)
    side = {"right": 0, "left": 1}.get(hand or "")
    if side is None:
        misfits = side_misfits(store, starts, window_px)
        side = int(misfits[1] < misfits[0])
        _say(
            f"right hands fit to {misfits[0]:.1f} mm, left ones to {misfits[1]:.1f} mm: {('right', 'left')[side]} it is"
        )
    with Progress(SHAPE_STEPS, "steps to the shape of the hand") as progress:
        shape = shared_shape(store, starts, side, window_px, progress.update)
    configuration: dict[str, Any] = {
        "camera": store.provenance.get("configuration", {}).get("camera"),
        "focal_px": store.provenance.get("configuration", {}).get("focal_px"),
        "hand": ("right", "left")[side], "scene": scene, "window_px": window_px,
        "bank": bank, "shape": shape.round(4).tolist(),
    }  # fmt: skip
    record = provenance(shlex.join(words), configuration, seed, [store.path])
    with Progress(len(store), "maps") as progress:
        misfit_mm = write_fitted(store, target, starts, side, shape, record, window_px=window_px,
                                 overwrite=overwrite, on_progress=progress.update)  # fmt: skip
    low, middle, high = np.nanquantile(misfit_mm, (0.1, 0.5, 0.9))
    print(
        f"{out}: {np.isfinite(misfit_mm).sum()} of {len(store)} hands, misfit {middle:.1f} mm ({low:.1f} to {high:.1f})"
    )


def _say(text: str) -> None:
    print(f"refiner fit: {text}", file=sys.stderr)
