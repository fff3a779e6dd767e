"""Everything that can be said of a refined set without labels, with the controls that make it mean something.

Accuracies of fresh classifiers on patches and on whole maps: refined against real, beside real against real (chance,
if the test is fair) and raw renders against real (near 1, if there was anything to learn). Where a control fails, the
accuracy is void and says so.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from refiner.datasets.inspection import spread_items
from refiner.datasets.store import DepthStore
from refiner.errors import StoreError
from refiner.realism.classifier import Sample, Verdict, tell_apart
from refiner.realism.labels import label_shift
from refiner.realism.maps import in_blocks, read_depth_mm
from refiner.realism.noise import noise_distances
from refiner.realism.patches import STEPS_PX, cut_patches, two_scales

CHANCE = 0.03
"""Real against real may differ from 0.5 by so much."""

RAW_AT_LEAST = 0.95
FEWEST_PATCHES = 6000
WHOLE_PX = 32
PAIRS = ("real_against_real", "raw_against_real", "refined_against_real")


@dataclass(frozen=True)
class Effort:
    """How much is looked at.

    Attributes:
        maps: Maps of each set to train on, and as many to test on, at most.
        patches: Wanted patches of each set to train on, and to test on.
        most_epochs: Of each classifier, where no plateau comes.
    """

    maps: int = 1500
    patches: int = FEWEST_PATCHES
    most_epochs: int = 60


Maps = tuple[NDArray[np.float32], NDArray[np.float32]]
"""(n, H, W) mm to train on, and to test on."""


def measure(
    synthetic: DepthStore,
    refined: DepthStore,
    real: DepthStore,
    *,
    seed: int = 0,
    effort: Effort = Effort(),
    on_step: Callable[[str], None] = lambda _step: None,
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Measure a refined set.

    Args:
        synthetic: The renders.
        refined: Refined from them, item i K + k from render i.
        real: Camera maps that the refiner may have seen; better others.
        seed: Of the classifiers and of what is looked at.
        effort: How much is looked at.
        on_step: Told what comes next.

    Returns:
        The report, of plain values; and arrays for figures: `items` (refined), their `scores` by the patch classifier
        (mean log odds of being real) and label shifts `depth_mm`.

    Raises:
        StoreError: The sets do not belong together.
    """
    variants = check_sets(synthetic, refined, real)
    unit_mm = max(refined.depth_unit_mm, real.depth_unit_mm)
    split = {
        "synthetic": in_blocks(len(synthetic), effort.maps, seed),
        "real": in_blocks(len(real), effort.maps, seed),
    }
    # A refined map is tested where its render is not trained on.
    split["refined"] = tuple(items * variants for items in split["synthetic"])  # pyright: ignore[reportArgumentType]
    stores = {"synthetic": synthetic, "refined": refined, "real": real}
    maps: dict[str, Maps] = {
        name: tuple(read_depth_mm(stores[name], items, unit_mm) for items in split[name])  # pyright: ignore[reportAssignmentType]
        for name in stores
    }
    halves = _halves(maps["real"], seed)
    report: dict[str, Any] = {
        "unit_mm": unit_mm,
        "maps": {name: len(store) for name, store in stores.items()},
        "variants": variants,
        "seed": seed,
    }
    scores: NDArray[np.float64] = np.zeros(0)
    tested: NDArray[np.int64] = np.zeros(0, np.int64)
    for level, cut in LEVELS.items():
        results: dict[str, Verdict] = {}
        for name, first, second in (
            ("real_against_real", *halves),
            ("raw_against_real", maps["real"], maps["synthetic"]),
            ("refined_against_real", maps["real"], maps["refined"]),
        ):
            on_step(f"{level}: {name.replace('_', ' ')}")
            samples = [[cut(part, effort, seed) for part in maps_] for maps_ in (first, second)]
            train, test = ((samples[0][k], samples[1][k]) for k in (0, 1))
            results[name] = verdict = tell_apart(train, test, seed, effort.most_epochs)
            if level == "patches" and name == "refined_against_real":
                tested, scores = _mean_by_map(test[1].owners, verdict.scores[1])
        report[level] = _with_controls(results)
    on_step("noise statistics")
    testing = {name: maps[name][1] for name in maps}
    report["noise"] = {
        "raw_against_real": noise_distances(testing["synthetic"], testing["real"]),
        "refined_against_real": noise_distances(testing["refined"], testing["real"]),
        "real_against_real": noise_distances(halves[0][1], halves[1][1]),
    }
    on_step("label shift")
    items = spread_items(len(synthetic), 2 * effort.maps)
    shift = label_shift(read_depth_mm(synthetic, items, unit_mm), read_depth_mm(refined, items * variants, unit_mm))
    per_map = shift.pop("per_map")
    report["label_shift"] = shift
    figures = {
        "scored_items": split["refined"][1][tested], "scores": scores,
        "shifted_items": items * variants, "depth_mm": per_map["depth_mm"],
    }  # fmt: skip
    return report, figures


