"""What the bound of hidden joints costs where a flag is wrong: exact clicks, 5 % of whose flags are flipped, lifted.

    python -m experiments.annotation_flags --out FILE.json [--choose NAME.zarr] [--judge NAME.zarr] [--step 10]

A joint that a person calls hidden lies at least some way behind the surface and its own offset, as a penalty with some
deviation: 15 mm, as this project had it; 0 mm, the paper's z > D with the authors' offsets; and between. Ways are
compared on one sequence, the shipped one, and the chosen one is judged on another, which nobody has chosen by: a
rendered one of `experiments.annotation_sequence`. Mean distance from true joints in mm, without the hand model; the
flags of 5 % of the joints that are clicked are flipped by lot, hidden to visible and visible to hidden.
"""

import argparse
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from refiner.annotate.sessions.labels import ABSENT, OCCLUDED, VISIBLE, FrameLabels
from refiner.annotate.sessions.truth import bones_of_store, surface_offset_mm
from refiner.annotate.simulate import labels_of_truth
from refiner.annotate.solver.chain import tree_of
from refiner.annotate.solver.surface import terms_of
from refiner.annotate.stages.lift import LIFT_WEIGHTS, lift
from refiner.datasets.store import DepthStore
from refiner.files import write_json

SHIPPED = Path(__file__).parents[1] / "data" / "sequence.zarr"
FLIPPED = 0.05
WAYS: dict[str, tuple[float, float]] = {
    f"{hidden:g} mm behind, deviation {sigma:g}": (hidden, sigma)
    for hidden, sigma in ((15, 5), (15, 10), (15, 20), (10, 5), (5, 5), (5, 10), (0, 2), (0, 5), (0, 10))
}
"""How far behind surface and offset hidden joints lie at least, and the deviation of that bound."""


def flipped(labels: FrameLabels, seed: int) -> tuple[FrameLabels, NDArray[np.bool_]]:
    """Return labels with some flags flipped, and which (J,)."""
    lot = np.random.default_rng((seed, labels.frame)).random(len(labels.flag)) < FLIPPED
    wrong = lot & (labels.flag != ABSENT)
    return replace(labels, flag=np.where(wrong, VISIBLE + OCCLUDED - labels.flag, labels.flag).astype(np.int8)), wrong


def measure(store: DepthStore, frames: list[int], ways: list[str], seed: int = 0) -> dict[str, Any]:
    """Lift some frames in every way, with right flags and with flipped ones."""
    assert store.skeleton is not None
    true = labels_of_truth(store, frames)
    told = [flipped(one, seed) for one in true]
    wrong, hidden = np.stack([lot for _, lot in told]), np.stack([one.flag == OCCLUDED for one in true])
    joints_mm, camera = store.read("joints_mm").astype(np.float64), store.read("camera").astype(np.float64)
    tree, offset_mm = tree_of(store.skeleton, bones_of_store(store)), surface_offset_mm(store.skeleton)
    table: dict[str, Any] = {"frames": len(frames), "hidden": float(hidden.mean()), "flipped": int(wrong.sum())}
    for name in ways:
        hidden_mm, sigma_mm = WAYS[name]
        weights = LIFT_WEIGHTS._replace(hidden_mm=hidden_mm, occluded_mm=sigma_mm)
        found: dict[str, float] = {}
        for flags, labels in (("right", true), ("flipped", [one for one, _ in told])):
            terms = terms_of(store.read("depth")[frames], store.depth_unit_mm, camera[frames], offset_mm, labels)
            off_mm = np.linalg.norm(lift(tree, terms, weights).joints_mm - joints_mm[frames], axis=-1)
            parts = {"all": np.ones_like(wrong), "visible": ~hidden, "hidden": hidden}
            if flags == "flipped":
                parts |= {"visible_called_hidden": wrong & ~hidden, "hidden_called_visible": wrong & hidden}
            found |= {f"{flags}_{part}_mm": float(off_mm[which].mean()) for part, which in parts.items()}
        table[name] = found
        print(f"{store.path.name}, {name}: " + ", ".join(f"{k} {v:.2f}" for k, v in found.items()), flush=True)
    return table


def main(words: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--choose", type=Path, default=SHIPPED)
    parser.add_argument("--judge", type=Path)
    parser.add_argument("--step", type=int, default=10, help="lift every STEP-th frame of the second sequence")
    parser.add_argument("--ways", nargs="+", choices=list(WAYS), default=list(WAYS))
    given = parser.parse_args(words)
    store, result = DepthStore(given.choose), dict[str, Any]()
    result["choose"] = measure(store, list(range(len(store))), given.ways)
    if given.judge is not None:
        other = DepthStore(given.judge)
        result["judge"] = measure(other, list(range(0, len(other), given.step)), given.ways)
    write_json(given.out, result)
    print(f"{given.out}: {len(given.ways)} ways")


if __name__ == "__main__":
    main()
