"""Make the small sets in `data/` again: the same bytes on the same versions.

    python -m experiments.shipped_data --out data

`renders` and `camera` are what `refiner render` writes; `sequence` is one hand that moves through four poses before a
camera, interpolated here.
"""

import argparse
import contextlib
import shutil
import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation, Slerp

from refiner.cli.main import main as refiner
from refiner.datasets.store_writer import StoreWriter, provenance
from refiner.hand.collision import overlap_mm
from refiner.hand.limits import sample_hands
from refiner.hand.model import load_hand, pose_joints
from refiner.hand.skeleton import HAND21
from refiner.render.generate import render_hands
from refiner.render.scene import PALM_WEIGHTS, view_rotation
from refiner.render.settings import GivenPoses, RenderSettings
from refiner.sensors.catalogue import CATALOGUE

SETS = {
    "renders": "--count 512 --seed 0 --size 64",
    "camera": "--count 512 --seed 1 --size 64 --sensor kinect1",
}
FRAMES, KEY_FRAMES, CUBE_MM = 60, 4, 260.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("data"))
    out: Path = parser.parse_args().out
    out.mkdir(parents=True, exist_ok=True)
    # Made elsewhere and moved, so that the sets that are there are replaced by whole ones only.
    with tempfile.TemporaryDirectory(dir=out) as folder:
        with contextlib.chdir(folder):  # the command that a store remembers must not name a temporary folder
            for name, words in SETS.items():
                if refiner(["render", f"{name}.zarr", *words.split()]):
                    raise SystemExit(f"rendering {name} failed")
        make_sequence(Path(folder) / "sequence.zarr", seed=7)
        for name in (*SETS, "sequence"):
            shutil.rmtree(out / f"{name}.zarr", ignore_errors=True)
            (Path(folder) / f"{name}.zarr").rename(out / f"{name}.zarr")
    print(f"{out}: {', '.join(SETS)}, sequence")


def make_sequence(path: Path, seed: int) -> None:
    """Render one moving hand as 60 frames of a structured-light camera, labelled."""
    poses = moving_hand(seed)
    settings = RenderSettings(size=128, sensor=CATALOGUE["kinect1"], noise=True, poses=poses)
    rows = render_hands(settings, seed=seed, items=range(FRAMES))
    rows |= {
        "sequence": np.zeros(FRAMES, np.int32),
        "frame": np.arange(FRAMES, dtype=np.int32),
        "subject": np.zeros(FRAMES, np.int32),
    }
    writer = StoreWriter(
        path,
        count=FRAMES,
        size=settings.size,
        depth_unit_mm=settings.depth_unit_mm,
        provenance=provenance("python -m experiments.shipped_data", {"frames": FRAMES}, seed, []),
        arrays={
            name: np.asarray(values).shape[1:]
            for name, values in rows.items()
            if name not in ("depth", "camera", "centre_mm", "cube_mm")
        },
        skeleton=HAND21,
    )
    writer.write(0, rows)
    writer.finish()


def moving_hand(seed: int) -> GivenPoses:
    """Interpolate one hand between key poses, views and places, without sudden starts; none cuts through itself."""
    model = load_hand()
    rng = np.random.default_rng(seed)
    sample = sample_hands(model, seed, range(40))
    shape = np.repeat(sample.shape[:1], FRAMES, axis=0)
    time = np.linspace(0, KEY_FRAMES - 1, FRAMES)
    part = np.minimum(time.astype(int), KEY_FRAMES - 2)
    share = time - part
    share = share * share * (3 - 2 * share)
    chosen: list[int] = [0]
    for candidate in range(1, len(sample.pose)):
        between = _blend(sample.pose[[chosen[-1], candidate]], np.zeros(9, int), np.linspace(0, 1, 9))
        if (overlap_mm(model, between, np.repeat(shape[:1], 9, axis=0)) <= 0).all():
            chosen.append(candidate)
        if len(chosen) == KEY_FRAMES:
            break
    pose = _blend(sample.pose[chosen], part, share)
    views = [view_rotation(*np.deg2rad(rng.normal((0, 20, 0), (35, 20, 25)))) for _ in range(KEY_FRAMES)]
    rotation = Slerp(np.arange(KEY_FRAMES), Rotation.from_matrix(views))(part + share)
    pose[:, :3] = rotation.as_rotvec()
    palms = rng.uniform((-60, -50, 560), (60, 50, 700), (KEY_FRAMES, 3))
    centre = _blend(palms, part, share)
    joints = pose_joints(model, pose, shape, np.zeros(FRAMES, np.int32))
    wrist = centre - np.einsum("j,njk->nk", PALM_WEIGHTS, joints)
    return GivenPoses(
        pose, shape, np.zeros(FRAMES, np.int32), wrist, centre, np.full(FRAMES, CUBE_MM),
        [f"frame {frame}" for frame in range(FRAMES)],
    )  # fmt: skip


def _blend(keys: NDArray[np.float64], part: NDArray[np.int_], share: NDArray[np.float64]) -> NDArray[np.float64]:
    return keys[part] * (1 - share[:, None]) + keys[part + 1] * share[:, None]


if __name__ == "__main__":
    main()
