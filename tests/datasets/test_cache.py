import pickle
import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from fakes import write_balls

from refiner.datasets.cache import cache_folder, decode_store
from refiner.datasets.store import DepthStore
from refiner.errors import StoreError


def test_any_maps_in_any_order():
    store = DepthStore(write_balls("a.zarr", count=300))  # two chunks
    maps = decode_store(store)
    items = [299, 0, 7, 7, 255, 256]
    np.testing.assert_array_equal(maps.read(items), store.read("depth")[items])
    assert maps.read(items).dtype == np.uint16
    assert maps.read([]).shape == (0, 16, 16)
    assert len(maps) == 300


@pytest.mark.parametrize("item", [-1, 40])
def test_maps_that_do_not_exist_are_refused(item):
    with pytest.raises(IndexError, match=f"Found map {item}, wanted 0 to 39"):
        decode_store(DepthStore(write_balls("a.zarr"))).read([0, item])


def test_a_store_is_decoded_once_and_content_is_the_key():
    store = DepthStore(write_balls("a.zarr"))
    first = decode_store(store)
    made = first.path.stat().st_mtime_ns
    Path("a.zarr").rename("b.zarr")
    moved = DepthStore("b.zarr")
    assert decode_store(moved).path == first.path
    assert first.path.stat().st_mtime_ns == made
    other = decode_store(DepthStore(write_balls("c.zarr", seed=1)))
    assert other.path != first.path
    assert first.path.parent == cache_folder()
    assert sorted(p.name for p in cache_folder().iterdir()) == sorted(
        [first.path.name, other.path.name]
    )  # nothing left over


def test_a_cut_file_is_written_again():
    store = DepthStore(write_balls("a.zarr"))
    maps = decode_store(store)
    whole = maps.path.read_bytes()
    maps.path.write_bytes(whole[:100])
    np.testing.assert_array_equal(decode_store(store).read([39]), store.read("depth")[39:])
    assert maps.path.read_bytes() == whole


def test_what_a_killed_decode_left_goes_with_the_next_one():
    folder = cache_folder()
    folder.mkdir(parents=True)
    (folder / ".0123.u16.89abcdef.partial").write_bytes(b"half of another store")
    maps = decode_store(DepthStore(write_balls("a.zarr")))
    assert [path.name for path in folder.iterdir()] == [maps.path.name]


def test_a_file_cut_while_in_use_is_an_error():
    maps = decode_store(DepthStore(write_balls("a.zarr")))
    maps.path.write_bytes(b"")
    with pytest.raises(StoreError, match="cut short"):
        maps.read([3])


def test_it_travels_to_other_processes_and_reopens():
    maps = decode_store(DepthStore(write_balls("a.zarr")))
    expected = maps.read([5])
    again = pickle.loads(pickle.dumps(maps))
    np.testing.assert_array_equal(again.read([5]), expected)
    maps.close()
    np.testing.assert_array_equal(maps.read([5]), expected)


@pytest.mark.parametrize(
    ("variables", "folder"),
    [
        ({"DEPTH_REFINER_CACHE": "/x", "XDG_CACHE_HOME": "/y"}, "/x"),
        ({"XDG_CACHE_HOME": "/y"}, "/y/depth-refiner"),
        ({"HOME": "/z"}, "/z/.cache/depth-refiner"),
    ],
)
def test_where_it_lies(monkeypatch, variables, folder):
    monkeypatch.delenv("DEPTH_REFINER_CACHE")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert str(cache_folder()) == folder


def test_several_processes_may_decode_at_once():
    write_balls("a.zarr", count=600, size=64)
    script = (
        "import sys; from refiner.datasets.cache import decode_store; from refiner.datasets.store import DepthStore\n"
        "store = DepthStore('a.zarr'); maps = decode_store(store)\n"
        "sys.exit(int((maps.read(range(600)) != store.read('depth')).any()))"
    )
    running = [subprocess.Popen([sys.executable, "-c", script]) for _ in range(3)]
    assert [process.wait() for process in running] == [0, 0, 0]
    assert len(list(cache_folder().iterdir())) == 1


def test_reading_does_not_grow_the_process():
    maps = decode_store(DepthStore(write_balls("a.zarr", count=2000, size=128)))  # 65 MB
    maps.read(range(32))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for start in range(0, 2000, 32):
        maps.read(range(start, min(start + 32, 2000)))
    grown_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown_kib < 8 * 1024
