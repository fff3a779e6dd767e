import itertools

import numpy as np
import pytest
import torch

from refiner.realism import classifier
from refiner.realism.classifier import Sample, Verdict, pooled, tell_apart


def sample(maps, seed, noise=0.0, per_map=4):
    """Smooth pictures, with white noise on top where wanted."""
    rng = np.random.default_rng(seed)
    ramp = np.linspace(-1, 1, 16, dtype=np.float32)
    pictures = rng.uniform(-1, 1, (maps * per_map, 2, 1, 1)) * ramp + rng.normal(0, noise, (maps * per_map, 2, 16, 16))
    return independent(pictures.astype(np.float32), np.repeat(np.arange(maps), per_map))


def independent(pictures, owners):
    """Each map is a run of its own."""
    return Sample(pictures, owners, owners)


def test_different_noise_is_told_and_the_same_is_not():
    torch.set_num_threads(1)
    quiet = sample(100, 0), sample(100, 1)
    noisy = sample(100, 2, 0.2), sample(100, 3, 0.2)
    told = tell_apart((quiet[0], noisy[0]), (quiet[1], noisy[1]), most_epochs=4)
    assert told.accuracy > 0.97
    assert told.pictures == (400, 400)
    same = tell_apart((noisy[0], sample(100, 4, 0.2)), (noisy[1], sample(100, 5, 0.2)), most_epochs=4)
    assert 0.43 < same.accuracy < 0.57
    assert same.ci95[0] <= same.accuracy <= same.ci95[1]


def test_a_millimetre_of_noise_is_told_by_its_correlation():
    """Both sets have the same deviation, a twentieth of the finer scale; without slopes they counted as alike."""

    def noisy(seed, maps=150):
        smooth = sample(maps, seed).pictures
        noise = np.random.default_rng((seed, 1)).normal(0, 0.05, (len(smooth), 1, 17, 16))
        if seed % 2:
            noise = (noise[:, :, 1:] + noise[:, :, :-1]) / 2**0.5
        return independent((smooth + noise[:, :, :16]).astype(np.float32), np.repeat(np.arange(maps), 4))

    torch.set_num_threads(1)
    assert tell_apart((noisy(0), noisy(1)), (noisy(2), noisy(3)), most_epochs=8).accuracy > 0.9


def test_the_seed_gives_the_same_verdict_and_leaves_the_global_one_alone():
    parts = (sample(20, 0), sample(20, 1, 0.05)), (sample(20, 2), sample(20, 3, 0.05))
    state = torch.get_rng_state()
    a, b = (tell_apart(*parts, seed=3, most_epochs=2) for _ in range(2))
    assert a.accuracy == b.accuracy
    np.testing.assert_array_equal(a.scores[0], b.scores[0])
    assert torch.equal(state, torch.get_rng_state())


def test_sets_of_different_sizes_weigh_the_same():
    few, many = sample(10, 0), sample(200, 1)
    verdict = tell_apart((few, many), (sample(10, 2), sample(200, 3)), most_epochs=3)
    assert 0.3 < verdict.accuracy < 0.7  # naming all "many" would be right 95 times in 100 pictures, but gives 0.5


def test_an_empty_set_is_an_error():
    empty = independent(np.zeros((0, 2, 16, 16), np.float32), np.zeros(0, np.int64))
    with pytest.raises(ValueError, match="no picture to compare"):
        tell_apart((sample(4, 0), empty), (sample(4, 1), sample(4, 2)))


def test_pictures_of_one_map_alone_are_an_error():
    lonely = independent(np.zeros((3, 2, 16, 16), np.float32), np.zeros(3, np.int64))
    with pytest.raises(ValueError, match="of one map alone to learn from"):
        tell_apart((sample(4, 0), lonely), (sample(4, 1), sample(4, 2)))


def test_few_pictures_are_looked_at_often_enough_to_be_told_apart():
    """Twelve maps are one update an epoch: four of those without a better loss had counted as a plateau."""
    parts = (sample(12, 0, per_map=1), sample(12, 1, 0.3, per_map=1)), (sample(60, 2), sample(60, 3, 0.3))
    assert tell_apart(*parts, most_epochs=8).accuracy > 0.9


def test_no_plateau_is_called_while_noise_may_still_be_found(monkeypatch: pytest.MonkeyPatch):
    """Four epochs without a better loss came at the start of one training in three, and counted as chance."""
    monkeypatch.setattr(classifier, "_FEWEST_UPDATES", 1)
    alike = [sample(10, seed, 0.2) for seed in range(4)]
    assert 16 <= tell_apart((alike[0], alike[1]), (alike[2], alike[3])).epochs[0] < 60
    assert tell_apart((alike[0], alike[1]), (alike[2], alike[3]), most_epochs=3).epochs == (3,)


