from pathlib import Path

import numpy as np
import pytest
import torch

from refiner.errors import StoreError
from refiner.pose.data import LabelledDepth
from refiner.render.generate import generate
from refiner.render.settings import RenderSettings
from refiner.sensors.catalogue import CATALOGUE, PLAIN


def render(name, count, seed, *, size=32, sensor=None):
    settings = RenderSettings(size=size, sensor=CATALOGUE.get(sensor or "", PLAIN), noise=sensor is not None)
    generate(Path(name), settings, count=count, seed=seed, provenance={})
    return Path(name)


def ready(store, **options):
    data = LabelledDepth(store, batch_size=4, **options)
    data.setup()
    return data


def test_the_last_items_of_every_store_are_held_out():
    data = ready([render("a.zarr", 10, 1), render("b.zarr", 20, 2, sensor="kinect2")], held_out=0.2)
    train, held = data.split()
    assert held.tolist() == [8, 9, 26, 27, 28, 29]
    assert sorted([*train, *held]) == list(range(30))
    assert [part["maps"] for part in data.provenance.values()] == [10, 20]
    assert list(data.provenance) == ["labelled", "labelled_1"]


def test_mixed_stores_give_each_item_as_its_own_store_does():
    paths = [render("a.zarr", 6, 1), render("b.zarr", 5, 2)]
    both = ready(paths)
    alone = [ready(path) for path in paths]
    depth, joints, cube_mm = both._maps.batch(np.array([1, 4, 6, 10]), np.random.default_rng(0))
    for row, (store, item) in enumerate([(0, 1), (0, 4), (1, 0), (1, 4)]):
        own = alone[store]._maps.batch(np.array([item]), np.random.default_rng(0))
        assert torch.equal(joints[row], own[1][0])
        assert cube_mm[row] == own[2][0]
        step = 2 * 0.1 / 260  # readings are spread within their step, differently in the two batches
        assert (depth[row] - own[0][0]).abs().max() <= step * 1.01


def test_an_epoch_of_mixed_stores_shows_every_training_item_once():
    data = ready([render("a.zarr", 10, 1), render("b.zarr", 10, 2)], held_out=0.2)
    batches = iter(data.train_dataloader())
    seen = torch.cat([next(batches)[1] for _ in range(4)])
    wanted = torch.from_numpy(data._maps.joints[data.split()[0]])
    assert torch.equal(seen[:, 0].sort(dim=0).values, wanted[:, 0].sort(dim=0).values)


def test_stores_of_other_sizes_do_not_mix():
    with pytest.raises(StoreError, match=r"b\.zarr has maps of 48 px.*but a\.zarr 32 px"):
        LabelledDepth([render("a.zarr", 4, 1), render("b.zarr", 4, 2, size=48)])
