import json
from pathlib import Path

import numpy as np
import pytest
from fakes import write_balls

from refiner.cli.main import main
from refiner.datasets.store import DepthStore
from refiner.errors import StoreError
from refiner.realism import classifier, runs, verdicts
from refiner.realism import report as report_module
from refiner.realism.classifier import Verdict
from refiner.realism.maps import read_depth_mm
from refiner.realism.report import as_markdown, check_sets, measure
from refiner.realism.verdicts import Effort

SIZE = {"count": 80, "size": 32}
QUICK = Effort(maps=40, patches=120, most_epochs=6)


@pytest.fixture(autouse=True)
def short_epochs(monkeypatch):
    """These sets are told apart, or not, within a few updates."""
    monkeypatch.setattr(classifier, "_FEWEST_UPDATES", 4)
    monkeypatch.setattr(verdicts, "MOST_ROUNDS", 1)


def stores():
    """Smooth balls, the same made rough, and rough ones of another camera."""
    write_balls("synthetic.zarr", **SIZE)
    write_balls("refined.zarr", **SIZE, unit_mm=1.0, noisy=True)
    write_balls("real.zarr", **SIZE, unit_mm=1.0, seed=5, noisy=True)
    return [DepthStore(f"{name}.zarr") for name in ("synthetic", "refined", "real")]


def test_noise_that_fits_is_not_told_and_none_is():
    report, figures = measure(*stores(), effort=QUICK)
    patches = report["patches"]
    assert patches["raw_against_real"]["accuracy"] > 0.9
    assert patches["refined_against_real"]["accuracy"] < 0.75
    assert report["unit_mm"] == 1.0
    for name in ("hole_rate", "depth_steps"):
        assert report["noise"]["refined_against_real"][name] < report["noise"]["raw_against_real"][name], name
    assert report["label_shift"]["depth_mm"]["mean"] > 2  # mean of |N(0, 3 mm)|, and the balls differ a little
    assert len(figures["scores"]) == len(figures["scored_items"])
    json.dumps(report)


def test_a_failed_control_makes_the_figure_void(monkeypatch):
    monkeypatch.setattr(report_module, "RAW_AT_LEAST", 1.01)
    report, _ = measure(*stores(), effort=QUICK)
    assert not report["patches"]["valid"]
    assert "raw against real is below" in report["patches"]["void_because"][-1]


def as_told(monkeypatch, control, low, stretches=4):
    """Let classifiers say so of real against real, and 0.99 of the others."""

    def told(first, *_):
        numbers = np.zeros(1, int), np.zeros(1, int)
        accuracy = 0.99 if first.half is None else control
        return Verdict(
            accuracy,
            (low, 1),
            (1, 1),
            (stretches, stretches),
            (1,),
            (accuracy,),
            (np.zeros(1), np.zeros(1)),
            numbers,
            numbers,
        )

    monkeypatch.setattr(report_module, "verdict_on", told)


@pytest.mark.parametrize(
    ("control", "low", "valid"), [(0.54, 0.51, False), (0.54, 0.49, True), (0.53, 0.52, True), (0.4, 0.3, True)]
)
def test_hands_that_are_known_again_make_the_figure_void(monkeypatch, control, low, valid):
    """More than 0.53, and more than stretches differ by: either alone leaves the figure."""
    as_told(monkeypatch, control, low)
    report, _ = measure(*stores(), effort=QUICK)
    wanted = [] if valid else ["real against real is above 0.53: hands are known again"]
    assert report["patches"]["void_because"] == wanted
    assert report["patches"]["valid"] == valid


def test_the_report_says_what_was_left_out(monkeypatch):
    as_told(monkeypatch, 0.5, 0.4)
    sets = stores()
    report, _ = measure(*sets, effort=QUICK)
    for counts in report["division"].values():
        assert counts["gap_frames"] == counts["left_out"] == 20
        assert counts["learnt"] + counts["asked"] == 60
    text = as_markdown(report, dict(zip(("synthetic", "refined", "real"), [store.path for store in sets], strict=True)))
    real = report["division"]["real"]
    assert f"- real: {real['learnt']} maps learnt from, {real['asked']} asked about, 20 left out; 20 frames" in text


@pytest.mark.parametrize("stretches", [1, 2])
def test_a_control_of_one_stretch_a_side_says_that_it_checks_nothing(monkeypatch, stretches):
    as_told(monkeypatch, 0.6, 0.0, stretches)
    sets = stores()
    report, _ = measure(*sets, effort=QUICK)
    assert report["whole_maps"]["leakage_checked"] == (stretches > 1)
    text = as_markdown(report, dict(zip(("synthetic", "refined", "real"), [store.path for store in sets], strict=True)))
    assert ("whole maps: real against real has one stretch a side" in text) == (stretches == 1)


