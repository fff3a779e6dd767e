"""A copy that lost something: refused by name. `five_items` writes three chunks of two, two and one items."""

import shutil

import pytest
import zarr
from five_items import rows, write_all, writer

from refiner.datasets.chunks import CODECS
from refiner.datasets.inspection import inspect_store
from refiner.datasets.store import DepthStore
from refiner.errors import StoreError


@pytest.fixture
def store(tmp_path):
    write_all(writer(tmp_path / "a.zarr"))
    return tmp_path / "a.zarr"


def problems(path):
    return inspect_store(DepthStore(path, allow_incomplete=True))["problems"]


@pytest.mark.parametrize(
    ("chunk", "what"),
    [
        ("depth/c/1/0/0", "chunk 1 of depth (items 2 to 3)"),
        ("joints_mm/c/2/0/0", "chunk 2 of joints_mm (items 4 to 4)"),
        ("camera/c/0/0", "chunk 0 of camera (items 0 to 1)"),
        ("source/c/2", "chunk 2 of source (items 4 to 4)"),
    ],
)
@pytest.mark.parametrize("loss", ["missing", "empty"])
def test_a_lost_chunk_is_refused_by_name(store, chunk, what, loss):
    if loss == "missing":
        (store / chunk).unlink()
    else:
        (store / chunk).write_bytes(b"")
    with pytest.raises(StoreError, match="is not whole") as refused:
        DepthStore(store)
    assert f"{what} is {loss}" in str(refused.value)
    assert "make it again (--overwrite) with: refiner render out.zarr --count 5" in str(refused.value)
    assert problems(store)[0] == f"{what} is {loss}"


@pytest.mark.parametrize("damage", [lambda data: data[: len(data) // 2], lambda data: data[:9] + b"\x55" + data[10:]])
def test_a_damaged_chunk_is_named_where_it_is_read(store, damage):
    chunk = store / "depth/c/1/0/0"
    chunk.write_bytes(damage(chunk.read_bytes()))
    opened = DepthStore(store)
    opened.read("depth", 0, 2)
    with pytest.raises(StoreError, match=r"chunk 1 of depth \(items 2 to 3\) is damaged"):
        opened.read("depth", 1, 3)
    with pytest.raises(StoreError, match=r"chunk 1 of depth"):
        opened.require_whole()
    assert len(problems(store)) == 1


def test_a_changed_byte_is_noticed_in_every_array(store):
    """A checksum, not the luck that a decoder stumbles: the last bits of a number decode to another number."""
    for chunk in [path for path in store.glob("*/c/**/*") if path.is_file()]:
        data = bytearray(chunk.read_bytes())
        data[len(data) // 2] ^= 1
        chunk.write_bytes(data)
    assert len(problems(store)) == 3 * len(DepthStore(store, allow_incomplete=True).names)


def test_a_lost_array_is_named(store):
    shutil.rmtree(store / "visible")
    with pytest.raises(StoreError, match="the array visible is missing"):
        DepthStore(store)
    assert problems(store) == ["the array visible is missing"]


def test_damaged_metadata_of_an_array_is_named(store):
    (store / "joints_mm/zarr.json").write_text("{")
    with pytest.raises(StoreError, match="joints_mm"):
        DepthStore(store)


def test_other_programs_may_leave_chunks_out(store):
    group = zarr.open_group(store, mode="r+")
    group.attrs["provenance"] = {}
    (store / "depth/c/1/0/0").unlink()
    assert not DepthStore(store).read("depth", 2, 4).any()


def test_a_part_that_another_program_took_may_leave_chunks_of_zeros_out(store, tmp_path):
    """Such tools copy the attributes, and with them the name of this program."""
    whole = zarr.open_group(store, mode="r")
    part = zarr.open_group(tmp_path / "part.zarr", mode="w", attributes=dict(whole.attrs))
    for name in whole.array_keys():
        values = whole[name][:2]
        part.create_array(name, shape=values.shape, chunks=values.shape, dtype=whole[name].dtype)[:] = values
    part["visible"][:] = False  # which removes its only chunk
    assert not (tmp_path / "part.zarr/visible/c/0/0").exists()
    assert not DepthStore(tmp_path / "part.zarr").read("visible").any()


def test_an_array_of_the_first_stores_has_no_checksum_and_no_lost_chunk(tmp_path, monkeypatch):
    monkeypatch.setattr("refiner.datasets.store_writer.CODECS", CODECS[:1])
    write_all(writer(tmp_path / "old.zarr"))
    assert not problems(tmp_path / "old.zarr")
    (tmp_path / "old.zarr/depth/c/1/0/0").unlink()
    assert problems(tmp_path / "old.zarr") == ["chunk 1 of depth (items 2 to 3) is missing"]


def test_an_incomplete_store_may_lack_chunks(tmp_path):
    out = writer(tmp_path / "a.zarr")
    out.write(2, rows(2, 4))
    assert len(problems(tmp_path / "a.zarr")) == 1
