"""The bench of networks runs with the recipe as it is, and says what the README quotes of it."""

import json
import sys
from pathlib import Path

import torch

from experiments.bench import networks


def test_both_sides_are_timed(monkeypatch):
    threads = torch.get_num_threads()
    monkeypatch.setattr(sys, "argv", ["networks", "--rounds", "1", "--size", "16", "--out", "n.json"])
    networks.main()
    torch.set_num_threads(threads)
    names = [row["key"] for row in json.loads(Path("n.json").read_text())["rows"]]
    assert names[-2:] == ["refine, fast over eye", "train, fast over eye"]
