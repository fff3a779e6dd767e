import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from refiner.simgan.history import RefinedHistory


def numbered(first, count=8):
    """Maps whose value is their number."""
    return torch.arange(first, first + count, dtype=torch.float32).view(-1, 1, 1, 1).expand(-1, 1, 2, 2)


def numbers(maps):
    return [int(m) for m in maps[:, 0, 0, 0]]


def exchange(history, maps):
    """Exchange maps whose distance is their number and a half; what comes back must still fit together."""
    mixed, distance_mm = history.exchange(maps, maps[:, 0, 0, 0] + 0.5)
    assert torch.equal(distance_mm, mixed[:, 0, 0, 0] + 0.5)
    return numbers(mixed)


def filled(capacity=16, seed=0):
    history = RefinedHistory(capacity, seed)
    for update in range(100):
        exchange(history, numbered(8 * update))
    return history


def test_first_batch_comes_back_whole_and_half_of_it_is_kept():
    history = RefinedHistory(16, seed=0)
    assert exchange(history, numbered(0)) == list(range(8))
    kept = numbers(history.state_dict()["maps"])
    assert len(history) == len(kept) == 4
    assert set(kept) < set(range(8))


def test_it_fills_to_its_capacity_and_no_further():
    history = RefinedHistory(10, seed=0)
    fills = []
    for update in range(5):
        exchange(history, numbered(8 * update))
        fills.append(history.fill)
    assert fills == [0.4, 0.8, 1.0, 1.0, 1.0]


def test_half_of_a_batch_is_older_and_half_is_current():
    history = filled()
    mixed = exchange(history, numbered(800))
    assert mixed[:4] == [800, 801, 802, 803]
    assert all(number < 800 for number in mixed[4:])
    assert len(set(mixed)) == 8


def test_it_is_sampled_before_it_is_changed():
    history = filled(capacity=4)
    before = set(numbers(history.state_dict()["maps"]))
    assert set(exchange(history, numbered(900))[4:]) == before


def test_sampled_places_and_replaced_places_differ_from_update_to_update():
    history = filled(capacity=32)
    before = history.state_dict()["maps"][:, 0, 0, 0]
    halves, touched = set(), torch.zeros(32, dtype=torch.bool)
    for update in range(30):
        halves.add(tuple(sorted(exchange(history, numbered(1000 + 8 * update))[4:])))
        now = history.state_dict()["maps"][:, 0, 0, 0]
        assert (now != before).sum() == 4  # b/2 are replaced, no more and no fewer
        touched |= now != before
        before = now
    assert len(halves) == 30  # not always the same half
    assert touched.sum() > 25  # nor always the same places


def test_every_map_of_a_batch_can_be_remembered():
    remembered = {numbers(h.state_dict()["maps"])[0] for h in map(first_update, range(60))}
    assert remembered == set(range(8))


def first_update(seed):
    history = RefinedHistory(16, seed)
    exchange(history, numbered(0))
    return history


def test_state_goes_on_exactly():
    history = filled()
    state = history.state_dict()
    again = RefinedHistory(16, seed=99)
    again.load_state_dict(state)
    for update in range(5):
        new = numbered(2000 + 8 * update)
        assert exchange(history, new) == exchange(again, new)
    assert torch.equal(history.state_dict()["maps"], again.state_dict()["maps"])
    assert torch.equal(state["maps"], filled().state_dict()["maps"])  # a copy: later updates do not change it


def test_state_of_a_part_filled_and_of_an_empty_history():
    for updates in (0, 1):
        history = RefinedHistory(16, seed=3)
        for _ in range(updates):
            exchange(history, numbered(0))
        again = RefinedHistory(16, seed=4)
        again.load_state_dict(history.state_dict())
        assert len(again) == len(history)
        assert exchange(again, numbered(50)) == exchange(history, numbered(50))


def test_a_smaller_history_takes_what_fits():
    small = RefinedHistory(5, seed=0)
    small.load_state_dict(filled().state_dict())
    assert small.fill == 1


def test_maps_with_a_graph_are_refused():
    with pytest.raises(ValueError, match="detach"):
        RefinedHistory(4, 0).exchange(torch.zeros(2, 1, 2, 2, requires_grad=True), torch.zeros(2))


def test_maps_of_another_size_are_refused():
    history = first_update(0)
    with pytest.raises(ValueError, match="holds maps of shape"):
        history.exchange(torch.zeros(4, 1, 3, 3), torch.zeros(4))


def test_no_capacity_means_no_history():
    history = RefinedHistory(0, 0)
    for _ in range(3):
        assert exchange(history, numbered(0)) == list(range(8))
    assert history.fill == 0
    with pytest.raises(ValueError, match="wanted >= 0"):
        RefinedHistory(-1, 0)


def test_it_does_not_touch_the_global_generator():
    torch.manual_seed(0)
    state = torch.get_rng_state()
    filled()
    assert torch.equal(torch.get_rng_state(), state)


@settings(max_examples=50, deadline=None)
@given(capacity=st.integers(0, 12), batches=st.lists(st.integers(1, 9), max_size=12), seed=st.integers(0, 9))
def test_size_is_bounded_and_batches_keep_their_length(capacity, batches, seed):
    history, first = RefinedHistory(capacity, seed), 0
    for count in batches:
        before = len(history)
        mixed = exchange(history, numbered(first, count))
        assert len(mixed) == len(set(mixed)) == count
        assert sum(number < first for number in mixed) == min(count // 2, before, capacity)
        assert before <= len(history) <= capacity
        first += count
