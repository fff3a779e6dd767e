"""The three sets of a camera: clean renders, the camera's maps, and more of them to test on.

All show capsule hands, so what differs between renders and camera is the camera alone; hands, poses and places differ
from set to set by their seeds. A map passes through what `prepare` does with a recording: `locate_hand` finds the palm
in what is stored (the noisy image, wall and all, for a camera), and `crop_cube` cuts the cube out at the camera's own
pixels. What it does not find, or finds far from the palm, is drawn anew, as a recording's frames without a hand go.
"""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from experiments.zoo.cameras import ZooCamera, zoo_camera
from experiments.zoo.capsule_scene import CUBE_MM, Scene, draw_scene
from experiments.zoo.foreign_camera import Foreign, environment
from refiner.datasets.locate import locate_hand
from refiner.datasets.recorded_sensor import MEASURED, sensor_attribute
from refiner.datasets.store import is_whole
from refiner.datasets.store_writer import StoreWriter, provenance
from refiner.errors import StoreError
from refiner.geometry.crop import crop_cube
from refiner.geometry.depth import to_units
from refiner.hand.skeleton import HAND21
from refiner.render.visibility import visible_joints
from refiner.sensors.depth_sensor import DepthSensor
from refiner.sensors.measure.whole import measure
from refiner.sensors.measure.window import HandWindow

CLEAN_UNIT_MM = 0.1
TRIES = 40
"""Scenes drawn for one item before that is an error."""
OFF_PALM_MM, OUTSIDE_MM, OUTSIDE_JOINTS = 50.0, 15.0, 3
"""A centre lies so near to the palm; so few joints, and so little, may lie outside the cube."""
CHUNK_ITEMS = 128


class CameraWindow(NamedTuple):
    """A part of a camera's image around a hand, at the camera's own pixels.

    Attributes:
        depth_mm: (rows, columns) float32 readings, 0 where there is none; with what lies behind the hand.
        camera: fx fy cx cy of the window, px.
        origin: Column and row of its first pixel in the image.
        centre_mm: (3,) centre of the crop cube.
        cube_mm: Its side.
        scene: What a camera without noise would have seen, and the joints.
    """

    depth_mm: NDArray[np.float32]
    camera: NDArray[np.float64]
    origin: tuple[int, int]
    centre_mm: NDArray[np.float64]
    cube_mm: float
    scene: Scene


def make_sets(
    name: str, settings: Mapping[str, Any], out: Path, maps: int, test_maps: int, size: int, workers: int = 2
) -> None:
    """Write a camera's sets `synthetic.zarr`, `camera.zarr` and `test.zarr`; those that are whole stay as they are.

    Args:
        name: Of the camera.
        settings: Its entry in `experiments/zoo.yaml`, see `zoo_camera`.
        out: Folder of the sets. The environment of other people's code lies beside it.
        maps: Number of renders, and of the camera's maps.
        test_maps: Number of maps to test on.
        size: Side of the maps, px.
        workers: Threads; the bytes do not depend on it.

    Raises:
        UsageError: The entry makes no camera.
        OutputExistsError: An unfinished set was begun with other settings.
        StoreError: No scene of an item can be used.
    """
    camera = zoo_camera(name, settings)
    for kind, count in (("synthetic", maps), ("camera", maps), ("test", test_maps)):
        target = out / f"{kind}.zarr"
        configuration = {**camera.describe(), "kind": kind, "maps": count, "size": size}
        made = provenance(f"python -m experiments.zoo --cameras {name}", configuration, camera.seeds[kind], [])
        if not is_whole(target):
            _write(target, camera, kind, count, size, made, out.parent, workers)


def _write(
    target: Path, camera: ZooCamera, kind: str, count: int, size: int, made: dict[str, Any], folder: Path, workers: int
) -> None:
    unit_mm = CLEAN_UNIT_MM if kind == "synthetic" else camera.unit_mm
    axes = {"joints_mm": (len(HAND21), 3), "visible": (len(HAND21),), "source": (), "side": ()}
    if isinstance(camera.model, Foreign):
        environment(folder)  # before threads ask for it at once
    sensor = None if kind == "synthetic" else _sensor(camera, kind, min(count, MEASURED), folder)
    writer = StoreWriter(target, count=count, size=size, depth_unit_mm=unit_mm, provenance=made, arrays=axes,
                         skeleton=HAND21, sensor=sensor, chunk_items=CHUNK_ITEMS)  # fmt: skip

    def work(chunk: tuple[int, int]) -> None:
        items = list(range(*chunk))
        windows = camera_windows(camera, kind, items, folder)
        rows = [_row(window, size, unit_mm) for window in windows]
        arrays: dict[str, Any] = {key: np.stack([row[key] for row in rows]) for key in rows[0]}
        words = [f"zoo camera={camera.name} set={kind} seed={camera.seeds[kind]} item={item}" for item in items]
        writer.write(chunk[0], {**arrays, "source": words})

    with ThreadPoolExecutor(workers) as pool:
        list(pool.map(work, writer.missing()))
    writer.finish()


