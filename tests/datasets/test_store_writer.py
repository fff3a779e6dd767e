import os

import numpy as np
import pytest
import zarr
from five_items import rows, write_all, writer

from refiner.datasets.store import store_digest
from refiner.errors import OutputExistsError


def test_the_same_work_continues_and_gives_the_same_bytes(tmp_path):
    out = writer(tmp_path / "a.zarr")
    out.write(2, rows(2, 4))
    again = writer(tmp_path / "a.zarr")
    assert again.missing() == [(0, 2), (4, 5)]
    write_all(again)
    write_all(writer(tmp_path / "b.zarr"))
    assert store_digest(tmp_path / "a.zarr") == store_digest(tmp_path / "b.zarr")


def test_depth_is_the_commit_mark(tmp_path, monkeypatch):
    """Whatever array the disk fills up at, the chunk counts as missing."""
    out = writer(tmp_path / "a.zarr")
    full = rows(0, 2)
    calls = []
    original = zarr.Array.__setitem__

    def fail_at_source(self, key, value):
        calls.append(self.basename)
        if self.basename == "source":
            raise OSError(28, os.strerror(28))
        original(self, key, value)

    monkeypatch.setattr(zarr.Array, "__setitem__", fail_at_source)
    with pytest.raises(OSError, match="No space left"):
        out.write(0, full)
    assert "depth" not in calls
    assert out.missing()[0] == (0, 2)


def test_an_all_zero_chunk_is_written(tmp_path):
    out = writer(tmp_path / "a.zarr")
    empty = {**rows(0, 2), "depth": np.zeros((2, 8, 8), np.uint16)}
    out.write(0, empty)
    assert (0, 2) not in out.missing()


def test_other_work_is_not_touched_unasked(tmp_path):
    out = writer(tmp_path / "a.zarr")
    out.write(0, rows(0, 2))
    with pytest.raises(OutputExistsError, match="unfinished work of another command"):
        writer(tmp_path / "a.zarr", seed=1)
    write_all(out)
    with pytest.raises(OutputExistsError, match="is complete"):
        writer(tmp_path / "a.zarr")
    (tmp_path / "notes").mkdir()
    with pytest.raises(OutputExistsError, match="not a dataset of this program"):
        writer(tmp_path / "notes")


def test_overwrite_replaces(tmp_path):
    write_all(writer(tmp_path / "a.zarr"))
    assert len(writer(tmp_path / "a.zarr", seed=1, overwrite=True).missing()) == 3
    assert [path.name for path in tmp_path.iterdir()] == ["a.zarr"]
