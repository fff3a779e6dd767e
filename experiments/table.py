"""The paper's claim as a table: does an estimator trained on refined maps beat one trained on raw renders?

    python -m experiments.table --out runs/table [--camera first|second] [--seeds 3] [--rows ROW ...] [--quick]
    python -m experiments.table --out runs/mine --stores synthetic=A.zarr camera=B.zarr test=C.zarr

One row and seed is one job with a json of its own in OUT/jobs; what is there is not done again, so an interrupted table
goes on. A folder that was made with other settings is refused. `--quick` is one seed and four rows, with fewer updates.
The sets are those of experiments/benchmark.yaml, or your own: `camera` may be without labels, then the row that needs
them is left out; `synthetic_3x` is optional.
"""

import argparse
import hashlib
import json
import statistics
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import yaml
from scipy import stats

from experiments.settings import claim, digest
from experiments.steps import count_maps, estimator_error, has_updates, made, trained_refiner
from experiments.zoo.controls import make_named_control
from refiner.cli.recipes import shipped
from refiner.datasets.store import DepthStore

BENCHMARK = Path(__file__).with_name("benchmark.yaml")
QUICK_ROWS, QUICK_SHARE = ("synthetic", "analytic_right", "refined", "camera"), 0.5
SETS = ("synthetic", "synthetic_3x", "camera", "test")
"""What a user's own stores may stand for."""


@dataclass(frozen=True)
class Table:
    """What a table is made of.

    Attributes:
        out: Folder of sets, runs and jobs.
        settings: Of the benchmark.
        camera: Name of the stand-in camera.
        share: Share of all updates that is done; 1 but for a quick look.
        stores: Own stores by their name among `SETS`, in place of the stand-in's; empty for the benchmark.
    """

    out: Path
    settings: dict[str, Any]
    camera: str
    share: float = 1.0
    stores: dict[str, Path] = field(default_factory=dict)

    def all_settings(self) -> dict[str, Any]:
        """Return everything that a job depends on, except its row and its seed."""
        stores = {name: DepthStore(path).digest() for name, path in self.stores.items()}
        recipes = {part: digest(shipped(self.settings[part]["config"])) for part in ("refiner", "pose")}
        camera = None if stores else self.camera
        return {"benchmark": self.settings, "recipes": recipes, "camera": camera, "share_of_updates": self.share,
                "stores": stores}  # fmt: skip

    @property
    def stand_in(self) -> dict[str, Any]:
        """Give the camera's settings."""
        return self.settings["cameras"][self.camera]

    def updates(self, part: str, maps: int = 0) -> int:
        """Return the updates of `refiner` or `pose`; for more maps than the benchmark's more of them."""
        times = max(1.0, maps / self.settings["maps"])
        return max(2, round(self.settings[part]["updates"] * times * self.share))

    def rows(self) -> list[str]:
        """Name the rows that there are sets for."""
        if not self.stores:
            return list(ROWS)
        labelled = "joints_mm" in DepthStore(self.stores["camera"]).names
        needs = dict.fromkeys(("synthetic", "control_fixed", "control_measured", "refined"), True)
        needs |= {"camera": labelled, "mixed": labelled}
        thrice = "synthetic_3x" in self.stores
        needs |= {"synthetic_3x": thrice, "refined_3x": thrice, "camera_longer": thrice and labelled}
        return [row for row in ROWS if needs.get(row, False)]


def rendered(table: Table, name: str, *, seed: str, sensor: str | None, times: float = 1, maps: str = "maps") -> Path:
    """Render a set, unless it is there or the user's own."""
    if name in table.stores:
        return table.stores[name]
    path, stand_in = table.out / f"{name}.zarr", table.stand_in
    words = ["--count", str(round(table.settings[maps] * times)), "--seed", str(stand_in["seeds"][seed])]
    words += ["--size", str(table.settings["size"]), "--camera", stand_in["camera"]]
    words += ["--distance-mm", stand_in["distance_mm"], "--scene", stand_in["scene"]]
    words += ["--sensor", sensor] if sensor else []
    return made(path, "render", str(path), *words)