def test_sets_that_show_the_asked_hands_cannot_be_learnt_from(monkeypatch):
    monkeypatch.setattr(runs, "_shift", lambda _seed: 0.0)
    sets = stores()
    with pytest.raises(StoreError, match=r"Of the real maps 0 may be learnt from, 80 asked about and 80 are neither"):
        measure(*sets, learn=sets)
    # Of eight frames one goes on either side of the middle.
    few = [DepthStore(write_balls(f"few_{name}.zarr", count=8, size=32)) for name in ("synthetic", "refined", "real")]
    with pytest.raises(StoreError, match="Of the real maps 3 may be learnt from, 3 asked about and 2 are neither"):
        measure(*few, effort=QUICK)


def test_a_small_set_is_judged_in_rounds_and_the_report_says_so(monkeypatch):
    monkeypatch.setattr(verdicts, "MOST_ROUNDS", 2)
    sets = stores()
    report, figures = measure(*sets, effort=Effort(maps=40, patches=60, most_epochs=1))
    by_round = report["patches"]["refined_against_real"]["by_round"]
    assert len(by_round) == 2
    assert len(np.unique(figures["scored_items"])) == len(figures["scored_items"]) > 40  # of two draws of forty
    text = as_markdown(
        report, {name: store.path for name, store in zip(("synthetic", "refined", "real"), sets, strict=True)}
    )
    assert f"patches judged in 2 rounds, refined {by_round[0]:.3f}, {by_round[1]:.3f}." in text


def test_the_command_learns_from_other_sets_where_they_are_given(monkeypatch, capsys):
    stores()
    for name in ("synthetic", "refined", "real"):
        write_balls(f"other_{name}.zarr", **SIZE, unit_mm=2.0, seed=9, noisy=name != "synthetic")
    monkeypatch.setattr(report_module, "measure", lambda *sets, **more: measure(*sets, **more | {"effort": QUICK}))
    words = ["evaluate", "--out", "report"]
    for name in ("synthetic", "refined", "real"):
        words += [f"--{name}", f"{name}.zarr"]
    some = [*words, "--learn-synthetic", "other_synthetic.zarr", "--learn-real", "other_real.zarr"]
    assert main(some) == 2
    assert "Found no --learn-refined" in capsys.readouterr().err
    assert main([*some, "--learn-refined", "other_refined.zarr"]) in (0, 1)
    report = json.loads(Path("report/report.json").read_text())
    assert report["unit_mm"] == 2.0
    assert report["sets"]["learn_refined"]["path"] == "other_refined.zarr"
    assert report["patches"]["refined_against_real"]["pictures"][0] > 100  # all eighty maps are asked about
    assert "- learnt from: `other_refined.zarr`" in Path("report/report.md").read_text()


def test_sets_to_learn_from_must_be_as_those_that_are_asked_about():
    synthetic, refined, real = stores()
    write_balls("twice.zarr", count=160, size=32)
    with pytest.raises(StoreError, match="twice.zarr has 2 maps of 32 px to a render, and refined.zarr has 1"):
        measure(synthetic, refined, real, learn=(synthetic, DepthStore("twice.zarr"), real))


def test_the_command_leaves_report_and_pictures(monkeypatch, capsys):
    stores()
    monkeypatch.setattr(report_module, "measure", lambda *sets, **more: measure(*sets, **more | {"effort": QUICK}))
    words = ["evaluate", "--synthetic", "synthetic.zarr", "--refined", "refined.zarr", "--real", "real.zarr"]
    status = main([*words, "--out", "report"])
    report = json.loads(Path("report/report.json").read_text())
    assert status == (0 if report["patches"]["valid"] else 1)
    assert "| patches |" in Path("report/report.md").read_text()
    assert Path("report/maps.png").stat().st_size > 1000
    assert capsys.readouterr().out.splitlines()[-1] == "report: report.json, report.md, maps.png"
    assert main([*words, "--out", "report"]) == 2
    assert "--overwrite" in capsys.readouterr().err


def test_sets_that_do_not_belong_together_are_refused():
    synthetic, refined, real = stores()
    write_balls("small.zarr", count=80, size=16)
    with pytest.raises(StoreError, match="32, 32 and 16 px"):
        check_sets(synthetic, refined, DepthStore("small.zarr"))
    write_balls("more.zarr", count=81, size=32)
    with pytest.raises(StoreError, match="wanted a multiple"):
        check_sets(synthetic, DepthStore("more.zarr"), real)


def test_both_sides_are_rounded_to_the_coarser_unit():
    write_balls("fine.zarr", **SIZE)
    depth = read_depth_mm(DepthStore("fine.zarr"), np.arange(4), 2.0)
    assert (depth % 2 == 0).all()
    assert ((depth > 0) == (DepthStore("fine.zarr").read("depth", 0, 4) > 0)).all()
