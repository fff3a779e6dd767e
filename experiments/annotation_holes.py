"""What annotation makes of a finger whose readings are lost, on the shipped sequence with exact labels.

    python -m experiments.annotation_holes --out FILE.json [--store NAME.zarr] [--rows ROW ...]

In every frame the readings over one finger are removed: those within 18 mm of its bones in the image, a finger's
width to each side, so that no rim of it is left. It is the finger that stands out most: over whose joints the nearest
readings that are left lie farthest behind them, so that depth borrowed from there is most wrong. Measured is the mean
distance from true joints, of those that lost their readings and of all others, beside that with all depth there:

    lift              the lift alone, every frame labelled, without the hand model
    slsqp             likewise by the published solver, every sixth frame
    solve             `refiner annotate new`, `import`, `solve` and `evaluate`, every frame labelled
    sparse            likewise, every sixth frame labelled, so that the others have nobody who says where the finger is
"""

import argparse
import contextlib
import io
import tempfile
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from refiner.annotate.exchange.coco import write_labels
from refiner.annotate.sessions.bones import write_bones
from refiner.annotate.sessions.labels import OCCLUDED, VISIBLE, FrameLabels
from refiner.annotate.sessions.order import sources_of
from refiner.annotate.sessions.results import STAGES
from refiner.annotate.sessions.session import Session
from refiner.annotate.sessions.truth import bones_of_store, surface_offset_mm
from refiner.annotate.simulate import labels_of_truth
from refiner.annotate.solver.chain import tree_of
from refiner.annotate.solver.costs import depth_at
from refiner.annotate.solver.surface import fill_gaps, terms_of
from refiner.annotate.stages.lift import lift
from refiner.annotate.stages.slsqp import lift_slsqp
from refiner.cli.main import main as refiner
from refiner.datasets.store import DepthStore
from refiner.datasets.store_writer import StoreWriter, provenance
from refiner.files import write_json
from refiner.geometry.camera import project
from refiner.hand.skeleton import HAND21

Floats = NDArray[np.float64]

SHIPPED = Path(__file__).parents[1] / "data" / "sequence.zarr"
FINGERS = np.arange(1, 21).reshape(5, 4)
REACH_MM = 18.0
SPARSE_STEP = 6
ARRAYS = ("depth", "camera", "centre_mm", "cube_mm", "joints_mm", "visible", "sequence", "frame", "source")

REMOVED = {"whole finger": 0, "tip and dip": 2, "tip alone": 3, "whole finger, flagged occluded": 0}
"""The first joint of the finger whose readings are removed."""

ROWS: dict[str, tuple[str, ...]] = {
    "lift": (),
    "slsqp": (),
    "solve": (),
    "solve_no_hand_model": ("--no-hand-model",),
    "sparse": (),
    "sparse_no_hand_model": ("--no-hand-model",),
}
"""Words for `solve`; the first two are the lift alone."""
SPARSE = ("slsqp", "sparse", "sparse_no_hand_model")
"""Of which every sixth frame is labelled."""


@dataclass(frozen=True, eq=False)
class Case:
    """A sequence with some readings removed.

    Attributes:
        depth: (N, H, W) what is left of the maps.
        affected: (N, J) joints that lost their readings.
        labels: Of every frame.
    """

    depth: NDArray[np.uint16]
    affected: NDArray[np.bool_]
    labels: list[FrameLabels]


def removed(depth: NDArray[np.uint16], uv_px: Floats, radius_px: float) -> NDArray[np.uint16]:
    """Return a map (H, W) without the readings within a radius of a line through some joints (M, 2) in the image."""
    columns, rows = np.meshgrid(np.arange(depth.shape[1]), np.arange(depth.shape[0]))
    pixels = np.stack([columns, rows], axis=-1).astype(np.float64)
    far = np.linalg.norm(pixels - uv_px[0], axis=-1)
    for start, stop in pairwise(uv_px):
        way = stop - start
        share = np.clip((pixels - start) @ way / max(float(way @ way), 1e-9), 0, 1)
        far = np.minimum(far, np.linalg.norm(pixels - start - share[..., None] * way, axis=-1))
    return np.where(far < radius_px, 0, depth).astype(depth.dtype)


