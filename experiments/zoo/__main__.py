"""What a refiner is worth on cameras of unlike kinds, beside controls without a network.

    python -m experiments.zoo --out runs/zoo [--cameras NAME ...] [--rows ROW ...] [--seeds 1] [--results FOLDER]

One row, column and seed of a camera is one job with a json of its own in OUT/CAMERA/jobs; what is there is not done
again, so an interrupted table goes on. A folder that was made with other settings is refused. Cameras that are kept
apart (`final` in experiments/zoo.yaml) are refused without `--final`; with it the tree must be clean, and its commit is
part of the result. One process computes with one core, so that processor times compare.
"""

import argparse
import subprocess
import sys
from pathlib import Path
from typing import Any

import torch
import yaml

from experiments.settings import claim
from experiments.sheets import save_sheet, shaded
from experiments.zoo.cameras import ZOO
from experiments.zoo.judge import judge, judge_camera
from experiments.zoo.rows import COLUMNS, REFINED, ROWS, Camera, MakeSets, job, make_all_sets, refiner_record
from experiments.zoo.sets import make_sets
from experiments.zoo.table import as_markdown, summary
from refiner.cli.training import keep_freed_memory
from refiner.datasets.store import DepthStore
from refiner.files import write_json

SHEET_ROWS = ("raw", "refined", "published", "control_fixed", "camera")


def table_of(camera: Camera, rows: list[str], seeds: int, make_sets: MakeSets) -> dict[str, Any]:
    """Do what is not done yet for the table of one camera; write table.json, table.md and sheet.png."""
    claim(camera.out, camera.all_settings())
    make_all_sets(camera, make_sets)
    for seed in range(seeds):  # all rows of a seed first: an interrupted table can be looked at
        for row in rows:
            judge(camera, row, seed)
            for column in COLUMNS:
                job(camera, row, column, seed)
    jobs = {
        column: {row: [job(camera, row, column, seed) for seed in range(seeds)] for row in rows} for column in COLUMNS
    }
    judged = {row: [judge(camera, row, seed) for seed in range(seeds)] for row in rows}
    refiners = {row: [refiner_record(camera, row, seed) for seed in range(seeds)] for row in REFINED if row in rows}
    whole = summary(camera, jobs, judged, refiners, judge_camera(camera))
    write_json(camera.out / "table.json", whole)
    (camera.out / "table.md").write_text(as_markdown(whole))
    shown = [row for row in SHEET_ROWS if row in rows]
    save_sheet(camera.out / "sheet.png", {row: shaded(DepthStore(ROWS[row](camera, 0))) for row in shown})
    return whole


def chosen_cameras(sections: dict[str, dict[str, Any]], names: list[str] | None, final: bool) -> list[str]:
    """Return the cameras that are asked for, or all that may be looked at.

    Raises:
        SystemExit: A camera is not known, or is kept apart and not asked for by `--final`; or there is none.
    """
    kept_apart = {name for name, section in sections.items() if section.get("final", False)}
    wanted = names or [name for name in sections if final or name not in kept_apart]
    if unknown := [name for name in wanted if name not in sections]:
        _refuse(f"Found the camera {', '.join(unknown)}, wanted one of {', '.join(sections) or 'none: there is none'}.")
    if not final and (closed := kept_apart & set(wanted)):
        _refuse(
            f"{', '.join(sorted(closed))} is kept apart until the recipe is frozen: no choice may look at it. "
            "Give --final when it is."
        )
    if not wanted:
        _refuse("The zoo has no camera. List some in its file under `cameras`.")
    return wanted


def clean_commit(folder: Path) -> str:
    """Return the commit of the tree that a folder lies in.

    Raises:
        SystemExit: The tree differs from it, or there is no git repository.
    """
    commit, changes = (
        subprocess.run(["git", "-C", str(folder), *words], capture_output=True, text=True, check=False)
        for words in (["rev-parse", "HEAD"], ["status", "--porcelain"])
    )
    if commit.returncode or changes.returncode:
        _refuse(f"--final records the commit, but git found none at {folder}: {commit.stderr.strip()}")
    if changes.stdout.strip():
        _refuse(f"--final records the commit, but the tree differs from it:\n{changes.stdout}Commit the changes first.")
    return commit.stdout.strip()


def main(words: list[str] | None = None, make_sets: MakeSets = make_sets) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m experiments.zoo", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=Path("runs/zoo"))
    parser.add_argument("--zoo", type=Path, default=ZOO, help="settings and cameras")
    parser.add_argument("--cameras", nargs="+", metavar="NAME", help="without it all that may be looked at")
    parser.add_argument("--rows", nargs="+", choices=ROWS, default=list(ROWS))
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--recipe", metavar="FILE", help="of the row `refined`; without it the zoo's")
    parser.add_argument("--final", action="store_true", help="look at the cameras that are kept apart, too")
    parser.add_argument("--results", type=Path, metavar="FOLDER", help="where zoo_NAME.json of each camera is written")
    options = parser.parse_args(words)
    settings = yaml.safe_load(options.zoo.read_text())
    sections = settings.pop("cameras")
    if options.recipe is not None:
        settings["refiner"]["config"] = options.recipe
    names = chosen_cameras(sections, options.cameras, options.final)
    commit = clean_commit(ZOO.parent) if options.final else None
    torch.set_num_threads(1)
    keep_freed_memory()
    for name in names:
        section = sections[name]
        camera = Camera(name, section, settings, options.out / name, commit if section.get("final", False) else None)
        whole = table_of(camera, options.rows, options.seeds, make_sets)
        if options.results is not None:
            write_json(options.results / f"zoo_{name}.json", whole)
        print(as_markdown(whole))
        print(f"{camera.out}: table.json, table.md, sheet.png", flush=True)


def _refuse(why: str) -> None:
    print(why, file=sys.stderr)
    raise SystemExit(2)


if __name__ == "__main__":
    main()