def check_sets(synthetic: DepthStore, refined: DepthStore, real: DepthStore) -> int:
    """Give the number of variants of each render in the refined set.

    Raises:
        StoreError: The sets differ in size, or the refined one was not made from the renders.
    """
    if not synthetic.size == refined.size == real.size:
        raise StoreError(
            f"The sets hold maps of {synthetic.size}, {refined.size} and {real.size} px; wanted the same. Render or "
            "prepare them with the same --size."
        )
    variants, rest = divmod(len(refined), len(synthetic))
    if rest or not variants:
        raise StoreError(
            f"{refined.path} has {len(refined)} maps and {synthetic.path} {len(synthetic)}; wanted a multiple, item "
            "i K + k refined from render i. Give the set that `refiner refine` was given."
        )
    if not np.array_equal(refined.read("centre_mm")[::variants], synthetic.read("centre_mm")):
        raise StoreError(
            f"{refined.path} was not refined from {synthetic.path}: their crop centres differ. Give the set that "
            "`refiner refine` was given."
        )
    return variants


def _halves(real: Maps, seed: int) -> tuple[Maps, Maps]:
    """Divide real maps by lot into two sets that nothing can tell apart."""
    lots = [np.random.default_rng((0x6861, seed, part)).permutation(len(maps)) for part, maps in enumerate(real)]
    return tuple(  # pyright: ignore[reportReturnType]
        tuple(maps[np.sort(lot[which::2])] for maps, lot in zip(real, lots, strict=True)) for which in (0, 1)
    )


def _patches(depth_mm: NDArray[np.float32], effort: Effort, seed: int) -> Sample:
    """Cut about as many patches as are wanted of (n, H, W) mm, for a classifier."""
    per_map = max(1, -(-effort.patches // max(len(depth_mm), 1)))
    # Some maps show little of a hand: take more of the others, then from places closer together.
    for most, step_px in ((per_map, STEPS_PX[0]), *((4 * per_map, step_px) for step_px in STEPS_PX)):
        patches, owners = cut_patches(depth_mm, most, np.random.default_rng((0x7061, seed)), step_px)
        if len(patches) >= effort.patches:
            break
    return Sample(patches, owners)


def _whole(depth_mm: NDArray[np.float32], effort: Effort, seed: int) -> Sample:  # noqa: ARG001
    """Show whole maps, (n, H, W) mm, to a classifier, picked down to about 32 px."""
    step = max(1, depth_mm.shape[1] // WHOLE_PX)  # pixels are picked, so that nothing is mixed across an edge
    return Sample(two_scales(depth_mm)[:, :, ::step, ::step], np.arange(len(depth_mm)))


LEVELS = {"patches": _patches, "whole_maps": _whole}
"""What classifiers are shown: name -> how it is cut of maps."""


def _mean_by_map(
    owners: NDArray[np.int64], scores: NDArray[np.float64]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    maps, index = np.unique(owners, return_inverse=True)
    return maps, np.bincount(index, scores) / np.bincount(index)


def _with_controls(results: dict[str, Verdict]) -> dict[str, Any]:
    plain = {name: verdict.as_plain() for name, verdict in results.items()}
    fair = abs(results["real_against_real"].accuracy - 0.5) <= CHANCE
    sharp = results["raw_against_real"].accuracy >= RAW_AT_LEAST
    reasons = [] if fair else [f"real against real is not within {0.5 - CHANCE:.2f} to {0.5 + CHANCE:.2f}"]
    reasons += [] if sharp else [f"raw against real is below {RAW_AT_LEAST:.2f}"]
    return plain | {"valid": not reasons, "void_because": reasons}


def as_markdown(report: dict[str, Any], sets: dict[str, Path]) -> str:
    """Write the report for a person."""
    lines = ["# Realism without labels", ""]
    lines += [f"- {name}: `{path}`, {report['maps'][name]} maps" for name, path in sets.items()]
    lines += [
        "",
        f"Both sides rounded to {report['unit_mm']:g} mm. Accuracy of a fresh classifier, 0.5 = cannot tell.",
        "",
    ]
    lines += ["| | real against real | raw against real | refined against real |", "|---|---|---|---|"]
    for level in LEVELS:
        result = report[level]
        cells = [
            f"{result[name]['accuracy']:.3f} ({result[name]['ci95'][0]:.3f} to {result[name]['ci95'][1]:.3f})"
            for name in PAIRS
        ]
        lines.append(f"| {level.replace('_', ' ')} | {' | '.join(cells)} |")
    for level in LEVELS:
        if not report[level]["valid"]:
            lines += ["", f"**{level.replace('_', ' ')}: void**, since {' and '.join(report[level]['void_because'])}."]
    lines += ["", "| distance to real | real | raw | refined |", "|---|---|---|---|"]
    noise = report["noise"]
    for name in noise["raw_against_real"]:
        cells = [f"{noise[pair][name]:.3g}" for pair in PAIRS]
        lines.append(f"| {name.replace('_', ' ')} | {' | '.join(cells)} |")
    shift = report["label_shift"]
    lines += [
        "", "| labels | |", "|---|---|",
        f"| mean change of depth on the hand | {shift['depth_mm']['mean']:.2f} mm |",
        f"| silhouette, intersection over union | {shift['silhouette_iou']:.3f} |",
        f"| sideways shift | {shift['shift_px']['mean']:.3f} +- {shift['shift_px']['sd']:.3f} px |",
        f"| readings lost, won | {shift['lost']:.2%}, {shift['won']:.2%} |", "",
        "![most and least real, most and least moved](maps.png)", "",
    ]  # fmt: skip
    return "\n".join(lines)
