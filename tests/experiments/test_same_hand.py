"""Likeness of fine detail, on surfaces whose likeness is known."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from fakes import write_maps

from experiments import same_hand


def relief(seed):
    return np.random.default_rng(seed).normal(0, 1, (32, 32)).astype(np.float32)


def test_a_smooth_surface_has_no_detail_and_outlines_and_edges_do_not_count():
    v, u = np.mgrid[:32, :32].astype(np.float32)
    depth_mm = 700 + 2 * u + v
    depth_mm[:, :4] = 0
    detail = same_hand.detail_mm(depth_mm)
    assert np.nanmax(np.abs(detail[8:-8, 12:-8])) < 0.05
    assert np.isnan(detail[:, :7]).all()
    depth_mm[:, 16:] += 40
    assert np.isnan(same_hand.detail_mm(depth_mm)[10, 15:17]).all()


@pytest.mark.parametrize("shift", [(0, 0), (2, -3)])
def test_one_surface_is_known_again_where_it_was_moved_and_another_is_not(shift):
    one = relief(0)
    assert same_hand.likeness(one, np.roll(one, shift, axis=(0, 1))) == pytest.approx(1.0)
    assert same_hand.likeness(one, relief(1)) < 0.2
    assert np.isnan(same_hand.likeness(one, np.full((32, 32), np.nan, np.float32)))


def test_the_command_tells_frames_of_a_sequence_from_those_of_others(monkeypatch):
    """Two sequences of thirty frames, each one surface with noise half as strong: 1 / 1.25 = 0.8."""
    rng = np.random.default_rng(2)
    maps = [700 + 2 * relief(k // 30) + rng.normal(0, 1, (32, 32)) for k in range(60)]
    write_maps("set.zarr", np.array(maps), unit_mm=0.1, sequence=np.repeat([0, 1], 30).astype(np.int32))
    monkeypatch.setattr(sys, "argv", ["same_hand", "set.zarr", "--out", "report.json"])
    same_hand.main()
    report = json.loads(Path("report.json").read_text())
    assert report["20 apart"]["pairs"] == 20
    for name in ("1 apart", "5 apart", "20 apart"):
        assert report[name]["median"] == pytest.approx(0.8, abs=0.04)
    assert report["other sequences"]["median"] < 0.2
