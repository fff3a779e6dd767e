import numpy as np
import pytest
from labelled_sequence import write_unlabelled

from refiner.annotate.sessions.order import sources_of, starts_of
from refiner.datasets.store import DepthStore
from refiner.errors import StoreError


def store(**arrays):
    count = len(next(iter(arrays.values()))) if arrays else 4
    return DepthStore(write_unlabelled("a.zarr", count=count, **arrays))


@pytest.mark.parametrize(
    ("arrays", "starts"),
    [
        ({}, [0]),
        ({"frame": [0, 1, 2, 3]}, [0]),
        ({"frame": [7, 8, 10, 11]}, [0, 2]),
        ({"sequence": [3, 3, 1, 1]}, [0, 2]),
        ({"sequence": [0, 0, 1, 1, 1], "frame": [4, 5, 6, 7, 9]}, [0, 2, 4]),
        ({"sequence": [0, 1, 0, 1], "frame": [0, 0, 1, 1]}, [0, 1, 2, 3]),
        ({"sequence": [0, 1, 0]}, [0, 1, 2]),
    ],
)
def test_a_sequence_begins_where_time_or_number_jump(arrays, starts):
    found = starts_of(store(**arrays))
    assert found.dtype == np.bool_
    assert np.flatnonzero(found).tolist() == starts


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"frame": [0, 1, 1]}, "found frame 1 of sequence 0 as item 1 and frame 1 of it as item 2"),
        ({"frame": [2, 1, 0]}, "found frame 2 of sequence 0 as item 0 and frame 1 of it as item 1"),
        (
            {"sequence": [5, 6, 5], "frame": [3, 4, 3]},
            "found frame 3 of sequence 5 as item 0 and frame 3 of it as item 2",
        ),
        (
            {"sequence": [0, 0, 1, 0], "frame": [4, 5, 0, 2]},
            "frame 5 of sequence 0 as item 1 and frame 2 of it as item 3",
        ),
    ],
)
def test_a_store_in_no_order_is_refused(arrays, message):
    with pytest.raises(StoreError, match=message):
        starts_of(store(**arrays))


def test_an_empty_store_is_refused(monkeypatch):
    monkeypatch.setattr(DepthStore, "_check_finite", lambda _: None)  # stumbles over no items
    with pytest.raises(StoreError, match="a.zarr holds no items"):
        starts_of(DepthStore(write_unlabelled("a.zarr", count=0)))


def test_every_map_has_a_source():
    assert sources_of(store())[:2] == ["a.zarr/0", "a.zarr/1"]
    named = write_unlabelled("b.zarr", count=2, source=np.array(["x.png", "y.png"], object))
    assert sources_of(DepthStore(named)) == ["x.png", "y.png"]
