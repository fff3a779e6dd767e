import json
import sys
from pathlib import Path

import pytest
import yaml

from experiments import table as module
from refiner.render.generate import generate
from refiner.render.settings import RenderSettings
from refiner.sensors.catalogue import CATALOGUE, PLAIN

pytestmark = pytest.mark.filterwarnings("ignore:.*isinstance.treespec, LeafSpec")


def tiny():
    """The benchmark, as small as can be."""
    settings = yaml.safe_load(module.BENCHMARK.read_text())
    settings |= {"maps": 24, "test_maps": 12, "size": 32}
    settings["refiner"]["updates"], settings["pose"]["updates"] = 3, 2
    Path("tiny.yaml").write_text(yaml.safe_dump(settings))
    return settings


def run(monkeypatch, *words):
    monkeypatch.setattr(sys, "argv", ["table", "--benchmark", "tiny.yaml", "--out", "t", *words])
    module.main()
    return json.loads(Path("t/table.json").read_text())


def test_every_row_is_made_and_an_interrupted_table_goes_on(monkeypatch, capsys):
    tiny()
    first = run(monkeypatch, "--seeds", "1", "--rows", "synthetic", "refined")
    assert set(first["rows"]) == {"synthetic", "refined"}
    capsys.readouterr()
    whole = run(monkeypatch, "--seeds", "1")
    out = capsys.readouterr().out
    assert "pose_synthetic_0" not in out  # that job is done
    assert "pose_camera_0" in out
    assert set(whole["rows"]) == set(module.ROWS)
    assert whole["rows"]["synthetic"] == first["rows"]["synthetic"] | {"gap_closed": 0.0}
    assert whole["rows"]["camera"]["gap_closed"] == pytest.approx(1)
    assert Path("t/table.md").read_text().count("\n| ") == len(module.ROWS) + 1


def test_a_users_own_stores(monkeypatch, capsys):
    tiny()
    for name, seed, sensor in (("a", 1, None), ("b", 2, "kinect2"), ("c", 3, "kinect2")):
        settings = RenderSettings(size=32, sensor=CATALOGUE.get(sensor or "", PLAIN), noise=sensor is not None)
        generate(Path(f"{name}.zarr"), settings, count=16, seed=seed, provenance={})
    stores = ["--stores", "synthetic=a.zarr", "camera=b.zarr", "test=c.zarr"]
    whole = run(monkeypatch, "--seeds", "1", *stores)
    assert set(whole["rows"]) == {"synthetic", "control_fixed", "control_measured", "refined", "camera", "mixed"}
    assert not Path("t/synthetic.zarr").exists()
    with pytest.raises(SystemExit):
        run(monkeypatch, *stores[:3])
    assert "wanted camera, synthetic, test" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        run(monkeypatch, *stores, "--rows", "analytic_right")
    assert "no stores for the rows analytic_right" in capsys.readouterr().err


def test_larger_sets_are_seen_as_often_and_smaller_ones_more_often():
    table = module.Table(Path("t"), tiny() | {"maps": 100, "pose": {"updates": 50}}, "first")
    assert [table.updates("pose", maps) for maps in (20, 100, 300)] == [50, 50, 150]


def test_summary_by_hand():
    results = {
        name: [{"mean_mm": error, "pck": {"5": 0.5}, "auc": 0.6} for error in errors]
        for name, errors in (("synthetic", [20, 22]), ("refined", [12, 13]), ("camera", [11, 11]))
    }
    whole = module.summary(module.Table(Path("t"), tiny(), "first"), results)
    assert whole["raw_over_camera"] == pytest.approx(21 / 11)
    assert whole["valid"]
    assert whole["rows"]["refined"]["gap_closed"] == pytest.approx(0.85)
    assert whole["rows"]["synthetic"]["ci95_half_mm"] == pytest.approx(12.706, abs=0.01)  # t(1) 12.706, s / sqrt(2) = 1


def test_the_benchmark_keeps_its_sets_apart():
    settings = yaml.safe_load(module.BENCHMARK.read_text())
    seeds = [seed for camera in settings["cameras"].values() for seed in camera["seeds"].values()]
    assert len(seeds) == len(set(seeds)) == 6
    assert settings["cameras"]["first"]["sensor"] != settings["cameras"]["second"]["sensor"]


@pytest.mark.parametrize("change", [("--camera", "second"), ("--quick",), ("--benchmark", "other.yaml")])
def test_a_leftover_job_of_other_settings_is_not_taken(monkeypatch, capsys, change):
    """A job of the first camera, all updates, was once printed as one of whatever was asked."""
    Path("other.yaml").write_text(yaml.safe_dump(tiny() | {"test_maps": 13}))
    run(monkeypatch, "--seeds", "1", "--rows", "synthetic")
    capsys.readouterr()
    with pytest.raises(SystemExit) as error:
        run(monkeypatch, "--seeds", "1", "--rows", "synthetic", *change)
    assert error.value.code == 2
    out, err = capsys.readouterr()
    assert "made with other settings" in err
    assert "trained on" not in out  # no table


def test_refiners_of_two_tables_of_one_name_are_two(monkeypatch):
    tables = [module.Table(Path(f"{folder}/t"), tiny(), camera) for folder, camera in (("a", "first"), ("b", "second"))]
    trained = []
    monkeypatch.setattr(module, "trained_refiner", lambda name, *_: trained.append(name))
    monkeypatch.setattr(module, "made", lambda path, *_: path)
    for table in tables:
        module.refined(table, 0)
    assert len(set(trained)) == 2
