import numpy as np
import pytest
from fakes import write_balls, write_maps

from refiner.datasets.store import DepthStore
from refiner.realism import classifier, verdicts
from refiner.realism.maps import in_blocks
from refiner.realism.verdicts import LEVELS, Effort, Shown, Side, rounds_for, verdict_on

QUICK = Effort(maps=40, patches=120, most_epochs=2)


def side(name, count, **more):
    write_balls(name, count=count, size=32, unit_mm=1.0, noisy=True)
    return Side(DepthStore(name), 1.0, **more)


def test_training_and_testing_never_share_a_block():
    train, test = in_blocks(400, 100, seed=1)
    assert len(train) == len(test) == 100
    assert not set(train // 10) & set(test // 10)


def test_a_small_set_gives_as_many_patches_as_are_wanted():
    """From 88 maps of 64 px 1,700 had been cut where 6,000 were asked for; with those renders passed for real."""
    depth = np.full((3, 64, 64), 600, np.float32)
    shown = Shown(depth, np.array([4, 7, 9]))
    cut = LEVELS["patches"](shown, Effort(patches=1500), 0)
    assert len(cut.pictures) >= 1500
    assert np.unique(cut.owners, return_counts=True)[1].tolist() == [len(cut.pictures) // 3] * 3
    assert np.unique(cut.owners).tolist() == [4, 7, 9]
    few = LEVELS["patches"](shown, Effort(patches=30), 0)
    assert len(few.pictures) == 30


def test_halves_of_a_set_share_no_map_and_leave_none():
    whole = side("real.zarr", 80)
    halves = [Side(whole.store, 1.0, half=number) for number in (0, 1)]
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
    deeper = Side(real.store, 1.0, change=lambda depth_mm: depth_mm + 5)
    np.testing.assert_array_equal(deeper.split(QUICK, 0)[1].depth_mm, real.split(QUICK, 0)[1].depth_mm + 5)


def test_where_there_are_other_sequences_they_are_learnt_from_and_the_whole_set_is_asked_about():
    asked = side("asked.zarr", 24, variants=2)
    learnt = write_balls("learnt.zarr", count=60, size=32, unit_mm=1.0, seed=7)
    both = Side(asked.store, 1.0, variants=2, learn=DepthStore(learnt))
    train, test = both.split(QUICK, 0)
    assert train.items.tolist() == list(range(0, 60, 2))
    assert test.items.tolist() == list(range(0, 24, 2))
    np.testing.assert_array_equal(train.depth_mm, DepthStore(learnt).read("depth")[::2])
    assert both.tested(QUICK) == 12
    halves = [Side(asked.store, 1.0, half=number, learn=DepthStore(learnt)).split(QUICK, 0) for number in (0, 1)]
    for part, count in ((0, 40), (1, 24)):
        items = [*halves[0][part].items, *halves[1][part].items]
        assert len(set(items)) == len(items) == count


def write_creased(name, surfaces, seed):
    """Write planes of 32 px, each with one of some rough surfaces, of 1.5 mm, in runs of equal ones."""
    relief = np.random.default_rng(seed).normal(0, 1.5, (surfaces, 32, 32))
    depth_mm = 700 + np.repeat(relief, 80 // surfaces, axis=0)
    return DepthStore(write_maps(name, depth_mm))


def test_a_surface_that_is_known_again_is_told_from_others_of_its_kind_unless_sequences_are_kept_apart(monkeypatch):
    """Both sets are as rough; in one a surface lasts for 40 maps, as when a hand holds still."""
    monkeypatch.setattr(classifier, "_FEWEST_EPOCHS", 6)
    monkeypatch.setattr(classifier, "_FEWEST_UPDATES", 10)
    effort = Effort(maps=80, patches=240, most_epochs=6)
    held, learnt_held = write_creased("held.zarr", 2, 1), write_creased("learnt_held.zarr", 2, 2)
    free, learnt_free = write_creased("free.zarr", 80, 3), write_creased("learnt_free.zarr", 80, 4)
    sides = (Side(held, 1.0), Side(free, 1.0))
    apart = (Side(held, 1.0, learn=learnt_held), Side(free, 1.0, learn=learnt_free))
    assert verdict_on(*sides, "patches", effort, 0).accuracy > 0.9
    assert verdict_on(*apart, "patches", effort, 0).accuracy < 0.65


@pytest.mark.parametrize(("maps", "wanted"), [(40, 3), (88, 3), (160, 2), (240, 1), (4000, 1)])
def test_small_sets_are_judged_in_several_rounds(maps, wanted):
    """A round asks about half of the maps; 120 are enough."""
    few, many = (Side([None] * count, 1.0) for count in (maps, 5000))
    assert rounds_for(few, many, Effort()) == rounds_for(many, few, Effort()) == wanted


def test_rounds_split_the_maps_anew_and_are_told_one_by_one(monkeypatch):
    monkeypatch.setattr(classifier, "_FEWEST_UPDATES", 2)
    monkeypatch.setattr(verdicts, "ENOUGH_MAPS", 60)
    first, second = side("first.zarr", 80), side("second.zarr", 80)
    told = verdict_on(first, second, "patches", QUICK, 0)
    assert len(told.by_round) == len(told.epochs) == 2
    asked = [set(first.split(QUICK, seed)[1].items) for seed in (0, 1000)]
    assert asked[0] != asked[1]
    assert set(told.owners[0]) == asked[0] | asked[1]