def synthetic(table: Table, times: int = 1) -> Path:
    """Give clean renders."""
    return rendered(
        table, "synthetic" if times == 1 else f"synthetic_{times}x", seed="synthetic", sensor=None, times=times
    )


def camera_set(table: Table, name: str = "camera", times: float = 1) -> Path:
    """Give the camera's maps, or the first of them: unlabelled for the refiner, labelled for the row to beat."""
    return rendered(table, name, seed="camera", sensor=table.stand_in["sensor"], times=times)


def refined(table: Table, seed: int, times: int = 1) -> Path:
    """Train a refiner of this seed on the unlabelled camera maps, once, and refine the renders."""
    key = hashlib.sha256(json.dumps(table.all_settings(), sort_keys=True).encode()).hexdigest()[:8]
    name = f"{table.out.name}_{key}_refiner_{seed}"  # another folder of that name may lie elsewhere
    updates = table.updates("refiner")
    words = ["--config", table.settings["refiner"]["config"], "--seed_everything", str(seed)]
    words += ["--trainer.max_steps", str(updates)]
    done = partial(has_updates, updates=updates)
    last = trained_refiner(name, done, synthetic(table), camera_set(table), *words)
    path = table.out / f"refined_{times}x_{seed}.zarr"
    return made(path, "refine", str(last), str(synthetic(table, times)), str(path))


def control(table: Table, which: str) -> Path:
    """Make a control without a network: one fixed strength for all cameras, or what was measured of this one."""
    maps, renders = camera_set(table), synthetic(table)
    return make_named_control(which, renders, maps, table.out / f"control_{which}.zarr")


ROWS: dict[str, Callable[[Table, int], list[Path]]] = {
    "synthetic": lambda table, seed: [synthetic(table)],  # noqa: ARG005
    "analytic_right": lambda table, seed: [  # noqa: ARG005
        rendered(table, "analytic_right", seed="synthetic", sensor=table.stand_in["sensor"])
    ],
    "analytic_wrong": lambda table, seed: [  # noqa: ARG005
        rendered(table, "analytic_wrong", seed="synthetic", sensor=table.stand_in["wrong_sensor"])
    ],
    "control_fixed": lambda table, seed: [control(table, "fixed")],  # noqa: ARG005
    "control_measured": lambda table, seed: [control(table, "measured")],  # noqa: ARG005
    "refined": lambda table, seed: [refined(table, seed)],
    "camera": lambda table, seed: [camera_set(table)],  # noqa: ARG005
    "camera_third": lambda table, seed: [camera_set(table, "camera_third", 1 / 3)],  # noqa: ARG005
    "camera_tenth": lambda table, seed: [camera_set(table, "camera_tenth", 1 / 10)],  # noqa: ARG005
    # What training as long as the 3x rows does by itself: the same maps, thrice as many updates.
    "camera_longer": lambda table, seed: 3 * [camera_set(table)],  # noqa: ARG005
    "synthetic_3x": lambda table, seed: [synthetic(table, 3)],  # noqa: ARG005
    "refined_3x": lambda table, seed: [refined(table, seed, 3)],
    "mixed": lambda table, seed: [refined(table, seed), camera_set(table)],
}
"""Name -> the sets that an estimator is trained on."""


def job(table: Table, row: str, seed: int) -> dict[str, Any]:
    """Train an estimator on a row's sets and measure it on the camera's test maps, unless that is done."""
    result = table.out / "jobs" / f"{row}-{seed}.json"
    if not result.exists():
        result.parent.mkdir(parents=True, exist_ok=True)
        test = rendered(table, "test", seed="test", sensor=table.stand_in["sensor"], maps="test_maps")
        train = ROWS[row](table, seed)
        words = ["--config", table.settings["pose"]["config"], "--seed_everything", str(seed)]
        updates = table.updates("pose", count_maps(train))
        estimator_error(train, test, table.out / f"pose_{row}_{seed}", result, updates, *words)
    return json.loads(result.read_text())


