"""Divisions by hand. Frames count from 0 in each sequence."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from refiner.realism import runs
from refiner.realism.runs import (
    ASKED,
    GAP_FRAMES,
    LEARNT,
    LEFT_OUT,
    MOST_LOST,
    apart,
    by_sequence,
    by_time,
    clusters,
    learnable,
    short_runs,
    stretches,
)
from refiner.realism.timeline import Timeline


def frames(*lengths):
    """Sequences of so many frames, one after the other."""
    return Timeline(
        np.repeat(np.arange(len(lengths)), lengths), np.concatenate([np.arange(length) for length in lengths])
    )


def items_of(roles):
    return tuple(np.flatnonzero(roles == role).tolist() for role in (LEARNT, LEFT_OUT, ASKED))


@pytest.mark.parametrize(
    ("shift", "learnt", "left_out", "asked"),
    [
        # Two blocks of 50 hands, the cut moved by a tenth of a block to hand 45: ten frames go on either side, but of
        # the asked about only five are in the sequence that is cut.
        (0.1, range(35), range(35, 50), range(50, 100)),
        # To hand 55, which is frame 5 of the second sequence: five frames before it and ten from it on.
        (-0.1, range(50), range(50, 65), range(65, 100)),
        (0.0, range(50), [], range(50, 100)),  # between the sequences, where nothing need be left out
    ],
)
def test_a_hundred_frames_in_two_sequences(monkeypatch, shift, learnt, left_out, asked):
    monkeypatch.setattr(runs, "_shift", lambda _seed: shift)
    division = apart(frames(50, 50), seed=0)
    assert items_of(division.roles) == (list(learnt), list(left_out), list(asked))
    assert division.gap_frames == (20 if len(left_out) else None)
    swapped = apart(frames(50, 50), seed=1)
    assert items_of(swapped.roles) == (list(asked), list(left_out), list(learnt))


def test_a_short_set_gives_up_a_quarter_at_most_and_says_how_long_its_gap_is(monkeypatch):
    """Of 60 frames a gap of 20 would be a third: it is 14, seven on either side, since eight would be too many."""
    monkeypatch.setattr(runs, "_shift", lambda _seed: 0.0)
    division = by_time(frames(60), seed=0)
    assert items_of(division.roles) == (list(range(23)), list(range(23, 37)), list(range(37, 60)))
    assert division.gap_frames == 14


def test_a_long_sequence_is_cut_where_gaps_are_a_quarter_of_it(monkeypatch):
    """Of 400 frames 100 may be left out: five gaps between six blocks of 67 frames, of which 47 or 57 are left."""
    monkeypatch.setattr(runs, "_shift", lambda _seed: 0.0)
    division = by_time(frames(400), seed=0)
    learnt, left_out, asked = items_of(division.roles)
    assert len(left_out) == 100
    assert len(learnt) == len(asked) == 150
    assert learnt[:58] == [*range(57), 144]
    assert asked[0] == 77


def test_sequences_are_kept_whole_where_there_are_enough_of_them():
    division = apart(frames(50, 30, 20, 20), seed=0)
    # The largest first, then whatever makes both sides equal: 50, and 30 with one of 20; the last goes to either side.
    learnt, left_out, asked = items_of(division.roles)
    assert left_out == []
    assert division.gap_frames is None
    assert set(range(50)) <= set(learnt)
    assert set(range(50, 80)) <= set(asked)
    assert sorted((len(learnt), len(asked))) == [50, 70]
    assert set(range(50)) <= set(items_of(apart(frames(50, 30, 20, 20), seed=1).roles)[2])
    assert apart(frames(90, 30, 20, 20), seed=0).gap_frames == 20  # one has more than half of all


def test_drawn_hands_are_divided_in_blocks_of_neighbours():
    roles = apart(Timeline(np.arange(400), np.zeros(400, np.int64)), seed=3).roles
    blocks = roles.reshape(40, 10)
    assert (blocks == blocks[:, :1]).all()
    assert (blocks[:, 0] == LEARNT).sum() == 20


@given(
    lengths=st.lists(st.integers(2, 90), min_size=1, max_size=6),
    renders=st.integers(1, 3),
    seed=st.integers(0, 5),
)
def test_no_hand_is_on_both_sides_and_gaps_are_kept(lengths, renders, seed):
    one = frames(*lengths)
    timeline = Timeline(np.tile(one.sequence, renders), np.tile(one.frame, renders))
    for divide in (by_time, by_sequence, apart):
        division = divide(timeline, seed)
        rounds = division.roles.reshape(renders, -1)
        assert (rounds == rounds[:1]).all()
        assert (rounds[0] == LEFT_OUT).mean() <= MOST_LOST
        gap = division.gap_frames if division.gap_frames is not None else np.inf
        for learnt in np.flatnonzero(rounds[0] == LEARNT):
            same = (one.sequence == one.sequence[learnt]) & (rounds[0] == ASKED)
            assert (np.abs(one.frame[same] - one.frame[learnt]) > gap).all()


def test_a_recording_that_goes_on_in_the_asked_set_is_not_learnt_from_to_its_end():
    """Frames 0 to 131 may be learnt from, 132 to 219 are asked about: 112 to 131 are the gap."""
    learn, asked = Timeline(np.zeros(132, int), np.arange(132)), Timeline(np.zeros(88, int), np.arange(132, 220))
    division = learnable(learn, asked)
    assert items_of(division.roles) == (list(range(112)), list(range(112, 132)), [])
    assert division.gap_frames == GAP_FRAMES
    assert learnable(learn, Timeline(asked.sequence + 1, asked.frame)).gap_frames is None
    short = learnable(learn[np.arange(112, 132)], asked)  # a quarter of twenty frames
    assert short.gap_frames == (short.roles == LEFT_OUT).sum() == 5
    # Every other frame is asked about: no gap can be left, but the hands that both show are.
    division = learnable(learn, Timeline(np.zeros(66, int), np.arange(0, 132, 2)))
    assert items_of(division.roles) == (list(range(1, 132, 2)), list(range(0, 132, 2)), [])
    assert division.gap_frames == 0


def test_stretches_of_the_control_reach_over_the_borders():
    """From the middle of each block to the middle of the next: frames 0-1, 2-7, 8-13, 14-15."""
    roles = np.array([LEARNT] * 4 + [LEFT_OUT] * 2 + [ASKED] * 4 + [LEFT_OUT] * 2 + [LEARNT] * 4)
    kept = roles != LEFT_OUT
    wanted = np.array([0] * 2 + [1] * 6 + [2] * 6 + [3] * 2)
    assert stretches(frames(16), roles)[kept].tolist() == wanted[kept].tolist()
    # In whatever order items stand, and however many show a hand.
    order = np.random.default_rng(0).permutation(np.tile(np.arange(16), 2))
    numbers = stretches(frames(16)[order], roles[order])
    assert numbers[kept[order]].tolist() == wanted[order][kept[order]].tolist()


def test_runs_are_sequences_where_there_are_enough_of_them_and_else_as_long_as_a_gap():
    short = clusters(frames(45, 10))
    assert np.unique(short, return_counts=True)[1].tolist() == [20, 20, 5, 10]
    whole = clusters(frames(45, 30, 25, 25))
    assert np.unique(whole, return_counts=True)[1].tolist() == [45, 30, 25, 25]
    assert len(np.unique(short_runs(frames(45, 30, 25, 25)))) == 3 + 2 + 2 + 2
