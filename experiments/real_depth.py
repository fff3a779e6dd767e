"""Refine towards a real camera's maps, and say what is left of the gap, and which part of it is noise.

    python -m experiments.real_depth --out runs/kinect1 --recording FOLDER --camera kinect1 [--scene FILE]

The refiner sees a part of the recording, and is judged on the rest: every fourth sequence (folder) where there are four
or more, else the last two fifths of the time. With --fit it refines renders in the poses that `refiner fit` finds in
the part it sees, and is judged on renders in those of the rest. `refiner evaluate` judges it; with --fit its
classifiers, too, learn from the part that the refiner sees, and are asked about the rest, which neither has met.

More classifiers say what that leaves open. Some learn from other frames of the sequences that they are asked about, a
gap away, and know the hand again where it holds its pose. Some are shown both sides without their noise (holes closed,
depth and outline averaged over about 16 mm), and see pose, shape and forearm. Some are shown the two parts of the
recording, whose hands do other things. Refined maps are judged by several classifiers, in rounds where the set is
small, else with other seeds of split and weights. A run that was interrupted goes on: the same command where all sets
are there judges alone (`experiments.compare_reports` shows what that changed). A folder that was made with other
settings is refused.
"""

import argparse
import json
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from experiments.demo import make_sheet, unless_trained, unless_whole
from experiments.settings import claim, digest
from experiments.smooth import mean_of_readings
from refiner.cli.evaluate import write_report
from refiner.cli.recipes import shipped
from refiner.datasets.layouts.folder import CAMERA_FILES, list_folder
from refiner.datasets.store import DepthStore
from refiner.errors import UsageError
from refiner.files import write_json
from refiner.realism.runs import Divide, apart, by_time
from refiner.realism.timeline import place
from refiner.realism.verdicts import LEVELS, Effort, Side, verdict_on

EVERY, LAST = 4, 0.4
BLUR_MM = 6.0
FIT_PX = 64
"""Hands are laid on maps of this size, which `refiner fit` is made for; poses have none, and are rendered in any."""


def split_recording(recording: Path, out: Path) -> None:
    """Link the frames of a recording into OUT/seen and OUT/unseen, by sequence or by time; camera files into both."""
    frames = list_folder(recording, None, None)
    if stacks := sorted({frame.path.name for frame in frames if "#" in frame.source}):
        raise UsageError(f"{recording} holds files of several maps ({stacks[0]}), wanted one file a map to link.")
    cameras = [(part, path) for name in CAMERA_FILES for path in recording.rglob(name) for part in ("seen", "unseen")]
    links = [(out / part / path.relative_to(recording), path) for part, path in cameras]
    by_sequence = frames[-1].sequence + 1 >= EVERY
    for number, frame in enumerate(frames):
        unseen = frame.sequence % EVERY == EVERY - 1 if by_sequence else number >= (1 - LAST) * len(frames)
        links.append((out / ("unseen" if unseen else "seen") / frame.source, frame.path))
    for link, path in links:
        link.parent.mkdir(parents=True, exist_ok=True)
        if not link.exists():
            link.symlink_to(path.resolve())


def without_noise(depth_mm: NDArray[np.float32], blur_px: float) -> NDArray[np.float32]:
    """Average depth over the readings near each pixel; a pixel is kept where most around it are readings."""
    result = np.zeros_like(depth_mm)
    for item, map_ in enumerate(depth_mm):
        share, mean = mean_of_readings(map_, blur_px)
        result[item] = np.where(share > 0.5, mean, 0)
    return result


