import pytest
from fakes import write_balls

from refiner.datasets.unpaired import UnpairedDepth


@pytest.fixture
def data():
    write_balls("a.zarr", count=40)
    write_balls("b.zarr", count=40, unit_mm=1.0, seed=1, noisy=True)
    return UnpairedDepth("a.zarr", "b.zarr", batch_size=4, probe_maps=6)


@pytest.fixture
def batch(data):
    return data.training_batches().batch(0)