def fingers_that_stand_out(store: DepthStore) -> NDArray[np.int64]:
    """Return the finger (N,) of each frame whose joints lie farthest before the readings that are left without it."""
    depth, joints_mm = store.read("depth"), store.read("joints_mm").astype(np.float64)
    uv_px = project(joints_mm, store.read("camera").astype(np.float64)[:, None])
    before_mm = np.zeros((len(depth), len(FINGERS)))
    for number, finger in enumerate(FINGERS):
        surface, _ = fill_gaps(_without(store, np.tile(finger, (len(depth), 1))))
        for n in range(len(depth)):
            over = [depth_at(surface[n], store.depth_unit_mm, *uv_px[n, k])[0] for k in finger]
            before_mm[n, number] = np.mean(over - joints_mm[n, finger, 2])
    return before_mm.argmax(axis=1)


def _without(store: DepthStore, joints: NDArray[np.int64]) -> NDArray[np.uint16]:
    """Return the maps without the readings over some joints (N, M) of each."""
    joints_mm, camera = store.read("joints_mm").astype(np.float64), store.read("camera").astype(np.float64)
    uv_px = project(joints_mm, camera[:, None])
    return np.stack([
        removed(depth, uv_px[n, joints[n]], REACH_MM * camera[n, 0] / float(joints_mm[n, joints[n], 2].mean()))
        for n, depth in enumerate(store.read("depth"))
    ])  # fmt: skip


def case_of(store: DepthStore, what: str) -> Case:
    """Remove readings as a row of `REMOVED` says, and label every frame exactly."""
    joints = FINGERS[fingers_that_stand_out(store)][:, REMOVED[what] :]
    affected = np.zeros((len(store), len(HAND21)), dtype=bool)
    np.put_along_axis(affected, joints, values=True, axis=1)
    labels = labels_of_truth(store, range(len(store)))
    if what.endswith("flagged occluded"):
        labels = [
            replace(one, flag=np.where(affected[one.frame] & (one.flag == VISIBLE), OCCLUDED, one.flag).astype(np.int8))
            for one in labels
        ]
    return Case(_without(store, joints), affected, labels)


def lifted_off_mm(store: DepthStore, depth: NDArray[np.uint16], labels: list[FrameLabels], solver: str) -> Floats:
    """Return how far (N, J) the lift alone is from the truth; NaN where there are no labels."""
    assert store.skeleton is not None
    joints_mm, camera = store.read("joints_mm").astype(np.float64), store.read("camera").astype(np.float64)
    tree, offset_mm = tree_of(store.skeleton, bones_of_store(store)), surface_offset_mm(store.skeleton)
    at = [one.frame for one in labels]
    terms = terms_of(depth[at], store.depth_unit_mm, camera[at], offset_mm, labels)
    solution = lift_slsqp(tree, terms) if solver == "slsqp" else lift(tree, terms)
    off_mm = np.full(joints_mm.shape[:2], np.nan)
    off_mm[at] = np.linalg.norm(solution.joints_mm - joints_mm[at], axis=-1)
    return off_mm


