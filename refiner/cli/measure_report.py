"""What `refiner measure` writes: a table of all measures, and plots of those that depend on something."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from refiner.sensors.measure.names import MEASURES

Measured = Mapping[str, Mapping[str, float] | None]

_PLOTS = (
    ("noise on tilted surfaces", "tilt, degrees", "mm", {"noise": r"noise_mm_tilt_(\d+)_(\d+)$"}),
    ("noise over distance", "distance, mm", "mm", {"noise": r"noise_mm_at_(\d+)_(\d+)$"}),
    (
        "correlation of noise", "pixels apart", "",
        {"along rows": r"noise_correlation_u_(\d+)px$", "down columns": r"noise_correlation_v_(\d+)px$"},
    ),
    (
        "readings lost on tilted surfaces", "tilt, degrees", "share",
        {"all": r"lost_tilt_(\d+)_(\d+)$", "one by one": r"lost_single_tilt_(\d+)_(\d+)$"},
    ),
    (
        "readings lost over distance", "distance, mm", "share",
        {"all": r"lost_at_(\d+)_(\d+)$", "one by one": r"lost_single_at_(\d+)_(\d+)$"},
    ),
)  # fmt: skip
"""Title, axes, and for each curve the pattern of its names; where they stand for a range its middle is drawn."""
_RIMS = ("rim_left_mm", "rim_right_mm", "rim_top_mm", "rim_bottom_mm")


def line(name: str, estimate: Mapping[str, float]) -> str:
    """Return a measure as a line for a terminal."""
    unit, meaning = MEASURES[name]
    return f"{name:<26} {_value(estimate)} {unit}  {meaning}"


def _value(estimate: Mapping[str, float]) -> str:
    return f"{estimate['value']:.3g} ({estimate['low']:.3g} to {estimate['high']:.3g})"


def as_markdown(sensor: Mapping[str, Any], origin: str, *, drawn: bool) -> str:
    """Return the report for a person: the camera, all measures, and what cannot be told."""
    lines = [f"# {origin[0].upper()}{origin[1:]}", ""]
    for name, unit in (("image_px", "px"), ("camera", "fx fy cx cy, px"), ("unit_mm", "mm")):
        if sensor[name] is not None:
            lines.append(f"- `{name}` {sensor[name]} {unit}")
    lines += ["", "![plots](plots.png)"] if drawn else []
    lines += ["", "Values with their 95 % intervals.", "", "| measure | value | unit | meaning |", "|---|---|---|---|"]
    unknown = []
    for name, (unit, meaning) in MEASURES.items():
        estimate = sensor["measured"].get(name)
        if estimate is None:
            unknown.append(name)
        else:
            lines.append(f"| `{name}` | {_value(estimate)} | {unit} | {meaning} |")
    if unknown:
        lines += ["", f"Cannot tell: {', '.join(f'`{name}`' for name in unknown)}."]
    return "\n".join(lines) + "\n"


def curve(measured: Measured, pattern: str) -> list[tuple[float, Mapping[str, float]]]:
    """Return the points of a curve: the middle of each range that a name stands for, and what was measured there."""
    points = []
    for name, estimate in measured.items():
        found = re.match(pattern, name)
        if found is not None and estimate is not None:
            ends = [float(number) for number in found.groups()]
            points.append((sum(ends) / len(ends), estimate))
    return sorted(points, key=lambda point: point[0])


def draw_plots(measured: Measured, path: Path) -> bool:
    """Draw the measures that depend on tilt, distance or place, with their intervals.

    Returns:
        Whether there was anything to draw.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    found = [(*plot[:3], {label: curve(measured, pattern) for label, pattern in plot[3].items()}) for plot in _PLOTS]
    found = [plot for plot in found if any(plot[3].values())]
    rims = {name.split("_")[1]: estimate for name in _RIMS if (estimate := measured.get(name)) is not None}
    count = len(found) + bool(rims)
    if count == 0:
        return False
    columns = min(count, 3)
    figure = Figure(figsize=(4.2 * columns, 3.2 * -(-count // columns)), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(-(-count // columns), columns, squeeze=False).ravel()
    for axis, (title, across, unit, curves) in zip(axes, found, strict=False):
        for label, points in curves.items():
            _draw(axis, [place for place, _ in points], [estimate for _, estimate in points], label)
        axis.set(title=title, xlabel=across, ylabel=unit, ylim=(min(0.0, axis.get_ylim()[0]), None))
        axis.legend(frameon=False)
    if rims:
        axis = axes[len(found)]
        _draw(axis, list(range(len(rims))), list(rims.values()), None, line="none")
        axis.axhline(0, color="grey", linewidth=0.5)
        axis.set_xticks(range(len(rims)), list(rims))
        axis.set(title="outermost pixel behind that 3 px farther in", ylabel="mm")
    for axis in axes[count:]:
        axis.remove()
    figure.savefig(path, dpi=110)
    return True


def _draw(
    axis: Any, places: list[float], estimates: list[Mapping[str, float]], label: str | None, line: str = "-"
) -> None:
    value = [estimate["value"] for estimate in estimates]
    below = [estimate["value"] - estimate["low"] for estimate in estimates]
    above = [estimate["high"] - estimate["value"] for estimate in estimates]
    axis.errorbar(places, value, yerr=[below, above], marker="o", capsize=3, label=label, linestyle=line)
    axis.margins(y=0.15)
