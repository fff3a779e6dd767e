import json
import shutil
from pathlib import Path

import pytest
import zarr

from refiner.cli.main import main
from refiner.cli.measure_report import as_markdown, curve, draw_plots
from refiner.datasets.store import DepthStore
from refiner.sensors.measure.names import MEASURES

CAMERA_SET = Path(__file__).parents[2] / "data" / "camera.zarr"
NOISE = {"value": 0.9, "low": 0.8, "high": 1.1}


@pytest.fixture
def measured(tmp_path):
    """A copy of the shipped camera set, with a sensor of which noise alone is known."""
    path = tmp_path / "camera.zarr"
    shutil.copytree(CAMERA_SET, path)
    known = dict.fromkeys(MEASURES) | {"noise_mm": NOISE, "noise_mm_tilt_0_30": NOISE}
    zarr.open_group(path, mode="r+").attrs["sensor"] = {
        "name": "kinect1", "image_px": [640, 480], "camera": [575.0, 575.0, 319.5, 239.5], "unit_mm": 1.0,
        "given": {}, "measured": known, "frames": 40,
    }  # fmt: skip
    return path


def test_what_prepare_measured_is_shown(measured, capsys):
    assert main(["measure", str(measured), "--out", "report"]) == 0
    out = capsys.readouterr().out
    assert "kinect1, measured from 40 recorded images at the camera's own pixels" in out
    assert "0.9 (0.8 to 1.1) mm" in out
    assert "noise_mm_tilt" not in out  # the report has it
    assert out.splitlines()[-1] == "report: report.md, report.json, plots.png of 2 measures"
    assert json.loads(Path("report/report.json").read_text()) == DepthStore(measured).sensor
    text = Path("report/report.md").read_text()
    assert "| `noise_mm_tilt_0_30` | 0.9 (0.8 to 1.1) | mm |" in text
    assert "Cannot tell: `unit_mm`" in text
    assert Path("report/plots.png").stat().st_size > 1000
    assert main(["measure", str(measured), "--out", "report"]) == 2
    assert "holds a report" in capsys.readouterr().err


def test_of_a_set_without_it_crops_are_measured(capsys):
    assert main(["measure", str(CAMERA_SET)]) == 0
    out = capsys.readouterr().out
    assert "measured from 100 crops" in out
    assert "cannot tell unit_mm, step_mm_at_1m" in out
    assert "lost " in out
    known = int(out.splitlines()[-1].split(": ")[1].split()[0])
    assert 0 < known < len(MEASURES)


def test_curves_stand_at_the_middle_of_their_ranges():
    measured = {"a_tilt_0_30": NOISE, "a_tilt_30_60": None, "a_tilt_60_90": NOISE, "b": NOISE}
    assert [place for place, _ in curve(measured, r"a_tilt_(\d+)_(\d+)$")] == [15.0, 75.0]


def test_nothing_known_draws_nothing(tmp_path):
    measured = dict.fromkeys(MEASURES)
    assert not draw_plots(measured, tmp_path / "plots.png")
    assert not (tmp_path / "plots.png").exists()
    sensor = {"image_px": None, "camera": None, "unit_mm": 1.0, "measured": measured}
    assert "plots.png" not in as_markdown(sensor, "a camera", drawn=False)