def solved_off_mm(
    store: DepthStore, depth: NDArray[np.uint16], labels: list[FrameLabels], words: tuple[str, ...]
) -> dict[str, Floats]:
    """Return how far (N, J) each stage of a solve by the command line is from the truth; NaN where it has nothing."""
    assert store.skeleton is not None
    joints_mm = store.read("joints_mm").astype(np.float64)
    with tempfile.TemporaryDirectory() as folder:
        maps, session = str(Path(folder, "maps.zarr")), str(Path(folder, "session"))
        bones, said = str(Path(folder, "bones.json")), str(Path(folder, "labels.json"))
        write_maps(Path(maps), store, depth)
        write_bones(bones, bones_of_store(store), store.skeleton)
        write_labels(said, labels, store.skeleton, sources_of(store), store.size)
        _refiner("new", session, maps, "--bones", bones)
        _refiner("import", session, said)
        _refiner("solve", session, "--descriptor", "hog", *words)
        _refiner("evaluate", session, str(store.path), "--out", str(Path(folder, "errors.json")))
        with Session(session) as opened:
            results = {stage: opened.result(stage) for stage in STAGES}
    return {
        stage: np.linalg.norm(one.joints_mm.astype(np.float64) - joints_mm, axis=-1)
        for stage, one in results.items()
        if one is not None
    }


def write_maps(path: Path, store: DepthStore, depth: NDArray[np.uint16]) -> None:
    """Write a store of other maps, all else as it is."""
    rows = {name: store.read(name) for name in ARRAYS if name in store} | {"depth": depth}
    extra = {name: rows[name].shape[1:] for name in rows if name not in ("depth", "camera", "centre_mm", "cube_mm")}
    writer = StoreWriter(
        path, count=len(depth), size=store.size, depth_unit_mm=store.depth_unit_mm, skeleton=store.skeleton,
        provenance=provenance("python -m experiments.annotation_holes", {}, None, []), arrays=extra,
    )  # fmt: skip
    for start, stop in store.chunk_ranges():
        writer.write(start, {name: values[start:stop] for name, values in rows.items()})
    writer.finish()


def _refiner(*words: str) -> None:
    told = io.StringIO()
    with contextlib.redirect_stdout(told), contextlib.redirect_stderr(told):
        status = refiner(["annotate", *words])
    if status:
        raise SystemExit(f"refiner annotate {' '.join(words)} failed:\n{told.getvalue()}")


def measure(store: DepthStore, row: str, what: str) -> dict[str, Any]:
    """Measure one row with the readings removed, and with all of them."""
    case = case_of(store, what)
    found, step = {}, SPARSE_STEP if row in SPARSE else 1
    labels = case.labels[step // 2 :: step]
    for there, depth in (("all_depth", store.read("depth")), ("removed", case.depth)):
        if row in ("lift", "slsqp"):
            off_mm = {"lift": lifted_off_mm(store, depth, labels, row)}
        else:
            off_mm = solved_off_mm(store, depth, labels, ROWS[row])
        found[there] = {
            stage: {"affected_mm": _mean(off, case.affected), "others_mm": _mean(off, ~case.affected)}
            for stage, off in off_mm.items()
        }
    return found


def _mean(off_mm: Floats, which: NDArray[np.bool_]) -> float:
    return float(np.nanmean(off_mm[which]))


def main(words: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--store", type=Path, default=SHIPPED)
    parser.add_argument("--rows", nargs="+", choices=list(ROWS), default=list(ROWS))
    given = parser.parse_args(words)
    store = DepthStore(given.store)
    print(f"{'':<22}{'removed':<32}{'stage':<11}{'affected, mm':>16}{'others, mm':>16}   with all depth -> without")
    table: dict[str, Any] = {}
    for row in given.rows:
        for what in REMOVED:
            found = table.setdefault(row, {})[what] = measure(store, row, what)
            for stage, whole in found["all_depth"].items():
                less = found["removed"][stage]
                affected, others = (f"{whole[k]:.1f} -> {less[k]:.1f}" for k in ("affected_mm", "others_mm"))
                print(f"{row:<22}{what:<32}{stage:<11}{affected:>16}{others:>16}", flush=True)
            write_json(given.out, {"store": given.store.name, "frames": len(store), "rows": table})
    print(f"{given.out}: {len(table)} rows")


if __name__ == "__main__":
    main()
