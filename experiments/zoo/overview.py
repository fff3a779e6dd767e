"""Tables of several cameras of the zoo side by side, from their results.

python -m experiments.zoo.overview experiments/results/zoo_*.json
"""

import argparse
import json
from pathlib import Path
from typing import Any

from experiments.zoo.rows import COLUMNS, ROWS

SHOWN = {
    "two_sample": ("two-sample", "{:.3f}"),
    "hole_rate": ("holes, %", "{:.2f}"),
    "noise_mm": ("noise, mm", "{:.2f}"),
    "noise_correlation": ("its correlation", "{:.2f}"),
    "rim_mm": ("rims, mm", "{:.1f}"),
}
"""What is shown of a row's maps: its title and how it is written."""


def errors(results: list[dict[str, Any]]) -> str:
    """Return the errors of estimators as Markdown: a line for each camera, `augmented, plain` in mm for each row."""
    lines = ["| camera | " + " | ".join(ROWS) + " | raw over labelled |", "|---" * (len(ROWS) + 2) + "|"]
    for result in results:
        cells = [
            ", ".join(f"{result['rows'][row][column]['mean_mm']:.2f}" for column in COLUMNS)
            if row in result["rows"]
            else ""
            for row in ROWS
        ]
        ratios = ", ".join("" if ratio is None else f"{ratio:.2f}" for ratio in result["raw_over_camera"].values())
        lines.append(f"| {result['camera']} | " + " | ".join(cells) + f" | {ratios} |")
    return "\n".join(lines)


def maps(results: list[dict[str, Any]], rows: tuple[str, ...] = ("refined", "published")) -> str:
    """Return what maps look like as Markdown: a line for each camera, `row, ..., (camera)` for each measure."""
    titles = [title for title, _ in SHOWN.values()]
    lines = ["| camera | " + " | ".join(titles) + " |", "|---" * (len(titles) + 1) + "|"]
    for result in results:
        cells = []
        for name, (_, form) in SHOWN.items():
            scale = 100 if name == "hole_rate" else 1
            seen = [result["rows"][row]["judged"] for row in rows if row in result["rows"]]
            values = [judged[name] if name == "two_sample" else judged["statistics"][name]["value"] for judged in seen]
            shown = ", ".join(form.format(scale * value) for value in values)
            own = result["own"]["statistics"].get(name)
            cells.append(shown if own is None else f"{shown} ({form.format(scale * own)})")
        lines.append(f"| {result['camera']} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main(words: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", type=Path, nargs="+")
    results = [json.loads(path.read_text()) for path in parser.parse_args(words).results]
    print(f"Mean error of estimators, {', '.join(COLUMNS)}, mm:\n\n{errors(results)}\n")
    print(f"Maps, refined, published (the camera's):\n\n{maps(results)}")


if __name__ == "__main__":
    main()
