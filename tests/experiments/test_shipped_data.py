"""The shipped sets are whole, small, and what their command makes."""

from pathlib import Path

import numpy as np
import pytest

from experiments.shipped_data import FRAMES, moving_hand
from refiner.cli.main import main
from refiner.datasets.inspection import inspect_store
from refiner.datasets.store import DepthStore
from refiner.hand.collision import overlap_mm
from refiner.hand.model import load_hand

DATA = Path(__file__).parents[2] / "data"


@pytest.mark.parametrize(("name", "count", "size"), [("renders", 512, 64), ("camera", 512, 64), ("sequence", 60, 128)])
def test_each_set_is_whole(name, count, size):
    report = inspect_store(store := DepthStore(DATA / f"{name}.zarr"))
    assert report["problems"] == []
    assert report["labelled_items"] == count
    # Camera noise at an outline may show the background where a joint is.
    assert len(report["doubtful_labels"]) <= (2 if name == "camera" else 0)
    assert (len(store), store.size) == (count, size)
    assert f"## {name}.zarr" in (DATA / "README.md").read_text()


def test_they_are_small():
    assert sum(path.stat().st_size for path in DATA.rglob("*") if path.is_file()) <= 10e6


@pytest.mark.parametrize("name", ["renders", "camera"])
def test_the_command_in_a_set_makes_it_again(name):
    """Its first maps: an item does not depend on how many are made."""
    store = DepthStore(DATA / f"{name}.zarr")
    words = store.provenance["command"].split()[1:]
    words[words.index("--count") + 1] = "4"
    assert main(words) == 0
    made = DepthStore(words[1])
    for array in store.names:
        if array != "depth":
            exact = store.read(array).dtype.kind != "f"
            compare = np.testing.assert_array_equal if exact else np.testing.assert_allclose
            compare(made.read(array), store.read(array, 0, 4))
    # Another processor may round a pixel at an outline to the other side.
    assert (made.read("depth") != store.read("depth", 0, 4)).mean() < 1e-3


def test_the_moving_hand_never_cuts_through_itself():
    poses = moving_hand(7)
    assert (overlap_mm(load_hand(), poses.pose, poses.shape) <= 0).all()
    assert len(poses.names) == FRAMES
    assert np.abs(np.diff(poses.wrist_mm, axis=0)).max() < 30
