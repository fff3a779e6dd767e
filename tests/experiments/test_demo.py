"""The demo, whole, on sets of a few maps."""

import json
import sys
from pathlib import Path

import cv2
import pytest

from experiments import demo
from refiner.datasets.store import DepthStore


@pytest.fixture
def run_demo(monkeypatch):
    def run(*words):
        monkeypatch.setattr(sys, "argv", ["demo", *words])
        demo.main()

    return run


def test_the_demo_leaves_what_it_says(run_demo, capsys):
    words = ["--out", "runs/demo", "--maps", "30", "--updates", "3"]
    run_demo(*words)
    out = Path("runs/demo")
    shown = capsys.readouterr().out
    assert shown.splitlines()[-1].startswith("runs/demo: TensorBoard log and checkpoint in version_0")
    assert "Look at   runs/demo/sheet.png" in shown
    assert "Next      make demo REAL=folder/of/depth/maps" in shown
    assert len(DepthStore(out / "refined.zarr")) == 30
    assert DepthStore(out / "refined.zarr").depth_unit_mm == 1.0
    assert cv2.imread(str(out / "sheet.png")).shape[1] > 12 * 64
    report = json.loads((out / "report.json").read_text())
    assert report["maps"] == {"synthetic": 30, "refined": 30, "camera": 30}
    assert 0 <= report["refined"]["mean_shift_mm"] < 13
    assert "(before training" in (out / "report.md").read_text()
    # Again: every step is there, and nothing is made twice.
    before = (out / "refined.zarr/zarr.json").stat().st_mtime_ns
    run_demo(*words)
    assert (out / "refined.zarr/zarr.json").stat().st_mtime_ns == before
    assert [path.name for path in out.glob("version_*")] == ["version_0"]


def test_a_failing_step_stops_the_demo(run_demo):
    with pytest.raises(SystemExit) as stop:
        run_demo("--out", "runs/demo", "--real", "nowhere")
    assert stop.value.code == 2
