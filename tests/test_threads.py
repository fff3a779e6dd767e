"""Ranges that threads share out."""

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st
from threadpoolctl import threadpool_info, threadpool_limits

from refiner.threads import MOST_THREADS, map_frames, map_ranges, threads


@given(st.integers(0, 100))
def test_ranges_make_up_all_frames_in_order(count):
    found = map_ranges(lambda start, stop: list(range(start, stop)), count)
    assert [frame for part in found for frame in part] == list(range(count))


def test_results_come_in_the_order_of_the_frames():
    first_waits = threading.Event()

    def one(frame: int) -> int:
        if frame == 0 and threads() > 1:
            assert first_waits.wait(10)
        first_waits.set()
        return frame * frame

    assert map_frames(one, range(5)) == [0, 1, 4, 9, 16]
    assert map_frames(one, []) == []


@pytest.mark.parametrize("count", [3, 100])
def test_the_first_error_is_raised(count):
    def refuse(start: int, stop: int) -> None:
        raise ValueError(f"found {start} to {stop}")

    with pytest.raises(ValueError, match="found 0 to"):
        map_ranges(refuse, count)


def test_few_frames_are_worked_on_at_once():
    def work(start: int, stop: int) -> tuple[int, int, bool]:
        return start, stop, threading.current_thread() is here

    here = threading.current_thread()
    assert map_ranges(work, 16) == [(0, 16, True)]
    assert 1 <= threads() <= MOST_THREADS


def test_blas_works_with_one_thread_meanwhile():
    def blas_threads(_frame: int = 0) -> list[int]:
        return [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]

    with threadpool_limits(2, user_api="blas"):
        assert max(blas_threads()) == 2
        assert map_frames(lambda frame: max(blas_threads(frame)), range(3)) == [1, 1, 1]
        assert max(blas_threads()) == 2