def _sensor(camera: ZooCamera, kind: str, count: int, folder: Path) -> dict[str, Any]:
    """Return what `prepare` would say of a recording of this camera whose pixels and unit alone are given."""
    windows = [
        HandWindow(
            window.depth_mm, window.camera, window.origin, window.centre_mm[2] - window.cube_mm / 2,
            window.centre_mm[2] + window.cube_mm / 2, window.centre_mm,
        )
        for window in camera_windows(camera, kind, list(range(count)), folder)
    ]  # fmt: skip
    pixels, unit_mm = camera.pixels, camera.unit_mm
    fx, fy, cx, cy = pixels.intrinsics.tolist()
    sensor = DepthSensor((fx, fy, cx, cy), (pixels.columns, pixels.rows))
    given = {"camera": list(sensor.camera), "depth_unit_mm": unit_mm}
    return sensor_attribute(sensor, unit_mm, given, measure(windows, unit_mm), len(windows))


def _row(window: CameraWindow, size: int, unit_mm: float) -> dict[str, Any]:
    """Cut the cube out of a window; joints are visible by what the scene shows without noise."""
    scene, place = window.scene, (window.camera, window.centre_mm, window.cube_mm, size)
    depth_mm, camera = crop_cube(window.depth_mm, *place)
    clean_mm, _ = crop_cube(scene.hand_mm, *place)
    return {
        "depth": to_units(depth_mm, unit_mm),
        "camera": camera.astype(np.float32),
        "centre_mm": window.centre_mm.astype(np.float32),
        "cube_mm": np.float32(window.cube_mm),
        "joints_mm": scene.joints_mm.astype(np.float32),
        "visible": visible_joints(clean_mm, camera, scene.joints_mm, scene.radius_mm),
        "side": np.int32(0),
    }


def camera_windows(camera: ZooCamera, kind: str, items: Sequence[int], folder: Path) -> list[CameraWindow]:
    """Draw scenes for items until each has one whose hand is found; the camera sees those of one round together.

    Args:
        camera: Of the zoo.
        kind: One of `SETS`; `synthetic` has windows without noise and without what lies behind.
        items: Numbers of the items.
        folder: Where the environment of other people's code lies, or will; needed only for a camera made by it.
    """
    seed, found, tried = camera.seeds[kind], {}, dict.fromkeys(items, 0)
    while missing := [item for item in items if item not in found]:
        drawn = [_draw(camera, kind, item, tried[item]) for item in missing]
        scenes = [scene for _, scene in drawn]
        attempts = [attempt for attempt, _ in drawn]
        if kind == "synthetic":
            seen = [scene.hand_mm for scene in scenes]
        else:
            seen = camera.see(scenes, seed=seed, items=missing, attempts=attempts, folder=folder)
        for item, attempt, scene, depth_mm in zip(missing, attempts, scenes, seen, strict=True):
            tried[item] = attempt + 1
            centre = _centre(scene, depth_mm)
            if centre is not None:
                found[item] = CameraWindow(depth_mm, scene.camera, scene.origin, centre, CUBE_MM, scene)
    return [found[item] for item in items]


def _draw(camera: ZooCamera, kind: str, item: int, attempt: int) -> tuple[int, Scene]:
    """Draw scenes from an attempt on until the hand is found without noise; return which attempt it was, and the scene.

    Raises:
        StoreError: There were too many attempts.
    """
    while attempt < TRIES:
        scene = draw_scene(camera.pixels, seed=camera.seeds[kind], item=item, attempt=attempt)
        if _whole(camera, scene) and _centre(scene, scene.hand_mm) is not None:
            return attempt, scene
        attempt += 1
    raise StoreError(
        f"Camera {camera.name}, set {kind}: in {TRIES} scenes of item {item} no hand was found. Its noise or its "
        "distances leave too little of hands; weaken the one or change the other."
    )


def _centre(scene: Scene, depth_mm: NDArray[np.float32]) -> NDArray[np.float64] | None:
    """Return the centre that is found in a map, (3,) mm, or nothing where it is off the palm or its cube too small."""
    centre = locate_hand(depth_mm, scene.camera, cube_mm=CUBE_MM)
    if centre is None or np.linalg.norm(centre - scene.palm_mm) > OFF_PALM_MM:
        return None
    outside = np.abs(scene.joints_mm - centre).max(axis=1) - CUBE_MM / 2
    return centre if outside.max() <= OUTSIDE_MM and (outside > 0).sum() <= OUTSIDE_JOINTS else None


def _whole(camera: ZooCamera, scene: Scene) -> bool:
    """Return whether all joints lie in the image, in front of the camera."""
    z = scene.joints_mm[:, 2]
    uv = scene.joints_mm[:, :2] / z[:, None] * scene.camera[:2] + scene.camera[2:] + scene.origin
    return bool(
        (z > CUBE_MM / 2).all()
        and (uv >= 0).all()
        and (uv <= (camera.pixels.columns - 1, camera.pixels.rows - 1)).all()
    )
