"""What renders take from other datasets: a real set's distances and places, and solved poses."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from refiner.datasets.store import DepthStore
from refiner.errors import StoreError
from refiner.hand.model import HandModel, pose_joints
from refiner.render.scene import PALM_WEIGHTS, Places
from refiner.render.settings import GivenPoses
from refiner.sensors.catalogue import CATALOGUE, PLAIN, camera_of
from refiner.sensors.depth_sensor import DepthSensor
from refiner.sensors.models.time_of_flight import TimeOfFlight


def places_like(store: DepthStore) -> Places:
    """Take distances, places and cubes of the hands of a real set.

    Raises:
        StoreError: It has no items, or one of them has no place before the camera.
    """
    centre_mm, cube_mm = store.read("centre_mm").astype(np.float64), store.read("cube_mm").astype(np.float64)
    if len(store) == 0:
        raise StoreError(f"{store.path} holds no items to take distances from. Give a set with hands (--like).")
    good = (centre_mm[:, 2] > 0) & (cube_mm > 0)
    if not good.all():
        item = int(np.argmin(good))
        raise StoreError(
            f"{store.path}: item {item} has its centre at {centre_mm[item].tolist()} mm and a cube of "
            f"{cube_mm[item]:g} mm; wanted z > 0 and a cube > 0. Make the set again, or do without --like."
        )
    distance = centre_mm[:, 2]
    return Places(float(distance.min()), float(distance.max()), float(np.median(cube_mm)), centre_mm, cube_mm)


def sensor_like(store: DepthStore) -> DepthSensor | None:
    """Return the camera that a set was recorded or rendered with, where its attribute `sensor` or provenance tells.

    It has a model where the attribute names a camera of the catalogue. A set of loose crops, whose principal points
    differ, tells a focal length alone: that of an image of 640 x 480.
    """
    told = store.sensor
    if told is not None and told["camera"] is not None:
        known = CATALOGUE.get(told["name"] or "", PLAIN)
        columns, rows = told["image_px"]
        sensor = replace(known, camera=tuple(told["camera"]), image_px=(columns, rows), unit_mm=told["unit_mm"])
        return sensor.mirrored() if _is_mirrored(sensor, told["measured"]) else sensor
    configuration = store.provenance.get("configuration")
    camera: Any = configuration.get("camera") if isinstance(configuration, dict) else None
    focal: Any = configuration.get("focal_px") if isinstance(configuration, dict) else None
    if camera is None and isinstance(focal, list | tuple) and len(focal) == 2:
        return replace(PLAIN, camera=(float(focal[0]), float(focal[1]), *PLAIN.camera[2:]))
    if isinstance(camera, list | tuple):
        return camera_of(",".join(str(value) for value in camera))
    return replace(camera_of(camera), model=None) if isinstance(camera, str) else None


def _is_mirrored(sensor: DepthSensor, measured: Mapping[str, Mapping[str, float] | None]) -> bool:
    """Return whether shadows lie on the other side than the camera throws them to: many sets are stored mirrored."""
    shadow = measured.get("shadow_background_baseline_mm")
    if shadow is None or sensor.model is None or isinstance(sensor.model, TimeOfFlight):
        return False
    return max(shadow["low"] * sensor.model.baseline_mm, shadow["high"] * sensor.model.baseline_mm) < 0


def poses_from(store: DepthStore, model: HandModel) -> GivenPoses:
    """Take the hands of a store that has `pose` and `shape`; items where these are not finite are passed over.

    The wrist stands where the store's `joints_mm` has it, else so that the palm lies at the cube's centre.

    Raises:
        StoreError: The arrays are missing, of another model, or hold no hand.
    """
    lacking = [name for name in ("pose", "shape") if name not in store]
    if lacking:
        raise StoreError(
            f"{store.path} has no array {' and no array '.join(lacking)}; it holds {', '.join(store.names)}. Give a "
            "set with poses of the hand model, as `refiner render` writes, and `refiner annotate export` of a solved "
            "session."
        )
    pose, shape = store.read("pose").astype(np.float64), store.read("shape").astype(np.float64)
    for name, array, width in (("pose", pose, len(model.pose_names)), ("shape", shape, len(model.shape_names))):
        if array.shape != (len(store), width):
            raise StoreError(
                f"{store.path}: found {name} of shape {array.shape}, wanted (N, {width}): the parameters of another "
                "hand model. Solve or render the set again with this version."
            )
    side = store.read("side") if "side" in store else np.zeros(len(store), dtype=np.int32)
    if not np.isin(side, (0, 1)).all():
        raise StoreError(f"{store.path}: found sides {np.unique(side)[:5].tolist()}, wanted 0 (right) or 1 (left).")
    wrist = np.full((len(store), 3), np.nan)
    if store.skeleton is not None and "wrist" in store.skeleton.joints:
        wrist = store.read("joints_mm")[:, store.skeleton.joints.index("wrist")].astype(np.float64)
    finite = np.isfinite(pose).all(axis=1) & np.isfinite(shape).all(axis=1)
    if not finite.any():
        raise StoreError(f"{store.path} holds {len(store)} items, but no pose and shape is finite. Solve it first.")
    kept = np.flatnonzero(finite)
    pose, shape, side, wrist = pose[kept], shape[kept], side[kept], wrist[kept]
    centre, cube = store.read("centre_mm")[kept].astype(np.float64), store.read("cube_mm")[kept].astype(np.float64)
    unknown = ~np.isfinite(wrist).all(axis=1)
    palm = np.einsum("k,nki->ni", PALM_WEIGHTS, pose_joints(model, pose, shape, side).astype(np.float64))
    wrist[unknown] = (centre - palm)[unknown]
    names = [f"{store.path.name} item {item}" for item in kept]
    image = (store.read("image_px")[kept].astype(np.float64) + 0.5) / store.size if "image_px" in store else None
    return GivenPoses(pose, shape, side.astype(np.int32), wrist, centre, cube, names, image)


def left_share(store: DepthStore) -> float | None:
    """Give the share of left hands in a set, where it tells."""
    return float((store.read("side") == 1).mean()) if "side" in store and len(store) else None
