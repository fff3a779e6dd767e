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


def median_ratio(slow: list[float], fast: list[float]) -> float:
    """Give how many times longer `slow` took, the median over rounds (neighbours in time share their disturbances)."""
    return statistics.median(a / b for a, b in zip(slow, fast, strict=True))


def report(rows: list[dict[str, Any]], out: Path | None) -> None:
    """Print rows of {key, value, unit, target} as a Markdown table; write them as json where asked."""
    print("| what | measured | target |\n|---|---|---|")
    for row in rows:
        print(f"| {row['key']} | {row['value']:.4g} {row['unit']} | {row.get('target', '')} |")
    print(f"\ntorch {torch.__version__}, {torch.get_num_threads()} threads, load {os.getloadavg()[0]:.1f}")
    if out is not None:
        out.write_text(
            json.dumps({"torch": torch.__version__, "threads": torch.get_num_threads(), "rows": rows}, indent=2)
        )
