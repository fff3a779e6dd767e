"""Make a sequence to annotate: one hand that moves before a depth camera, with all that is true of it.

    python -m experiments.annotation_sequence OUT.zarr [--frames 3000] [--seed 0] [--motion FOLDER]
        [--sensor kinect1|kinect2|none] [--overwrite]

The hand moves in takes of some seconds, each a `sequence` of its own. Two fifths of the frames are a tracked hand's
(FOLDER, by default ../shared/data/motion), carried over to this hand; the others go between drawn poses and views, rest
there, and come back to what they showed before. Without FOLDER all are drawn.

The crops are a tracker's: round the palm as `locate_hand` finds it, smoothed over time. The last line printed is how
far joints lie from those of the closest reference, relative to the centres of their cubes: what copying them errs. The
references are a tenth of the frames; they are chosen, and the closest found, by histograms of oriented gradients.
"""

import argparse
import shlex
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from experiments.hand_motion import Take, make_takes
from refiner.annotate.references.descriptors import hog
from refiner.annotate.references.distances import CosineDistances
from refiner.annotate.references.nearest import nearest_references
from refiner.annotate.references.select import HOG_RADIUS, select_references
from refiner.datasets.locate import locate_hand
from refiner.datasets.store import DepthStore
from refiner.datasets.store_writer import CHUNK_ITEMS, StoreWriter, provenance
from refiner.geometry.depth import to_mm
from refiner.hand.limits import sample_hands
from refiner.hand.model import HandModel, load_hand, pose_hands, pose_joints
from refiner.hand.skeleton import HAND21
from refiner.render.generate import render_hands
from refiner.render.scene import PALM_DEPTH_MM, PALM_WEIGHTS
from refiner.render.settings import GivenPoses, RenderSettings
from refiner.render.view import given_view
from refiner.sensors.catalogue import CATALOGUE, PLAIN
from refiner.sensors.depth_sensor import DepthSensor
from refiner.sensors.sense import describe_model

Floats = NDArray[np.float64]

MOTION = Path(__file__).parents[2] / "shared" / "data" / "motion"
CUBE_MM, SIZE_PX, BUDGET = 260.0, 128, 0.1
CENTRE_SIGMA_FRAMES, OFF_PALM_MM = 2.0, 50.0
"""A tracker's smoothing, and how far from the palm it is not believed."""
TIPS = [k for k, joint in enumerate(HAND21.joints) if joint.endswith("_tip")]


def main(words: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--frames", type=int, default=3000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--motion", type=Path, default=MOTION)
    parser.add_argument("--sensor", choices=("kinect1", "kinect2", "none"), default="kinect1")
    parser.add_argument("--overwrite", action="store_true")
    words = sys.argv[1:] if words is None else words
    given = parser.parse_args(words)
    if given.frames < 20 or given.seed < 0:
        parser.error(f"found --frames {given.frames} --seed {given.seed}, wanted at least 20 frames and a seed >= 0")
    motion = given.motion if (given.motion / "animbank.pose").is_file() else None
    if motion is None:
        print(f"No tracked motion in {given.motion}: all motion is drawn.", file=sys.stderr)
    model = load_hand()
    shape = sample_hands(model, given.seed, [0]).shape[0]
    takes = make_takes(model, shape, given.frames, given.seed, motion)
    command = shlex.join(["python", "-m", "experiments.annotation_sequence", *words])
    write(given.out, model, shape, takes, given.seed, given.sensor, command, overwrite=given.overwrite)
    print(f"{given.out}: {given.frames} frames in {len(takes)} takes")
    for line in report(DepthStore(given.out)):
        print(line)


