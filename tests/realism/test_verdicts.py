import numpy as np
import pytest
from fakes import write_balls, write_maps

from refiner.datasets.store import DepthStore
from refiner.realism import classifier, runs, verdicts
from refiner.realism.report import KNOWN_AGAIN
from refiner.realism.timeline import Placed, Timeline, place
from refiner.realism.verdicts import LEVELS, Effort, Shown, Side, rounds_for, verdict_on

QUICK = Effort(maps=40, patches=120, most_epochs=2)


def placed(store):
    return place((store,))[0][0]


def side(name, count, **more):
    write_balls(name, count=count, size=32, unit_mm=1.0, noisy=True)
    return Side(placed(DepthStore(name)), 1.0, **more)


def test_what_is_learnt_from_and_what_is_asked_about_are_a_gap_apart():
    """Eighty maps that nothing is known of count as one sequence; a gap of twenty frames is a quarter of them."""
    train, test = side("real.zarr", 80).split(QUICK, 0)
    assert len(train.items) + len(test.items) == 60
    assert min(test.items) - max(train.items) == 21
    assert side("same.zarr", 80).counts(0) == {
        "learnt": len(train.items), "left_out": 20, "asked": len(test.items), "gap_frames": 20,
    }  # fmt: skip
    assert np.unique(test.runs).tolist() == np.unique(test.items // 20).tolist()


def test_a_small_set_gives_as_many_patches_as_are_wanted():
    """From 88 maps of 64 px 1,700 had been cut where 6,000 were asked for; with those renders passed for real."""
    depth = np.full((3, 64, 64), 600, np.float32)
    shown = Shown(depth, np.array([4, 7, 9]), np.array([1, 1, 2]))
    cut = LEVELS["patches"](shown, Effort(patches=1500), 0)
    assert len(cut.pictures) >= 1500
    assert np.unique(cut.owners, return_counts=True)[1].tolist() == [len(cut.pictures) // 3] * 3
    assert np.unique(cut.owners).tolist() == [4, 7, 9]
    assert (cut.runs == np.where(cut.owners == 9, 2, 1)).all()
    few = LEVELS["patches"](shown, Effort(patches=30), 0)
    assert len(few.pictures) == 30


def test_halves_of_a_set_share_no_map_and_leave_none():
    whole = side("real.zarr", 80)
    halves = [Side(whole.asked, 1.0, half=number) for number in (0, 1)]
    for part in (0, 1):
        items = [half.split(QUICK, 3)[part].items for half in halves]
        assert sorted([*items[0], *items[1]]) == whole.split(QUICK, 3)[part].items.tolist()


def test_of_several_maps_refined_from_one_render_one_is_shown():
    refined = side("refined.zarr", 120, variants=3)
    train, test = refined.split(QUICK, 0)
    assert (train.items % 3 == 0).all()
    assert (test.items % 3 == 0).all()
    assert not set(train.items) & set(test.items)


def test_maps_are_changed_before_they_are_shown():
    real = side("real.zarr", 80)
    deeper = Side(real.asked, 1.0, change=lambda depth_mm: depth_mm + 5)
    np.testing.assert_array_equal(deeper.split(QUICK, 0)[1].depth_mm, real.split(QUICK, 0)[1].depth_mm + 5)


def test_where_there_are_other_sequences_they_are_learnt_from_and_the_whole_set_is_asked_about():
    sets = [
        write_balls(f"{name}.zarr", count=count, size=32, unit_mm=1.0)
        for name, count in (("asked", 24), ("learnt", 60))
    ]
    (asked,), (learn,) = place(*((DepthStore(path),) for path in sets))
    both = Side(asked, 1.0, variants=2, learn=learn)
    train, test = both.split(QUICK, 0)
    assert train.items.tolist() == list(range(0, 60, 2))
    assert test.items.tolist() == list(range(0, 24, 2))
    np.testing.assert_array_equal(train.depth_mm, DepthStore("learnt.zarr").read("depth")[::2])
    assert both.tested(QUICK) == 12
    halves = [Side(asked, 1.0, half=number, learn=learn).split(QUICK, 0) for number in (0, 1)]
    for part, count in ((0, 60), (1, 24)):
        items = [*halves[0][part].items, *halves[1][part].items]
        assert len(set(items)) == len(items) == count


HELD = np.repeat([0, 1, 2, 3, 4], [30, 60, 60, 60, 30])
"""240 maps are cut at 60, 120 and 180. A surface lasts over each of the cuts, as when a hand holds still."""


def write_creased(name, surfaces, seed):
    """Write planes of 32 px, each with one of some rough surfaces, of 1.5 mm."""
    relief = np.random.default_rng(seed).normal(0, 1.5, (max(surfaces) + 1, 32, 32))
    return DepthStore(write_maps(name, 700 + relief[surfaces]))


@pytest.fixture
def quick_classifiers(monkeypatch):
    monkeypatch.setattr(classifier, "_FEWEST_EPOCHS", 6)
    monkeypatch.setattr(classifier, "_FEWEST_UPDATES", 10)
    monkeypatch.setattr(verdicts, "MOST_ROUNDS", 1)
    monkeypatch.setattr(runs, "_shift", lambda _seed: 0.0)
    return Effort(maps=120, patches=240, most_epochs=6)


def test_a_surface_that_is_known_again_is_told_from_others_of_its_kind_unless_sequences_are_kept_apart(
    quick_classifiers,
):
    """Both sets are as rough; in one a surface lasts, so that it is learnt and asked about, over the gap."""
    held, other_held = (write_creased(f"held{seed}.zarr", HELD, seed) for seed in (1, 2))
    free, other_free = (write_creased(f"free{seed}.zarr", np.arange(240), seed) for seed in (3, 4))
    together = [Side(placed(store), 1.0) for store in (held, free)]
    assert verdict_on(*together, "patches", quick_classifiers, 0).accuracy > 0.7
    asked, learn = place((held, free), (other_held, other_free))
    apart = [Side(one, 1.0, learn=other) for one, other in zip(asked, learn, strict=True)]
    assert verdict_on(*apart, "patches", quick_classifiers, 0).accuracy < 0.65


@pytest.mark.parametrize(
    ("surfaces", "told"),
    [(HELD, True), (np.arange(240) // 10, False)],  # a surface of ten maps does not last over a gap
    ids=["held", "moving"],
)
def test_the_control_sees_leakage_and_one_that_is_drawn_map_by_map_does_not(
    monkeypatch, quick_classifiers, surfaces, told
):
    real = placed(write_creased("real.zarr", surfaces, 1))
    sides = [Side(real, 1.0, half=half) for half in (0, 1)]
    control = verdict_on(*sides, "patches", quick_classifiers, 0)
    known_again = control.accuracy > KNOWN_AGAIN and control.ci95[0] > 0.5
    assert known_again == told
    assert (control.accuracy > 0.8) == told
    lot = np.random.default_rng(0).integers(0, 2, len(surfaces))
    monkeypatch.setattr(verdicts, "stretches", lambda *_: lot)
    assert verdict_on(*sides, "patches", quick_classifiers, 0).accuracy == pytest.approx(0.5, abs=0.08)


def test_a_leak_over_the_end_of_a_set_that_is_learnt_from_is_seen(quick_classifiers):
    """Frames of one folder in two sets, fifteen each in turn, and a surface lasts over each end of them.

    Of eight blocks to learn from all but the last lose two frames at either end, thirty of 120, and no more may go.
    """
    maps = write_creased("all.zarr", (np.arange(240) + 7) // 15, 1).read("depth").astype(np.float32)
    names = np.array([f"{number:03}.png" for number in range(240)])
    turn = np.arange(240) // 15 % 2
    sets = [DepthStore(write_maps(f"{k}.zarr", maps[turn == k], source=names[turn == k].tolist())) for k in (0, 1)]
    (asked,), (learn,) = place((sets[0],), (sets[1],))
    sides = [Side(asked, 1.0, half=half, learn=learn) for half in (0, 1)]
    assert Side(asked, 1.0, learn=learn).counts(0)["gap_frames"] == 2
    assert verdict_on(*sides, "patches", quick_classifiers, 0).accuracy > 0.6


@pytest.mark.parametrize(("hands", "wanted"), [(40, 3), (88, 3), (160, 2), (240, 1), (4000, 1)])
def test_small_sets_are_judged_in_several_rounds(hands, wanted):
    """A round asks about half of drawn hands; 120 are enough."""
    times = [Timeline(np.arange(count), np.zeros(count, np.int64)) for count in (hands, 5000)]
    few, many = (Side(Placed(None, time, np.arange(len(time))), 1.0) for time in times)
    assert rounds_for(few, many, Effort()) == rounds_for(many, few, Effort()) == wanted


def test_rounds_split_the_maps_anew_and_are_told_one_by_one(monkeypatch):
    monkeypatch.setattr(classifier, "_FEWEST_UPDATES", 2)
    monkeypatch.setattr(verdicts, "ENOUGH_MAPS", 40)
    first, second = side("first.zarr", 80), side("second.zarr", 80)
    told = verdict_on(first, second, "patches", QUICK, 0)
    assert len(told.by_round) == len(told.epochs) == 2
    asked = [set(first.split(QUICK, seed)[1].items) for seed in (0, 1001)]
    assert len(asked[0] & asked[1]) == 0
    assert set(told.owners[0]) == asked[0] | asked[1]
