from pathlib import Path

import numpy as np
import pytest
from fakes import write_balls
from hypothesis import given
from hypothesis import strategies as st

from experiments.zoo import controls
from experiments.zoo.controls import FIXED, Strength, make_control, measured_strength, worn
from refiner.datasets.store import DepthStore

NEAR, FAR = np.array([870.0]), np.array([1130.0])


def plate(depth_mm=1000.0, size=100):
    return np.full((1, size, size), depth_mm, np.float32)


def test_strengths_are_found_in_what_is_made():
    control_mm = worn(plate(), NEAR, FAR, Strength(3.0, 0.05), [(0, 0)])
    kept = control_mm > 0
    assert kept.mean() == pytest.approx(0.95, abs=0.01)  # four standard errors of 10,000 are 0.009
    assert control_mm[kept].std() == pytest.approx(3.0, abs=0.1)
    assert control_mm[kept].mean() == pytest.approx(1000, abs=0.15)


def test_what_leaves_the_cube_is_lost():
    control_mm = worn(plate(1129.5), NEAR, FAR, Strength(3.0, 0.0), [(0, 0)])
    assert 0.3 < (control_mm == 0).mean() < 0.6  # beyond 0.17 deviations: 0.43
    assert control_mm.max() <= 1130


@given(noise_mm=st.floats(0, 20), lost=st.floats(0, 0.9), key=st.integers(0, 10**6))
def test_nothing_arises_where_nothing_was(noise_mm, lost, key):
    depth_mm = plate(size=12)
    depth_mm[:, :, :6] = 0
    control_mm = worn(depth_mm, NEAR, FAR, Strength(noise_mm, lost), [(key,)])
    assert (control_mm[:, :, :6] == 0).all()
    assert ((control_mm == 0) | ((control_mm > 870) & (control_mm < 1130))).all()


def test_no_strength_changes_nothing_even_at_the_faces_of_the_cube():
    for depth_mm in (870.0, 1000.0, 1130.0):
        assert (worn(plate(depth_mm), NEAR, FAR, Strength(0, 0), [(0, 0)]) == depth_mm).all()


def test_an_item_is_the_same_whatever_is_beside_it():
    both = worn(np.repeat(plate(), 2, axis=0), NEAR.repeat(2), FAR.repeat(2), FIXED, [(0, 4), (0, 5)])
    assert np.array_equal(both[1:], worn(plate(), NEAR, FAR, FIXED, [(0, 5)]))
    assert not np.array_equal(both[0], both[1])


@pytest.mark.parametrize("strength", [(-1, 0), (1, 1.0), (1, -0.1), (float("nan"), 0)])
def test_impossible_strengths_are_refused(strength):
    with pytest.raises(ValueError, match="wanted noise_mm >= 0"):
        Strength(*strength)


def test_a_control_keeps_its_labels_and_an_interrupted_one_goes_on(monkeypatch):
    write_balls("a.zarr", size=32, count=300)
    source, whole = DepthStore("a.zarr"), make_control(Path("a.zarr"), Path("whole.zarr"), FIXED, 1.0)
    control = DepthStore(whole)
    assert control.depth_unit_mm == 1.0
    assert control.names == source.names
    for name in set(source.names) - {"depth"}:
        assert np.array_equal(control.read(name), source.read(name), equal_nan=name == "joints_mm")
    made = []

    def killed(*arguments):
        if made:
            raise KeyboardInterrupt
        made.append(1)
        return worn(*arguments)

    monkeypatch.setattr(controls, "worn", killed)
    with pytest.raises(KeyboardInterrupt):
        make_control(Path("a.zarr"), Path("cut.zarr"), FIXED, 1.0)
    monkeypatch.setattr(controls, "worn", worn)
    make_control(Path("a.zarr"), Path("cut.zarr"), FIXED, 1.0)
    assert np.array_equal(DepthStore("cut.zarr").read("depth"), control.read("depth"))
    monkeypatch.setattr(controls, "worn", None)  # whole: not made again
    make_control(Path("a.zarr"), Path("cut.zarr"), FIXED, 1.0)


def test_the_strength_of_a_control_is_measured_again():
    """A camera that is nothing but noise and single losses is described rightly by the two numbers."""
    write_balls("a.zarr", size=64, count=60)
    make_control(Path("a.zarr"), Path("camera.zarr"), Strength(4.0, 0.03), 0.5)
    found = measured_strength(DepthStore("camera.zarr"), DepthStore("a.zarr"))
    assert found.noise_mm == pytest.approx(4.0, rel=0.05)
    assert found.lost == pytest.approx(0.03, abs=0.005)  # those at the outline are open to the background
    own = measured_strength(DepthStore("a.zarr"), DepthStore("a.zarr"))
    assert (own.noise_mm, own.lost) == (0, 0)