def write(
    out: Path, model: HandModel, shape: Floats, takes: list[Take], seed: int, sensor: str, command: str, *,
    overwrite: bool = False,
) -> None:  # fmt: skip
    """Render takes as a dataset; what an interrupted run wrote is kept."""
    camera = PLAIN if sensor == "none" else CATALOGUE[sensor]
    poses = follow(camera, model, _placed(model, shape, takes), takes)
    settings = RenderSettings(sensor=camera, noise=camera.model is not None, size=SIZE_PX, poses=poses)
    count = len(poses.names)
    frame = np.concatenate([np.arange(len(take.pose)) for take in takes])
    sequence = np.repeat(np.arange(len(takes)), [len(take.pose) for take in takes])
    configuration = {
        "count": count,
        "size": SIZE_PX,
        "camera": [*camera.camera, *camera.image_px],
        "sensor": None if camera.model is None else describe_model(camera.model),
        "takes": [{"kind": take.kind, "frames": len(take.pose)} for take in takes],
    }
    joints = (len(HAND21), 3)
    writer = StoreWriter(
        out, count=count, size=SIZE_PX, depth_unit_mm=settings.depth_unit_mm,
        provenance=provenance(command, configuration, seed, []),
        arrays={"joints_mm": joints, "visible": joints[:1], "source": (), "sequence": (), "frame": (), "side": (),
                "pose": (len(model.pose_names),), "shape": (len(model.shape_names),)},
        skeleton=HAND21, overwrite=overwrite,
    )  # fmt: skip

    def render(start: int, stop: int) -> None:
        rows = render_hands(settings, seed=seed, items=np.arange(start, stop))
        writer.write(start, rows | {"sequence": sequence[start:stop], "frame": frame[start:stop]})

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda part: render(*part), writer.missing()))
    writer.finish()


def _placed(model: HandModel, shape: Floats, takes: list[Take]) -> GivenPoses:
    """The hands of all takes, each cube round the palm itself."""
    pose = np.concatenate([take.pose for take in takes])
    wrist = np.concatenate([take.wrist_mm for take in takes])
    count = len(pose)
    shapes, side = np.tile(shape, (count, 1)), np.zeros(count, np.int32)
    palm = np.einsum("k,nki->ni", PALM_WEIGHTS, pose_joints(model, pose, shapes, side)) + wrist
    palm[:, 2] -= PALM_DEPTH_MM
    names = [f"{take.kind} take {k} frame {n}" for k, take in enumerate(takes) for n in range(len(take.pose))]
    return GivenPoses(pose, shapes, side, wrist, palm, np.full(count, CUBE_MM), names)


def follow(camera: DepthSensor, model: HandModel, poses: GivenPoses, takes: list[Take]) -> GivenPoses:
    """Put the cubes where a tracker would: round the palm that is found in each frame, smoothed in each take."""
    clean = RenderSettings(sensor=replace(camera, model=None))
    found = poses.centre_mm.copy()

    def locate(start: int) -> None:
        part = slice(start, start + CHUNK_ITEMS)
        unturned = poses.pose[part].copy()
        unturned[:, :3] = 0.0
        vertices, joints = pose_hands(model, unturned, poses.shape[part], poses.side[part])
        for n in range(len(unturned)):
            turn = poses.pose[start + n, :3]
            view = given_view(clean, poses, turn, vertices[n], joints[n], 0, 0, start + n)
            centre = locate_hand(view.clean_mm, view.camera, cube_mm=CUBE_MM)
            if centre is not None and np.linalg.norm(centre - poses.centre_mm[start + n]) < OFF_PALM_MM:
                found[start + n] = centre

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(locate, range(0, len(found), CHUNK_ITEMS)))
    first = 0
    for take in takes:
        part = slice(first, first + len(take.pose))
        found[part] = gaussian_filter1d(found[part], CENTRE_SIGMA_FRAMES, axis=0, mode="nearest")
        first = part.stop
    return replace(poses, centre_mm=found)


def report(store: DepthStore) -> list[str]:
    """Say how fast the hand is, and how well its frames stand for each other."""
    joints = store.read("joints_mm").astype(np.float64)
    together = np.diff(store.read("sequence")) == 0
    step = np.linalg.norm(np.diff(joints[:, TIPS], axis=0), axis=2)[together]
    relative = joints - store.read("centre_mm")[:, None]
    distances = CosineDistances(hog(to_mm(store.read("depth"), store.depth_unit_mm)))
    chosen = select_references(distances, BUDGET, HOG_RADIUS).frames
    copied = _apart(relative, relative[nearest_references(distances, chosen)])
    best = np.min([_apart(relative, relative[frame]) for frame in chosen], axis=0)
    return [
        f"fingertips: {np.median(step):.1f} mm a frame in the median, {step.max():.1f} at most",
        f"closest reference of {len(chosen)} if poses were known: {best.mean():.2f} mm",
        f"closest reference: {copied.mean():.2f} mm (median {np.median(copied):.2f})",
    ]


def _apart(joints: Floats, others: Floats) -> Floats:
    return np.linalg.norm(joints - others, axis=-1).mean(axis=-1)


if __name__ == "__main__":
    main()
