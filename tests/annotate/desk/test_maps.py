"""Single maps, whichever chunk they are in."""

import threading

import numpy as np
import pytest

from refiner.annotate.desk.maps import FrameMaps
from refiner.datasets.store import DepthStore
from refiner.datasets.store_writer import StoreWriter

COUNT = 11


@pytest.fixture
def store(tmp_path):
    """Maps in which all pixels are the number of the frame and 600, in chunks of 4."""
    how = {"provenance": {}, "arrays": {}, "chunk_items": 4}
    writer = StoreWriter(tmp_path / "a.zarr", count=COUNT, size=8, depth_unit_mm=0.5, **how)
    for start, stop in writer.missing():
        numbers = np.arange(start, stop, dtype=np.uint16)
        rows = {"depth": np.broadcast_to(600 + numbers[:, None, None], (stop - start, 8, 8))}
        rows |= {"camera": np.ones((stop - start, 4)), "centre_mm": np.ones((stop - start, 3))}
        writer.write(start, rows | {"cube_mm": np.ones(stop - start)})
    writer.finish()
    return DepthStore(tmp_path / "a.zarr")


def test_every_map_is_its_own(store):
    maps = FrameMaps(store)
    for frame in [*range(COUNT), 0, 10, 5, 4, 3]:
        assert (maps.raw(frame) == 600 + frame).all()
        assert maps.raw(frame).dtype == np.uint16
        np.testing.assert_array_equal(maps.depth_mm(frame), np.full((8, 8), 300 + frame / 2, np.float32))


def test_a_chunk_is_read_once_by_many_threads(store, monkeypatch):
    asked, read = [], DepthStore.read

    def counted(self, name, start=0, stop=None):
        asked.append((start, stop))
        return read(self, name, start, stop)

    monkeypatch.setattr(DepthStore, "read", counted)
    maps, wrong = FrameMaps(store), []

    def look(first):
        wrong.extend(k for k in range(60) if not (maps.raw((first + k) % COUNT) == 600 + (first + k) % COUNT).all())

    threads = [threading.Thread(target=look, args=(first,)) for first in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert sorted(asked) == [(0, 4), (4, 8), (8, 11)]
