"""Maps that are read when they are asked for."""

import numpy as np
from labelled_sequence import write_sequence

from refiner.annotate.references import maps as maps_module
from refiner.annotate.references.maps import StoredMaps
from refiner.datasets.store import DepthStore


def test_parts_are_those_of_all_maps_and_are_read_once(tmp_path, monkeypatch):
    write_sequence(tmp_path / "a.zarr", count=200)
    store = DepthStore(tmp_path / "a.zarr")
    whole = store.read("depth") * np.float32(store.depth_unit_mm)
    asked, read = [], store.read

    def counted(name, start, stop):
        asked.append((start, stop))
        return read(name, start, stop)

    monkeypatch.setattr(store, "read", counted)
    monkeypatch.setattr(maps_module, "_TOGETHER", 64)
    maps = StoredMaps(store)
    assert (len(maps), maps.shape) == (200, whole.shape)
    for start in range(0, 200, 16):
        np.testing.assert_array_equal(maps[start : start + 16], whole[start : start + 16])
    assert asked == [(0, 64), (64, 128), (128, 192), (192, 200)]
    np.testing.assert_array_equal(maps[10:100], whole[10:100])
    np.testing.assert_array_equal(maps[90:100], whole[90:100])
    assert asked[4:] == [(10, 100)]
    assert maps[200:300].shape == (0, *whole.shape[1:])