def summary(table: Table, results: dict[str, list[dict[str, Any]]]) -> dict[str, Any]:
    """Put the rows together: mean over seeds, its 95 % interval (Student's t), and the share of the gap closed."""
    rows = {}
    for name, jobs in results.items():
        errors = [result["mean_mm"] for result in jobs]
        mean = statistics.fmean(errors)
        half = (
            stats.t.ppf(0.975, len(errors) - 1) * statistics.stdev(errors) / len(errors) ** 0.5
            if len(errors) > 1
            else None
        )
        rows[name] = {
            "mean_mm": mean,
            "ci95_half_mm": half,
            "seeds_mm": errors,
            "within_5px": statistics.fmean(result["pck"]["5"] for result in jobs),
            "auc": statistics.fmean(result["auc"] for result in jobs),
        }
    camera = "own stores" if table.stores else table.camera
    whole: dict[str, Any] = {"camera": camera, "share_of_updates": table.share, "rows": rows}
    if {"synthetic", "camera"} <= set(rows):
        raw, best = rows["synthetic"]["mean_mm"], rows["camera"]["mean_mm"]
        whole["raw_over_camera"] = raw / best
        whole["valid"] = raw / best >= table.settings["valid_from"]
        for row in rows.values():
            row["gap_closed"] = (raw - row["mean_mm"]) / (raw - best)
    return whole


def as_markdown(whole: dict[str, Any]) -> str:
    """Write the table for a person."""
    lines = [f"Camera: {whole['camera']}, {whole['share_of_updates']:.0%} of all updates.", ""]
    lines += ["| trained on | mean error | share within 5 px | gap closed |", "|---|---|---|---|"]
    for name, row in whole["rows"].items():
        half = "" if row["ci95_half_mm"] is None else f" +- {row['ci95_half_mm']:.2f}"
        closed = f"{row['gap_closed']:.0%}" if "gap_closed" in row else ""
        lines.append(f"| {name} | {row['mean_mm']:.2f}{half} mm | {row['within_5px']:.1%} | {closed} |")
    if "valid" in whole:
        lines += [
            "",
            f"Raw over labelled camera: {whole['raw_over_camera']:.2f}" + ("" if whole["valid"] else " (VOID)"),
        ]
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("runs/table"))
    parser.add_argument("--benchmark", type=Path, default=BENCHMARK)
    parser.add_argument("--camera", default="first")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--rows", nargs="+", choices=ROWS)
    parser.add_argument("--stores", nargs="+", default=[], metavar="NAME=STORE", help=f"any of {', '.join(SETS)}")
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    settings = yaml.safe_load(options.benchmark.read_text())
    stores = own_stores(parser, options.stores)
    table = Table(options.out, settings, options.camera, QUICK_SHARE if options.quick else 1.0, stores)
    rows = options.rows or [row for row in table.rows() if not options.quick or row in QUICK_ROWS]
    if missing := set(rows) - set(table.rows()):
        parser.error(f"there are no stores for the rows {', '.join(sorted(missing))}")
    claim(table.out, table.all_settings())
    results: dict[str, list[dict[str, Any]]] = {row: [] for row in rows}
    for seed in range(1 if options.quick else options.seeds):
        for row in rows:
            results[row].append(job(table, row, seed))
    whole = summary(table, results)
    (table.out / "table.json").write_text(json.dumps(whole, indent=2) + "\n")
    (table.out / "table.md").write_text(as_markdown(whole))
    print(as_markdown(whole))
    print(f"{table.out}: table.json, table.md")


def own_stores(parser: argparse.ArgumentParser, words: list[str]) -> dict[str, Path]:
    """Read NAME=STORE words; all of synthetic, camera and test are wanted where there is one."""
    stores = {name: Path(path) for name, _, path in (word.partition("=") for word in words)}
    wanted = {"synthetic", "camera", "test"}
    if stores and not wanted <= set(stores) <= set(SETS):
        parser.error(
            f"found the stores {', '.join(stores)}, wanted {', '.join(sorted(wanted))} and synthetic_3x or not"
        )
    return stores


if __name__ == "__main__":
    main()
