"""Time several things fairly on a machine that does other work too: in turn, several rounds, the median."""

import json
import os
import statistics
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch


def seconds_each(jobs: Mapping[str, Callable[[], Any]], rounds: int) -> dict[str, list[float]]:
    """Run every job once to warm up, then `rounds` times in turn.

    Returns:
        The seconds of each round, for each job.
    """
    for job in jobs.values():
        job()
    seconds: dict[str, list[float]] = {name: [] for name in jobs}
    for _ in range(rounds):
        for name, job in jobs.items():
            start = time.perf_counter()
            job()
            seconds[name].append(time.perf_counter() - start)
    return seconds


def ratios(slow: list[float], fast: list[float]) -> list[float]:
    """Give how many times longer `slow` took, round by round: neighbours in time share their disturbances."""
    return [a / b for a, b in zip(slow, fast, strict=True)]


def row(key: str, values: list[float], unit: str, target: str = "") -> dict[str, Any]:
    """Make a row of a report: the median of the rounds, and their range."""
    value = statistics.median(values)
    return {"key": key, "value": value, "low": min(values), "high": max(values), "unit": unit, "target": target}


def report(rows: list[dict[str, Any]], out: Path | None) -> None:
    """Print the rows as a Markdown table; write them as json where asked."""
    print("| what | median | lowest to highest | target |\n|---|---|---|---|")
    for r in rows:
        print(f"| {r['key']} | {r['value']:.4g} {r['unit']} | {r['low']:.4g} to {r['high']:.4g} | {r['target']} |")
    print(f"\ntorch {torch.__version__}, {torch.get_num_threads()} threads, load {os.getloadavg()[0]:.1f}")
    if out is not None:
        record = {"torch": torch.__version__, "threads": torch.get_num_threads(), "rows": rows}
        out.write_text(json.dumps(record, indent=2) + "\n")
