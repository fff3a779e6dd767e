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
    jitter_deg: float = 0.0,
    camera: str | None = None,
    distance_mm: str | None = None,
    cube_mm: float | None = None,
    hand: str | None = None,
    scene: str | None = None,
    shadow: str = "left",
    window_px: int = 1,
    blur_px: float = 0.0,
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
        sensor: Analytic camera noise: structured-light (first Kinect) or tof (second Kinect). Without it maps are
            clean, in steps of 0.1 mm; with it in steps of 1 mm.
        like: A set of camera maps (NAME.zarr). Its camera, size, cubes, distances, places and share of left hands are
            taken.
        poses: A set with poses of the hand model (NAME.zarr), rendered in its place instead of drawn hands. Maps
            beyond its number show its hands again from drawn views.
        jitter_deg: Turn each hand of --poses, and bend each of its joints, by so many degrees (standard deviation),
            anew for each map. Maps beyond the number of poses then show them in their place, too.
        camera: kinect1, kinect2, sr305, or fx,fy,cx,cy with or without ,width,height in pixels. Else that of --like or
            --poses, else kinect2 with --sensor tof and kinect1 otherwise.
        distance_mm: Least and greatest distance of the palm: near,far; 450,900 where there is no --like.
        cube_mm: Side of the cube that a map shows; 260 where there is no --like.
        hand: right, left or both; right where --like does not tell.
        scene: A YAML file of how hands are turned and what they do, for example render/facing.yaml; by default hands
            are seen from all sides.
        shadow: Side on which --sensor structured-light casts shadows, left or right. Sets that were recorded mirrored
            show them on the right.
        window_px: Side of the windows that the camera matches, in pixels of the maps: slits between fingers that are
            narrower are closed, and steps of less than a pixel of disparity averaged. What `refiner fit` was given,
            and of as many millimetres in larger maps; 1 for cameras that measure each pixel, and with --sensor.
        blur_px: Standard deviation of the blur, in pixels of the camera, that mixes surfaces at edges inside the hand;
            0.7 for a second Kinect, 0 for cameras that tell one from the other, and with --sensor.
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
    from refiner.render.cameras import CAMERAS, camera_of
    from refiner.render.generate import generate
    from refiner.render.scene import Places
    from refiner.render.sensor import describe_sensor
    from refiner.render.settings import RenderSettings
    from refiner.render.sources import camera_like, left_share, places_like, poses_from
    from refiner.render.structured_light import StructuredLight
    from refiner.render.window import require_window

    given = {
        "count": count, "seed": seed or None, "size": size, "sensor": sensor, "like": like, "poses": poses,
        "jitter-deg": jitter_deg or None, "camera": camera, "distance-mm": distance_mm, "cube-mm": cube_mm,
        "hand": hand, "scene": scene,
        "shadow": None if shadow == "left" else shadow, "window-px": None if window_px == 1 else window_px,
        "blur-px": blur_px or None, "tessellations": tessellations or None,
    }  # fmt: skip
    words = ["refiner", "render", out]
    for name, value in given.items():
        words += [] if value is None else [f"--{name}", str(value)]
    if hand not in (None, *HAND_SHARES) or shadow not in ("left", "right"):
        raise UsageError(f"Found --hand {hand} --shadow {shadow}, wanted right, left or both, and left or right.")
    if seed < 0 or (count is not None and count < 1) or (size is not None and size < 8) or (workers or 1) < 1:
        raise UsageError(
            f"Found --seed {seed} --count {count} --size {size} --workers {workers}, wanted a seed >= 0, a count >= 1, "
            "a size >= 8 and workers >= 1."
        )
    require_window(window_px)
    if not 0 <= blur_px <= 10:
        raise UsageError(f"Found --blur-px {blur_px:g}, wanted 0 to 10 pixels of the camera.")
    if sensor is not None and (window_px > 1 or blur_px > 0):
        raise UsageError(
            f"Found --sensor {sensor} with --window-px {window_px} and --blur-px {blur_px:g}, wanted one or the other: "
            "a sensor has windows and blur of its own, and these would average its noise. Leave out --sensor for clean "
            "maps that a refiner is to make noise on."
        )
    if not 0 <= tessellations <= 3:
        raise UsageError(f"Found --tessellations {tessellations}, wanted 0 to 3: 3 are 232,000 triangles a hand.")
    if not 0 <= jitter_deg <= 45 or (jitter_deg > 0 and poses is None):
        raise UsageError(
            f"Found --jitter-deg {jitter_deg:g} {'with' if poses else 'without'} --poses, wanted 0 to 45 degrees, and "
            "a set of poses where it is not 0."
        )
    if cube_mm is not None and not 0 < cube_mm <= 2000:
        raise UsageError(f"Found --cube-mm {cube_mm:g}, wanted a side > 0 and at most 2000 mm; a hand fits in 260.")
    real = DepthStore(like) if like is not None else None
    solved = poses_from(DepthStore(poses), load_hand()) if poses is not None else None
    model_set = real or (DepthStore(poses) if poses is not None else None)
    if model_set is not None:
        model_set.require_whole()

    if camera is not None:
        image_camera = camera_of(camera)
    else:
        default = "kinect2" if sensor == "tof" else "kinect1"
        image_camera = camera_like(model_set) if model_set is not None else None
        if image_camera is None:
            image_camera = CAMERAS[default]
            if model_set is not None:
                print(
                    f"{model_set.path} does not say which camera it was made with; {default} is taken. Give --camera "
                    "where that is wrong.",
                    file=sys.stderr,
                )

    near_mm, far_mm = _range(distance_mm or "450,900", cube_mm or 260.0)
    places = Places(near_mm, far_mm, cube_mm or 260.0)
    if real is not None:
        places = places_like(real)
        if distance_mm is not None:
            places = Places(near_mm, far_mm, cube_mm or places.cube_mm)
        elif cube_mm is not None:
            places = replace(places, cube_mm=cube_mm, cubes_mm=None)
    views, prior, noise = read_scene(scene, sensor)
    left = left_share(real) if real is not None and hand is None else HAND_SHARES.get(hand or "")
    if left is not None:
        prior = replace(prior, left=left)
    settings = RenderSettings(
        camera=image_camera,
        size=size or (model_set.size if model_set is not None else 128),
        places=places,
        sensor=noise,
        views=views,
        prior=prior,
        poses=solved,
        jitter_deg=jitter_deg,
        window_px=window_px,
        blur_px=blur_px,
        tessellations=tessellations,
    )
    if shadow == "right" and isinstance(settings.sensor, StructuredLight):
        settings = replace(settings, sensor=replace(settings.sensor, projector_mm=-settings.sensor.projector_mm))
    count = count or (len(solved.names) if solved is not None else 1000)
    record = provenance(
        shlex.join(words),
        {
            "count": count,
            "size": settings.size,
            "camera": [*image_camera.intrinsics, image_camera.columns, image_camera.rows],
            "distance_mm": [places.near_mm, places.far_mm],
            "cube_mm": places.cube_mm,
            "like": like,
            "poses": poses,
            "jitter_deg": jitter_deg,
            "sensor": describe_sensor(settings.sensor) if settings.sensor is not None else None,
            "views": asdict(settings.views),
            "prior": asdict(settings.prior),
            "window_px": window_px,
            "blur_px": blur_px,
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
