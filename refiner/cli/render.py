"""`refiner render`: render posed hands with exact labels."""

import shlex
import sys

from refiner.cli.progress import Progress
from refiner.cli.scene import read_scene

HAND_SHARES = {"right": 0.0, "left": 1.0, "both": 0.5}
"""Share of left hands."""


def render(
    out: str,
    *,
    count: int | None = None,
    seed: int = 0,
    size: int | None = None,
    sensor: str | None = None,
    like: str | None = None,
    poses: str | None = None,
    camera: str | None = None,
    distance_mm: str | None = None,
    cube_mm: float | None = None,
    hand: str | None = None,
    scene: str | None = None,
    tessellations: int = 0,
    workers: int | None = None,
    overwrite: bool = False,
) -> None:
    """Render posed hands with exact labels.

    Item i of a seed is the same bytes for every count and number of workers. An interrupted run is continued by the
    same command.

    Args:
        out: The dataset to write (NAME.zarr).
        count: Number of maps; 1000, or as many as --poses has.
        seed: Seed of everything that is drawn.
        size: Side of the maps in pixels; that of --like or --poses, else 128.
        sensor: See the hands through the analytic model of a camera, its noise and its steps included: kinect1,
            kinect2, senz3d, d415, d435 and more (a wrong name lists all). Without it maps have no noise, in steps of
            0.1 mm.
        like: A set of camera maps (NAME.zarr). Its camera, size, cubes, distances, places and share of left hands are
            taken. Where it names a camera of the catalogue (`refiner prepare --camera NAME`), hands are seen through
            that camera's optics: its matching windows, or its blur.
        poses: A set with poses of the hand model (NAME.zarr), rendered in its place instead of drawn hands. Maps
            beyond its number show its hands again from drawn views.
        camera: Whose pixels are rendered: a name of the catalogue, or fx,fy,cx,cy with or without ,width,height in
            pixels. Else those of --like or --poses, else of --sensor, else kinect1's.
        distance_mm: Least and greatest distance of the palm: near,far; 450,900 where there is no --like.
        cube_mm: Side of the cube that a map shows; 260 where there is no --like.
        hand: right, left or both; right where --like does not tell.
        scene: A YAML file of how hands are turned, what they do and what differs in the model of --sensor, for example
            render/facing.yaml; by default hands are seen from all sides.
        tessellations: How often each triangle of the hand is split in four, on its round surface: facets show on maps
            of 128 px and more. 2 is round for them; 0 to 3.
        workers: Threads; as many as there are cores to use.
        overwrite: Replace OUT where it exists.
    """
    from dataclasses import asdict, replace
    from pathlib import Path

    from refiner.datasets.store import DepthStore
    from refiner.datasets.store_writer import provenance
    from refiner.errors import UsageError
    from refiner.files import require_apart
    from refiner.hand.model import load_hand
    from refiner.render.generate import generate
    from refiner.render.scene import Places
    from refiner.render.settings import RenderSettings
    from refiner.render.sources import left_share, places_like, poses_from, sensor_like
    from refiner.sensors.catalogue import PLAIN, camera_of, modelled
    from refiner.sensors.sense import describe_model

    given = {
        "count": count, "seed": seed or None, "size": size, "sensor": sensor, "like": like, "poses": poses,
        "camera": camera, "distance-mm": distance_mm, "cube-mm": cube_mm,
        "hand": hand, "scene": scene, "tessellations": tessellations or None,
    }  # fmt: skip
    words = ["refiner", "render", out]
    for name, value in given.items():
        words += [] if value is None else [f"--{name}", str(value)]
    if hand not in (None, *HAND_SHARES):
        raise UsageError(f"Found --hand {hand}, wanted right, left or both.")
    if seed < 0 or (count is not None and count < 1) or (size is not None and size < 8) or (workers or 1) < 1:
        raise UsageError(
            f"Found --seed {seed} --count {count} --size {size} --workers {workers}, wanted a seed >= 0, a count >= 1, "
            "a size >= 8 and workers >= 1."
        )
    if not 0 <= tessellations <= 3:
        raise UsageError(f"Found --tessellations {tessellations}, wanted 0 to 3: 3 are 232,000 triangles a hand.")
    if cube_mm is not None and not 0 < cube_mm <= 2000:
        raise UsageError(f"Found --cube-mm {cube_mm:g}, wanted a side > 0 and at most 2000 mm; a hand fits in 260.")
    real = DepthStore(like) if like is not None else None
    solved = poses_from(DepthStore(poses), load_hand()) if poses is not None else None
    model_set = real or (DepthStore(poses) if poses is not None else None)
    if model_set is not None:
        model_set.require_whole()

    named = modelled(sensor) if sensor is not None else None
    seen_by = sensor_like(model_set) if model_set is not None else None
    if model_set is not None and seen_by is None and camera is None:
        print(
            f"{model_set.path} does not say which camera it was made with; the pixels of "
            f"{'kinect1' if named is None else named.name} are taken. Give --camera where that is wrong.",
            file=sys.stderr,
        )
    seen_by = seen_by or named or PLAIN
    if camera is not None:
        pixels = camera_of(camera)
        seen_by = replace(seen_by, camera=pixels.camera, image_px=pixels.image_px)
    if named is not None:
        seen_by = replace(named, camera=seen_by.camera, image_px=seen_by.image_px)

    near_mm, far_mm = _range(distance_mm or "450,900", cube_mm or 260.0)
    places = Places(near_mm, far_mm, cube_mm or 260.0)
    if real is not None:
        places = places_like(real)
        if distance_mm is not None:
            places = Places(near_mm, far_mm, cube_mm or places.cube_mm)
        elif cube_mm is not None:
            places = replace(places, cube_mm=cube_mm, cubes_mm=None)
    views, prior, model = read_scene(scene, seen_by.model if named is not None else None)
    if named is not None:
        seen_by = replace(seen_by, model=model)
    left = left_share(real) if real is not None and hand is None else HAND_SHARES.get(hand or "")
    if left is not None:
        prior = replace(prior, left=left)
    settings = RenderSettings(
        sensor=seen_by,
        noise=named is not None,
        size=size or (model_set.size if model_set is not None else 128),
        places=places,
        views=views,
        prior=prior,
        poses=solved,
        tessellations=tessellations,
    )
    count = count or (len(solved.names) if solved is not None else 1000)
    record = provenance(
        shlex.join(words),
        {
            "count": count,
            "size": settings.size,
            "camera": [*seen_by.camera, *seen_by.image_px],
            "distance_mm": [places.near_mm, places.far_mm],
            "cube_mm": places.cube_mm,
            "like": like,
            "poses": poses,
            "sensor": describe_model(seen_by.model) if seen_by.model is not None and named is not None else None,
            "optics": describe_model(seen_by.model) if seen_by.model is not None and named is None else None,
            "views": asdict(settings.views),
            "prior": asdict(settings.prior),
            "tessellations": tessellations,
        },
        seed,
        [Path(path) for path in (like, poses) if path is not None],
    )
    for what, source in (("the set that is imitated", like), ("the set with the poses", poses)):
        if source is not None:
            require_apart(Path(out), what, Path(source))
    with Progress(count, "maps") as progress:
        generate(
            Path(out), settings, count=count, seed=seed, provenance=record, overwrite=overwrite, workers=workers,
            on_progress=progress.update,
        )  # fmt: skip
    print(f"{out}: {count} rendered maps")


def _range(text: str, cube_mm: float) -> tuple[float, float]:
    from refiner.errors import UsageError

    try:
        near_mm, far_mm = (float(word) for word in text.split(","))
    except ValueError:
        near_mm, far_mm = float("nan"), float("nan")
    if not cube_mm / 2 + 50 <= near_mm <= far_mm <= 6000:
        raise UsageError(
            f"Found --distance-mm {text!r}, wanted near,far in mm with {cube_mm / 2 + 50:g} <= near <= far <= 6000: a "
            "cube must lie before the camera, and 16 bits hold 6553 mm in steps of 0.1 mm."
        )
    return near_mm, far_mm
