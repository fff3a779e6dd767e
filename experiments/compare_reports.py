"""Print the figures of two reports side by side, before and after.

    python -m experiments.compare_reports BEFORE.json AFTER.json

For reports of `refiner evaluate`, `experiments.real_depth` and other files of numbers. An accuracy is shown with its
interval. Figures that one report lacks are shown as a dash, text and long lists not at all.
"""

import argparse
import json
from pathlib import Path
from typing import Any

MOST_NUMBERS = 4
"""Longer lists, such as curves, are left out."""
INTERVAL, PRINTED_WITH = "ci95", "accuracy"
DETAILS = (INTERVAL, "pictures", "epochs")


def figures(report: Any, name: str = "") -> dict[str, str]:
    """Return the figures of a report: path of its keys -> how it is printed."""
    if isinstance(report, bool):
        return {name: "yes" if report else "no"}
    if isinstance(report, int | float):
        return {name: f"{report:.4g}"}
    if isinstance(report, list):
        if report and all(isinstance(value, int | float) for value in report):
            return {name: ", ".join(f"{value:.4g}" for value in report)} if len(report) <= MOST_NUMBERS else {}
        report = dict(enumerate(report)) if len(report) <= MOST_NUMBERS else {}
    if not isinstance(report, dict):
        return {}
    found: dict[str, str] = {}
    for key, value in report.items():
        path = f"{name}.{key}" if name else str(key)
        if key == PRINTED_WITH and INTERVAL in report:
            low, high = report[INTERVAL]
            found[path] = f"{value:.3f} ({low:.3f} to {high:.3f})"
        elif not (key in DETAILS and PRINTED_WITH in report):
            found |= figures(value, path)
    return found


def as_table(before: Any, after: Any) -> str:
    """Return a Markdown table of the figures of two reports, in the order of the first."""
    left, right = figures(before), figures(after)
    rows = [f"| {name} | {left.get(name, '-')} | {right.get(name, '-')} |" for name in left | right]
    return "\n".join(["| | before | after |", "|---|---|---|", *rows])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("before", type=Path)
    parser.add_argument("after", type=Path)
    options = parser.parse_args()
    print(as_table(*(json.loads(path.read_text()) for path in (options.before, options.after))))


if __name__ == "__main__":
    main()