def gap(
    first: DepthStore, real: DepthStore, effort: Effort, seed: int = 0, *, noise: bool = True,
    learn: tuple[DepthStore, DepthStore] | None = None, levels: Iterable[str] = tuple(LEVELS), divide: Divide = apart,
) -> dict[str, Any]:  # fmt: skip
    """Give the accuracy of fresh classifiers that are shown two sets, with or without their noise.

    Args:
        first: One set.
        real: Another.
        effort: How much is looked at.
        seed: Of the classifiers.
        noise: Whether they see it.
        learn: Where given, what they learn from in place of `first` and `real`.
        levels: What they are shown, see `refiner.realism.verdicts.LEVELS`.
        divide: What they learn from without `learn`.
    """
    unit_mm = max(store.depth_unit_mm for store in (first, real, *(learn or ())))
    change = None
    if not noise:
        change = partial(without_noise, blur_px=BLUR_MM * real.size / float(real.read("cube_mm").mean()))
    (real_set, first_set), *learnt = place((real, first), *([learn[::-1]] if learn else []))
    learn_real, learn_first = learnt[0] if learnt else (None, None)
    side = Side(first_set, unit_mm, change=change, learn=learn_first, divide=divide)
    real_side = Side(real_set, unit_mm, change=change, learn=learn_real, divide=divide)
    return {level: verdict_on(real_side, side, level, effort, seed).as_plain() for level in levels}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--recording", type=Path, required=True, help="folder of real depth maps")
    parser.add_argument(
        "--camera", help="see `refiner prepare --help`; the optics of one that is known by name are on the renders, too"
    )
    parser.add_argument("--hand", choices=("right", "left"), default="right")
    parser.add_argument("--scene", help="how hands are turned and what they do")
    parser.add_argument("--poses", help="a set whose hands are rendered: an annotated part of the recording")
    parser.add_argument("--fit", action="store_true", help="render the hands that `refiner fit` finds in the recording")
    parser.add_argument("--fit-bank", type=int, default=20000, help="see `refiner fit --bank`")
    parser.add_argument("--size", type=int, default=128, help="of the maps: a camera's noise shows at its own pixels")
    parser.add_argument("--tessellations", type=int, default=0, help="of the renders, see `refiner render --help`")
    parser.add_argument("--maps", type=int, default=6000)
    parser.add_argument("--updates", type=int, default=4000)
    parser.add_argument("--recipe", nargs="+", default=["simgan/fast.yaml"], help="files for `refiner train --config`")
    parser.add_argument("--most-epochs", type=int, default=60, help="of each classifier")
    parser.add_argument("--classifiers", type=int, default=3, help="that refined maps are judged with")
    options = parser.parse_args()
    out: Path = options.out
    if out.parent.resolve() != Path("runs").resolve():
        parser.error(f"found --out {out}, wanted runs/NAME: `refiner train` writes its log and checkpoints there")
    judging = ("out", "most_epochs", "classifiers")
    settings = {name: value for name, value in vars(options).items() if name not in judging}
    read = {name: digest(shipped(str(settings[name]))) for name in ("recording", "poses", "scene") if settings[name]}
    claim(out, settings | read | {"recipe": [digest(shipped(name)) for name in options.recipe]})
    size = str(options.size)
    seen, unseen, synthetic, refined = (out / f"{name}.zarr" for name in ("seen", "unseen", "synthetic", "refined"))
    split_recording(options.recording, out / "frames")
    to_fit = {part: out / f"{part.stem}_{FIT_PX}px.zarr" for part in (seen, unseen)}
    for part, fitted in to_fit.items():
        for store, side in [(part, size), (fitted, str(FIT_PX))][: 1 + options.fit]:
            words = ["prepare", str(out / "frames" / part.stem), str(store), "--size", side, "--hand", options.hand]
            unless_whole(store, words + (["--camera", options.camera] if options.camera else []))
    learnt = synthetic
    look = ["--size", size, "--tessellations", str(options.tessellations)]
    synthetic_seen, refined_seen = out / "synthetic_seen.zarr", out / "refined_seen.zarr"
    if options.fit:
        learnt = synthetic_seen
        for real, render in ((seen, synthetic_seen), (unseen, synthetic)):
            poses = out / f"{real.stem}_fitted.zarr"
            unless_whole(poses, ["fit", str(to_fit[real]), str(poses), "--hand", options.hand,
                                 "--bank", str(options.fit_bank)])  # fmt: skip
            unless_whole(render, ["render", str(render), "--poses", str(poses), *look])
    else:
        words = ["render", str(synthetic), "--count", str(options.maps), "--like", str(seen), *look]
        words += ["--scene", options.scene] if options.scene else []
        unless_whole(synthetic, words + (["--poses", options.poses] if options.poses else []))
    checkpoint = out / "version_0/checkpoints/last.ckpt"
    words = ["train"] + [word for recipe in options.recipe for word in ("--config", recipe)]
    words += ["--data.synthetic", str(learnt), "--data.real", str(seen)]
    words += ["--name", out.name, "--trainer.max_steps", str(options.updates)]
    unless_trained(checkpoint, options.updates, words)
    unless_whole(refined, ["refine", str(checkpoint), str(synthetic), str(refined)])
    learn: list[DepthStore] = []
    if options.fit:
        unless_whole(refined_seen, ["refine", str(checkpoint), str(synthetic_seen), str(refined_seen)])
        learn = [DepthStore(path) for path in (synthetic_seen, refined_seen, seen)]
    stores = {"synthetic": DepthStore(synthetic), "refined": DepthStore(refined), "real": DepthStore(unseen)}
    make_sheet(stores["synthetic"], stores["refined"], stores["real"], out / "sheet.png")
    effort = Effort(most_epochs=options.most_epochs)
    report = write_report(stores, out / "realism", 0, effort, learn)
    others = {"synthetic": (learn[0], learn[2]), "refined": (learn[1], learn[2])} if learn else {}
    patches = ["patches"]
    report["same_sequences"] = {
        name: gap(stores[name], stores["real"], effort, levels=patches, divide=by_time) for name in others
    }
    report["without_noise"] = {
        name: gap(stores[name], stores["real"], effort, noise=False, learn=others.get(name), levels=levels)
        for name, levels in (("synthetic", LEVELS), ("refined", patches))
    }
    report["seen_against_unseen"] = gap(DepthStore(seen), stores["real"], effort)
    rounds = len(report["patches"]["refined_against_real"]["by_round"])
    report["refined_against_real_by_seed"] = [
        gap(stores["refined"], stores["real"], effort, seed, learn=others.get("refined"), levels=patches)
        for seed in range(1, options.classifiers + 1 - rounds)
    ]
    write_json(out / "report.json", report)
    print(json.dumps(report, indent=2))
    print(f"{out}: report.json, sheet.png, realism/report.md")


if __name__ == "__main__":
    main()