def test_the_weights_that_name_most_rightly_are_taken(monkeypatch: pytest.MonkeyPatch):
    """The third of five epochs; each leaves its number in the last layer's bias, and scores show that."""
    right_of_epoch, epochs = [0.5, 0.6, 0.9, 0.7, 0.9], itertools.count(1)

    def fit(network, *_):
        with torch.no_grad():
            network[-1].bias.fill_(next(epochs))

    monkeypatch.setattr(classifier, "_fit", fit)
    monkeypatch.setattr(classifier, "_scores", lambda network, some: np.full(len(some), network[-1].bias.item()))
    monkeypatch.setattr(classifier, "_accuracy", lambda scores: right_of_epoch[round(scores[0][0]) - 1])
    pictures = sample(50, 0)
    verdict = tell_apart((pictures, pictures), (pictures, pictures), most_epochs=5)
    assert verdict.epochs == (5,)
    assert verdict.scores[0][0] == 3


def test_the_answers_of_several_rounds_count_as_one():
    """Of the first set's four pictures three are named rightly, of the second's three two: (3/4 + 2/3) / 2."""
    scores = ([1.0, -1.0], [-1.0, -2.0]), ([2.0, 3.0], [4.0])
    owners = ([0, 1], [5, 6]), ([1, 2], [6])
    rounds = [
        Verdict(
            accuracy,
            (0, 1),
            (2, len(s[1])),
            (2, len(o[1])),
            (epochs,),
            (accuracy,),
            *([*map(np.array, x)] for x in (s, o, o)),
        )
        for accuracy, epochs, s, o in zip((0.75, 0.5), (16, 17), scores, owners, strict=True)
    ]
    assert pooled(rounds[:1]) is rounds[0]
    verdict = pooled(rounds)
    assert verdict.accuracy == pytest.approx((3 / 4 + 2 / 3) / 2)
    assert (verdict.pictures, verdict.epochs, verdict.by_round) == ((4, 3), (16, 17), (0.75, 0.5))
    assert verdict.owners[0].tolist() == verdict.runs[0].tolist() == [0, 1, 1, 2]
    assert verdict.runs_tested == (3, 2)
    assert verdict.ci95[0] <= verdict.accuracy <= verdict.ci95[1]


def interval_of(right, runs, seed=0):
    return classifier._interval([np.array(part, bool) for part in right], [np.array(part) for part in runs],
                                np.random.default_rng(seed))  # fmt: skip


def test_an_interval_of_two_runs_by_hand():
    """Of the first set one run of fifty maps is named rightly and the other is not; of the second all are.

    Two draws of two runs: both right (1/4), one of each (1/2), both wrong (1/4), so that the first set's share is 1,
    1/2 or 0 and the accuracy 1, 3/4 or 1/2. Resampled by maps it had been 0.70 to 0.80.
    """
    first = np.repeat([True, False], 50)
    assert interval_of([first, [True] * 100], [np.repeat([0, 1], 50), np.repeat([2, 3], 50)]) == (0.5, 1.0)


def test_a_run_that_both_sets_show_is_drawn_for_both():
    """Camera maps of run 0 and renders of run 1 are named rightly: whatever is drawn, half of all are."""
    runs = np.repeat([0, 1], 50)
    assert interval_of([runs == 0, runs == 1], [runs, runs]) == (0.5, 0.5)
    assert interval_of([runs == 0, runs == 1], [runs, runs + 2]) == (0.0, 1.0)


def test_of_one_run_nothing_can_be_said():
    assert interval_of([[True] * 50, [True] * 50], [[0] * 50, np.arange(50)]) == (0.0, 1.0)


def test_what_decides_when_to_stop_is_of_other_runs_than_what_is_learnt():
    """Of ten runs of twenty maps with three pictures two are held out, whole."""
    owners = np.repeat(np.arange(200), 3)
    pictures = Sample(np.zeros((600, 2, 16, 16), np.float32), owners, owners // 20)
    held = classifier._hold_out(pictures, np.random.default_rng(0))
    assert held.sum() == 120
    assert len(np.unique(pictures.runs[held])) == 2
    one = Sample(pictures.pictures, owners, np.zeros(600, int))  # one run alone: a fifth of its maps
    assert classifier._hold_out(one, np.random.default_rng(0)).sum() == 120
