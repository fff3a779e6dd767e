"""The table of one camera: errors beside the camera's, and what the maps look like beside it."""

import statistics
from typing import Any

from experiments.zoo.rows import COLUMNS, Camera

Results = dict[str, list[dict[str, Any]]]
"""Row -> one result for each seed."""


def summary(
    camera: Camera, jobs: dict[str, Results], judged: Results, refiners: Results, own: dict[str, Any]
) -> dict[str, Any]:
    """Put the results of a camera together.

    Args:
        camera: Of the zoo.
        jobs: Of the estimators, by column.
        judged: Of the maps.
        refiners: Of the trainings of refiners, see `refiner_record`.
        own: Of the camera's own maps, see `judge_camera`.

    Returns:
        Plain values. Of each row and column `mean_mm`, `seeds_mm` and, where there are the rows that it takes,
        `over_camera`, the error over that of the row `camera`, and `gap_closed`, (raw - row) / (raw - camera), none
        where raw over camera is below `valid_from`.
    """
    rows: dict[str, dict[str, Any]] = {row: {"judged": beside_camera(results, own)} for row, results in judged.items()}
    for row, records in refiners.items():
        rows[row]["refiner"] = records
    ratios: dict[str, float | None] = {}
    for column in COLUMNS:
        means = {row: statistics.fmean(r["mean_mm"] for r in results) for row, results in jobs[column].items()}
        raw, best = means.get("raw"), means.get("camera")
        ratios[column] = None if raw is None or best is None else raw / best
        for row, mean in means.items():
            cell: dict[str, Any] = {"mean_mm": mean, "seeds_mm": [r["mean_mm"] for r in jobs[column][row]]}
            if best is not None:
                cell["over_camera"] = mean / best
            if raw is not None and best is not None:
                valid = raw / best >= camera.settings["valid_from"]
                cell["gap_closed"] = (raw - mean) / (raw - best) if valid else None
            cell["processor_s"] = sum(r["processor_s"] for r in jobs[column][row])
            rows[row][column] = cell
    return {
        "camera": camera.name,
        "settings": camera.all_settings(),
        "refiners": {side: camera.refiner_settings(side) for side in refiners},
        "raw_over_camera": ratios,
        "rows": rows,
        "own": own,
    }


def beside_camera(results: list[dict[str, Any]], own: dict[str, Any]) -> dict[str, Any]:
    """Return what was found of a row's maps, mean over seeds, and how far it is from the camera's.

    Returns:
        `two_sample`, the accuracy; `statistics`, of each its `value`, that of the `camera`, their relative `deviation`
        (none beside a camera's 0), and `halves`, the same between two halves of the camera's own maps; `distances`, of
        each its `value` and that of the `halves`; `label_shift`.
    """

    def mean(part: str, name: str) -> float:
        return statistics.fmean(result[part][name] for result in results)

    first, second = own["halves"]
    found: dict[str, Any] = {"two_sample": mean("two_sample", "accuracy"), "statistics": {}, "distances": {}}
    for name, value in own["statistics"].items():
        seen = mean("statistics", name)
        found["statistics"][name] = {
            "value": seen,
            "camera": value,
            "deviation": deviation(seen, value),
            "halves": deviation(first[name], second[name]),
        }
    for name, value in own["distances"].items():
        found["distances"][name] = {"value": mean("distances", name), "halves": value}
    shifts = [result["label_shift"] for result in results if result["label_shift"] is not None]
    found["label_shift"] = {
        "depth_mm": statistics.fmean(shift["depth_mm"]["mean"] for shift in shifts),
        "silhouette_iou": statistics.fmean(shift["silhouette_iou"] for shift in shifts),
        "shift_px": statistics.fmean(shift["shift_px"]["mean"] for shift in shifts),
        "lost": statistics.fmean(shift["lost"] for shift in shifts),
        "won": statistics.fmean(shift["won"] for shift in shifts),
    } if shifts else None  # fmt: skip
    found["processor_s"] = sum(result["processor_s"] for result in results)
    return found


def deviation(value: float, camera: float) -> float | None:
    """Return (value - camera) / |camera|; none where the camera's is 0."""
    return None if camera == 0 else (value - camera) / abs(camera)


def as_markdown(whole: dict[str, Any]) -> str:
    """Write the table for a person."""
    zoo = whole["settings"]["zoo"]
    lines = [f"Camera: {whole['camera']}.", "", "Mean error of estimators, trained with noise and losses, and without:"]
    lines += ["", "| trained on | augmented | | plain | |", "|---|---|---|---|---|"]
    for name, row in whole["rows"].items():
        lines.append(f"| {name} | {' | '.join(_error(row[column]) for column in COLUMNS)} |")
    for column, ratio in whole["raw_over_camera"].items():
        if ratio is not None:
            lines += ["", f"Raw over labelled camera, {column}: {ratio:.2f}" + _when_low(whole, column, ratio, zoo)]
    lines += [
        "",
        *(
            f"Refiner of {name}, seed {seed}: {record['updates']} updates in {record['processor_s']:.0f} s of one core."
            for name, row in whole["rows"].items()
            for seed, record in enumerate(row.get("refiner", ()))
        ),
    ]
    names = list(whole["own"]["statistics"])
    lines += ["", "Maps beside the camera's held-out ones; in brackets the deviation from the camera:", ""]
    shifts = ["mean change of depth", "silhouette IoU", "shift"]
    lines += [f"| maps | two-sample | {' | '.join(name.replace('_', ' ') for name in [*names, *shifts])} |"]
    lines += ["|---" * (2 + len(names) + len(shifts)) + "|"]
    for name, row in whole["rows"].items():
        judged = row["judged"]
        cells = [f"{judged['two_sample']:.3f}", *(_beside(judged["statistics"][one]) for one in names)]
        shift = judged["label_shift"]
        cells += ["", "", ""] if shift is None else [
            f"{shift['depth_mm']:.2f} mm", f"{shift['silhouette_iou']:.3f}", f"{shift['shift_px']:.2f} px",
        ]  # fmt: skip
        lines.append(f"| {name} | {' | '.join(cells)} |")
    own, first, second = whole["own"]["statistics"], *whole["own"]["halves"]
    halves = [f"{own[name]:.3g}{_share(deviation(first[name], second[name]))}" for name in names]
    lines.append(f"| *the camera's, between its halves* | | {' | '.join(halves)} | | | |")
    return "\n".join(lines) + "\n"


def _error(cell: dict[str, Any]) -> str:
    closed, over = cell.get("gap_closed"), cell.get("over_camera")
    beside = "" if over is None else f"x {over:.2f}" if closed is None else f"{closed:.0%}"
    return f"{cell['mean_mm']:.2f} mm | {beside}"


def _when_low(whole: dict[str, Any], column: str, ratio: float, zoo: dict[str, Any]) -> str:
    if ratio >= zoo["valid_from"]:
        return ""
    words = f", below {zoo['valid_from']}: the gap is no measure"
    if "refined" in whole["rows"]:
        met = whole["rows"]["refined"][column]["over_camera"] <= zoo["within"]
        words += f"; refined at most x {zoo['within']} is asked, and {'met' if met else 'missed'}"
    return words


def _beside(statistic: dict[str, Any]) -> str:
    return f"{statistic['value']:.3g}{_share(statistic['deviation'])}"


def _share(share: float | None) -> str:
    return "" if share is None else f" ({share:+.0%})"
