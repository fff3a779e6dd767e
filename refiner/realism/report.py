"""Everything that can be said of a refined set without labels, with the controls that make it mean something.

Accuracies of fresh classifiers on patches and on whole maps: refined against real, beside real against real (chance,
where no hand is known again, see `refiner.realism.runs.stretches`) and raw renders against real (near 1, if there was
anything to learn). Where a control fails, the accuracy is void and says so.
"""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from refiner.datasets.inspection import spread_items
from refiner.datasets.store import DepthStore
from refiner.errors import StoreError
from refiner.realism.classifier import Verdict
from refiner.realism.labels import label_shift
from refiner.realism.maps import read_depth_mm
from refiner.realism.noise import noise_distances
from refiner.realism.timeline import place
from refiner.realism.verdicts import LEVELS, Effort, Side, verdict_on

KNOWN_AGAIN = 0.53
"""Real against real may be told apart with so much. What is more, and more than stretches differ by, is memory."""

RAW_AT_LEAST = 0.95
FEWEST_MAPS = 4
"""Of each set that are learnt from, and that are asked about."""
PAIRS = ("real_against_real", "raw_against_real", "refined_against_real")


def measure(
    synthetic: DepthStore,
    refined: DepthStore,
    real: DepthStore,
    *,
    seed: int = 0,
    effort: Effort = Effort(),  # noqa: B008 - frozen
    learn: Sequence[DepthStore] = (),
    on_step: Callable[[str], None] = lambda _step: None,
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Measure a refined set.

    Args:
        synthetic: The renders.
        refined: Refined from them, item i K + k from render i.
        real: Camera maps that the refiner may have seen; better others.
        seed: Of the classifiers and of what is looked at.
        effort: How much is looked at.
        learn: Renders, refined and camera maps of other sequences for the classifiers to learn from; where there are
            none they learn from half of the sets that they are asked about (see `Side.learn`).
        on_step: Told what comes next.

    Returns:
        The report, of plain values; and arrays for figures: `items` (refined), their `scores` by the patch classifier
        (mean log odds of being real) and label shifts `depth_mm`.

    Raises:
        StoreError: The sets do not belong together.
    """
    variants = check_sets(synthetic, refined, real)
    found = (check_sets(*learn), learn[2].size) if learn else (variants, real.size)
    if found != (variants, real.size):
        raise StoreError(
            f"{learn[1].path} has {found[0]} maps of {found[1]} px to a render, and {refined.path} has {variants} of "
            f"{real.size} px; wanted the same. Refine both with the same --variants."
        )
    unit_mm = max(store.depth_unit_mm for store in (refined, real, *learn[1:]))
    groups = [(stores[2], stores[0], stores[1]) for stores in ((synthetic, refined, real), tuple(learn)) if stores]
    asked, *others = place(*groups)
    learnt = others[0] if others else [None] * len(asked)
    sides = {
        "real": Side(asked[0], unit_mm, learn=learnt[0]),
        "raw": Side(asked[1], unit_mm, learn=learnt[1]),
        "refined": Side(asked[2], unit_mm, variants, learn=learnt[2]),
        "half": Side(asked[0], unit_mm, half=0, learn=learnt[0]),
        "other_half": Side(asked[0], unit_mm, half=1, learn=learnt[0]),
    }
    report: dict[str, Any] = {
        "unit_mm": unit_mm,
        "maps": {"synthetic": len(synthetic), "refined": len(refined), "real": len(real)},
        "variants": variants,
        "seed": seed,
        "division": {name: sides[name].counts(seed) for name in ("real", "raw", "refined")},
    }
    for name, counts in report["division"].items():
        # The control halves both, and a classifier keeps a part of what it learns from to know when to stop.
        if counts["learnt"] < FEWEST_MAPS or counts["asked"] < FEWEST_MAPS:
            raise StoreError(
                f"Of the {name} maps {counts['learnt']} may be learnt from, {counts['asked']} asked about and "
                f"{counts['left_out']} are neither, since they show hands that are asked about, or neighbours of such; "
                f"wanted {FEWEST_MAPS} of both at least. Give more maps, or other sets to learn from."
            )
    pairs = dict(zip(PAIRS, (("half", "other_half"), ("real", "raw"), ("real", "refined")), strict=True))
    verdicts: dict[str, dict[str, Verdict]] = {level: {} for level in LEVELS}
    for level, results in verdicts.items():
        for name, (first, second) in pairs.items():
            on_step(f"{level}: {name.replace('_', ' ')}")
            results[name] = verdict_on(sides[first], sides[second], level, effort, seed)
        report[level] = _with_controls(results)
    told = verdicts["patches"]["refined_against_real"]
    scored_items, scores = _mean_by_map(told.owners[1], told.scores[1])
    on_step("noise statistics")
    testing = {name: side.split(effort, seed)[1].depth_mm for name, side in sides.items()}
    report["noise"] = {
        name: noise_distances(testing[second], testing[first]) for name, (first, second) in pairs.items()
    }
    on_step("label shift")
    items = spread_items(len(synthetic), 2 * effort.maps)
    shift = label_shift(read_depth_mm(synthetic, items, unit_mm), read_depth_mm(refined, items * variants, unit_mm))
    per_map = shift.pop("per_map")
    report["label_shift"] = shift
    figures = {
        "scored_items": scored_items, "scores": scores,
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


def _mean_by_map(
    owners: NDArray[np.int64], scores: NDArray[np.float64]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    maps, index = np.unique(owners, return_inverse=True)
    return maps, np.bincount(index, scores) / np.bincount(index)


def _with_controls(results: dict[str, Verdict]) -> dict[str, Any]:
    plain = {name: verdict.as_plain() for name, verdict in results.items()}
    control = results["real_against_real"]
    known_again = control.accuracy > KNOWN_AGAIN and control.ci95[0] > 0.5
    sharp = results["raw_against_real"].accuracy >= RAW_AT_LEAST
    reasons = [f"real against real is above {KNOWN_AGAIN:.2f}: hands are known again"] if known_again else []
    reasons += [] if sharp else [f"raw against real is below {RAW_AT_LEAST:.2f}"]
    return plain | {"valid": not reasons, "void_because": reasons, "leakage_checked": min(control.runs_tested) > 1}


def _division(name: str, counts: dict[str, int | None]) -> str:
    gap = counts["gap_frames"]
    apart = "no sequence on both sides" if gap is None else f"{gap} frames between"
    return (
        f"{name}: {counts['learnt']} maps learnt from, {counts['asked']} asked about, {counts['left_out']} left out; "
        f"{apart}"
    )


def as_markdown(report: dict[str, Any], sets: dict[str, Path], learn: Iterable[Path] = ()) -> str:
    """Write the report for a person.

    Args:
        report: What `measure` gave.
        sets: The sets that were asked about, by name.
        learn: Those that classifiers learnt from, where they are others.
    """
    lines = ["# Realism without labels", ""]
    lines += [f"- {name}: `{path}`, {report['maps'][name]} maps" for name, path in sets.items()]
    lines += [f"- learnt from: `{path}`" for path in learn]
    lines += [f"- {_division(name, counts)}" for name, counts in report["division"].items()]
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
        by_round = report[level]["refined_against_real"]["by_round"]
        if len(by_round) > 1:
            each = ", ".join(f"{accuracy:.3f}" for accuracy in by_round)
            lines += ["", f"Few maps: {level.replace('_', ' ')} judged in {len(by_round)} rounds, refined {each}."]
        if not report[level]["valid"]:
            lines += ["", f"**{level.replace('_', ' ')}: void**, since {' and '.join(report[level]['void_because'])}."]
        if not report[level]["leakage_checked"]:
            lines += [
                "",
                f"{level.replace('_', ' ')}: real against real has one stretch a side, which is too few to say whether "
                "hands are known again. Let classifiers learn from other sequences.",
            ]
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
