"""A whole set is fitted, and `refiner fit` with it."""

from pathlib import Path

import numpy as np
import pytest
import zarr

from refiner.cli.main import main
from refiner.datasets.store import DepthStore
from refiner.fitting import whole_set
from refiner.fitting.settle import PlacedHand, measured
from refiner.fitting.starts import make_bank
from refiner.render.generate import generate
from refiner.render.scene import Places
from refiner.render.settings import RenderSettings
from refiner.sensors.catalogue import CATALOGUE

SETTINGS = RenderSettings(size=48, places=Places(690.0, 710.0, 260.0))


@pytest.fixture
def few_starts(monkeypatch):
    monkeypatch.setattr(whole_set, "STARTS", 3)
    monkeypatch.setattr(whole_set, "_SHAPE_ROUNDS", 2)
    monkeypatch.setattr(whole_set, "_SHAPE_MAPS", 4)
    monkeypatch.setattr(whole_set, "SIDE_MAPS", 3)


@pytest.fixture
def store(tmp_path):
    generate(tmp_path / "real.zarr", SETTINGS, count=6, seed=8, provenance={})
    return DepthStore(tmp_path / "real.zarr")


def test_hands_are_fitted_and_neighbours_help(store, few_starts):
    bank, shape = make_bank(SETTINGS, 300, seed=2), np.zeros(17)
    maps = whole_set.maps_of({name: store.read(name, 0, 6) for name in store.names}, store.depth_unit_mm)
    begun = [
        min(measured(hands[0], target).misfit_mm for hands in bank.starts(target, centre, 0, 1))
        for target, centre in zip(maps.targets, maps.centre_mm, strict=True)
    ]
    palms, backs = whole_set._from_bank(maps, bank, 0, shape, free=True)
    alone = whole_set._best_view([palms, backs])
    maps.sequence[:] = 0
    hands = whole_set.fit_maps(maps, bank, 0, shape)
    assert np.median([hand.misfit_mm for hand in alone]) < 0.7 * np.median(begun)
    assert all(hand.cost_mm <= before.cost_mm for hand, before in zip(hands, alone, strict=True))
    joints = store.read("joints_mm")[:, 0]
    assert np.median([np.linalg.norm(h.wrist_mm - j) for h, j in zip(hands, joints, strict=True)]) < 25


def test_poses_that_recur_are_tried_as_the_hand_is_turned(store):
    maps = whole_set.maps_of({name: store.read(name, 0, 6) for name in store.names}, store.depth_unit_mm)
    maps.sequence[:] = [0, 0, 1, 0, 0, 0]
    pose = np.arange(6)[:, None] + np.linspace(0, 0.5, 26)
    hands = [PlacedHand(pose[k], np.zeros(17), np.full(3, k), 0, misfit_mm=9.0 - k) for k in range(6)]
    tries = whole_set._recurring(maps, hands, 4)
    np.testing.assert_array_equal([hand.pose[3:] for hand in tries], pose[[5, 3, 1, 0], 3:])  # the best first
    assert all((hand.pose[:3] == pose[4, :3]).all() and (hand.wrist_mm == 4).all() for hand in tries)
    assert whole_set._recurring(maps, hands, 2) == []


def test_the_right_hand_is_told_from_the_left(store, few_starts):
    right, left = whole_set.side_misfits(store, make_bank(SETTINGS, 300, seed=2))
    assert right < left


def test_the_command_fits_goes_on_and_its_hands_are_rendered(store, tmp_path, few_starts, capsys):
    real, out = str(store.path), str(tmp_path / "fitted.zarr")
    assert main(["fit", real, out, "--bank", "150"]) == 0
    assert "right it is" in capsys.readouterr().err
    fitted = DepthStore(out)
    np.testing.assert_array_equal(fitted.read("depth"), store.read("depth"))
    assert np.isfinite(fitted.read("pose")).all()
    assert (fitted.read("side") == 0).all()
    assert fitted.read("shape").shape == (6, 17)
    assert fitted.read("misfit_mm").max() < 40
    assert main(["fit", real, out, "--bank", "150"]) == 2  # it is whole
    assert "exists and is complete" in capsys.readouterr().err
    assert main(["render", str(tmp_path / "again.zarr"), "--poses", out]) == 0
    again = DepthStore(tmp_path / "again.zarr")
    a, b = (s.read("depth").astype(float) * s.depth_unit_mm for s in (again, store))
    both = (a > 0) & (b > 0)
    assert both.sum() > 0.7 * (b > 0).sum()
    assert np.median(np.abs(a - b)[both]) < 6
    matched = str(tmp_path / "matched.zarr")
    # Windows of 9 px, 2.25 of which are one of a map of 48 px for 260 mm at 677 mm.
    more = {"camera": [500.0, 500.0, 319.5, 239.5], "given": {}, "measured": {}, "frames": 0}
    sensor = CATALOGUE["kinect1"].describe() | more
    zarr.open_group(real, mode="r+").attrs["sensor"] = sensor
    assert main(["fit", real, matched, "--bank", "150", "--hand", "right"]) == 0
    assert DepthStore(matched).provenance["configuration"]["window_px"] == 3
    assert DepthStore(matched).sensor == sensor


def test_a_map_without_readings_has_no_hand(store, few_starts):
    maps = whole_set.maps_of({name: store.read(name, 0, 6) for name in store.names}, store.depth_unit_mm)
    maps.targets[2] = None
    hands = whole_set.fit_maps(maps, make_bank(SETTINGS, 60, seed=2), 0, np.zeros(17))
    assert [hand is None for hand in hands] == [False, False, True, False, False, False]


@pytest.mark.parametrize("words", [["--hand", "both"], ["--bank", "5"], ["--seed", "-1"]])
def test_words_that_make_no_sense_are_refused(store, words, capsys):
    assert main(["fit", str(store.path), "out.zarr", *words]) == 2
    assert "wanted" in capsys.readouterr().err
    assert not Path("out.zarr").exists()
