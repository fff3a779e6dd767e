"""Refining towards a recording, whole, on a few maps."""

import json
import sys
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import pytest

from experiments import real_depth
from refiner.datasets.store import DepthStore
from refiner.fitting import whole_set
from refiner.geometry.depth import to_mm
from refiner.realism import classifier, verdicts
from refiner.realism.verdicts import Effort
from refiner.render.generate import generate
from refiner.render.settings import RenderSettings


def record(folder, frames, seed):
    """Lay hands before a wall, as a camera sees them."""
    generate(Path(f"hands{seed}.zarr"), RenderSettings(size=96), count=frames, seed=seed, provenance={})
    store = DepthStore(Path(f"hands{seed}.zarr"))
    folder.mkdir(parents=True)
    for number, depth in enumerate(store.read("depth")):
        mm = np.rint(to_mm(depth, store.depth_unit_mm))
        cv2.imwrite(str(folder / f"{number}.png"), np.where(mm > 0, mm, 2000).astype(np.uint16))


@pytest.mark.parametrize(("sequences", "unseen"), [(1, ["6.png", "7.png", "8.png", "9.png"]), (4, ["0.png"])])
def test_frames_are_kept_apart_by_time_or_by_sequence(sequences, unseen):
    for number in range(sequences):
        record(Path(f"r/{number}") if sequences > 1 else Path("r"), 10 if sequences == 1 else 1, number)
    real_depth.split_recording(Path("r"), Path("out"))
    seen = list(Path("out/seen").rglob("*.png"))
    found = sorted(Path("out/unseen").rglob("*.png"))
    assert [path.name for path in found] == unseen
    assert len(seen) + len(found) == (10 if sequences == 1 else 4)
    if sequences > 1:
        assert found[0].parent.name == "3"


def test_without_noise_keeps_the_shape():
    depth = np.zeros((1, 32, 32), np.float32)
    depth[0, 8:24, 8:24] = 700
    noisy = depth + np.random.default_rng(0).normal(0, 5, depth.shape).astype(np.float32) * (depth > 0)
    noisy[0, 15, 15] = 0
    calm = real_depth.without_noise(noisy, 1.5)
    assert calm[0, 15, 15] > 0  # the hole is closed
    inner = np.s_[0, 11:21, 11:21]
    assert abs(calm[inner].mean() - 700) < 1
    assert calm[inner].std() < noisy[0, 11:21, 11:14].std() / 2
    assert ((calm > 0) == (depth > 0)).mean() > 0.98


def quick(monkeypatch):
    monkeypatch.setattr(classifier, "_FEWEST_UPDATES", 1)
    monkeypatch.setattr(real_depth, "Effort", partial(Effort, maps=30, patches=60))
    monkeypatch.setattr(verdicts, "MOST_ROUNDS", 1)
    monkeypatch.setattr(whole_set, "STARTS", 1)
    monkeypatch.setattr(whole_set, "_SHAPE_ROUNDS", 1)
    monkeypatch.setattr(whole_set, "_SHAPE_MAPS", 4)
    monkeypatch.setattr(whole_set, "PASSES", 0)


@pytest.mark.parametrize(
    ("more", "frames"),
    [("--maps 60", 60), pytest.param("--fit --fit-bank 100", 16, marks=pytest.mark.slow)],
)
def test_the_whole_of_it(monkeypatch, capsys, more, frames):
    quick(monkeypatch)
    for number in range(4):
        record(Path(f"r/{number}"), frames, number)
    Path("r/camera.json").write_text('{"fx": 100, "fy": 100, "cx": 47.5, "cy": 47.5}')
    words = f"--out runs/r --recording r {more} --size 64 --updates 3 --most-epochs 1"
    monkeypatch.setattr(sys, "argv", ["real_depth", *words.split()])
    real_depth.main()
    assert "no camera is known" not in "".join(capsys.readouterr())  # camera.json went along
    report = json.loads(Path("runs/r/report.json").read_text())
    assert frames / 3 < report["maps"]["real"] <= frames  # not in every frame is a hand found
    if "--fit" in more:
        assert report["maps"]["synthetic"] == report["maps"]["real"]
        assert "fitted.zarr item 0" in DepthStore(Path("runs/r/synthetic.zarr")).read("source")[0]
        assert report["sets"]["learn_refined"]["path"] == "runs/r/refined_seen.zarr"
        assert sorted(report["same_sequences"]) == ["refined", "synthetic"]
    assert 0 <= report["without_noise"]["refined"]["patches"]["accuracy"] <= 1
    for level in ("patches", "whole_maps"):
        assert 0 <= report["without_noise"]["synthetic"][level]["accuracy"] <= 1
        assert 0 <= report["seen_against_unseen"][level]["accuracy"] <= 1
        assert 0 <= report[level]["refined_against_real"]["accuracy"] <= 1
    other = [judged["patches"]["accuracy"] for judged in report["refined_against_real_by_seed"]]
    assert len(other) == 2
    assert all(0 <= accuracy <= 1 for accuracy in other)
    assert Path("runs/r/sheet.png").exists()
    assert Path("runs/r/realism/maps.png").exists()
    assert "| patches |" in Path("runs/r/realism/report.md").read_text()
