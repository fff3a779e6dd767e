import numpy as np
import pytest
import torch
import zarr
from fakes import write_balls

from refiner.datasets.store import DepthStore
from refiner.datasets.unpaired import UnpairedDepth
from refiner.errors import DatasetNotFoundError, IncompleteStoreError, StoreError


@pytest.fixture(autouse=True)
def _stores():
    write_balls("a.zarr", count=50, unit_mm=0.1)
    write_balls("b.zarr", count=30, unit_mm=1.0, seed=1, noisy=True)


def data(**settings):
    return UnpairedDepth("a.zarr", "b.zarr", **({"batch_size": 6, "seed": 3, "probe_maps": 5} | settings))


def take(loader, count):
    iterator = iter(loader)
    return [next(iterator) for _ in range(count)]


def equal(a, b):
    return all(torch.equal(a[key], b[key]) for key in a)


def test_a_batch_is_maps_of_both_stores():
    unpaired = data()
    batch = unpaired.training_batches().batch(0)
    for side in ("synthetic", "real"):
        assert batch[side].shape == (6, 1, 16, 16)
        assert batch[side].dtype == torch.float32
        assert batch[side].max() == 1
        assert batch[side].min() >= -1
        assert (batch[f"{side}_cube_mm"] == 260).all()
    assert unpaired.facts.codec.to_dict() == {"size": 16, "cube_mm": 260.0, "unit_mm": 1.0, "tau": 0.05}
    stored = {
        "synthetic": DepthStore("a.zarr").read("depth") * np.float32(0.1),
        "real": DepthStore("b.zarr").read("depth"),
    }
    for side, worst_mm in (("synthetic", 1e-3), ("real", 0.501)):
        depth_mm = np.where(batch[side][:, 0] < 1, batch[side][:, 0] * 130 + 700, 0)
        nearest = [np.abs(stored[side] - map_).max(axis=(1, 2)).min() for map_ in depth_mm]
        assert max(nearest) < worst_mm  # each is one of the store's, the real ones within their step


def test_camera_maps_are_spread_within_their_step_and_renders_are_not():
    batch = data(batch_size=64).training_batches().batch(0)
    for side, unit_mm, spread in (("synthetic", 0.1, False), ("real", 1.0, True)):
        steps = (batch[side][batch[side] < 1].numpy() * 130 + 700) / unit_mm
        off = np.abs(steps - np.rint(steps))
        assert (off.mean() == pytest.approx(0.25, abs=0.02)) if spread else (off.max() < 0.01)


def test_camera_maps_may_keep_their_steps():
    whole = data(batch_size=64, dequantize=False)
    assert whole.facts.whole_units
    assert not data().facts.whole_units
    for batch in (whole.training_batches().batch(0), next(iter(whole.val_dataloader()))):
        depth_mm = batch["real"][batch["real"] < 1].numpy() * 130 + 700
        assert np.abs(depth_mm - np.rint(depth_mm)).max() < 1e-3


def test_pairs_are_the_same_items_of_both_stores():
    write_balls("c.zarr", size=16, count=20, unit_mm=1.0, noisy=True)
    pairs = UnpairedDepth("c.zarr", "c.zarr", batch_size=64, dequantize=False, paired=True)
    batch = pairs.training_batches().batch(0)
    torch.testing.assert_close(batch["synthetic"], batch["real"], rtol=0, atol=0)
    assert len({map_.numpy().tobytes() for map_ in batch["real"]}) > 10
    torch.testing.assert_close(*(next(iter(pairs.val_dataloader()))[side] for side in ("synthetic", "real")))
    with pytest.raises(StoreError, match="are no pairs"):
        data(paired=True)


def test_a_batch_is_a_function_of_seed_step_and_rank():
    batches = data().training_batches
    assert equal(batches().batch(7), batches(start=5).batch(7))
    assert equal(batches(rank=1).batch(7), batches(rank=1).batch(7))
    for other in (batches().batch(8), batches(rank=1).batch(7), data(seed=4).training_batches().batch(7)):
        assert not torch.equal(batches().batch(7)["synthetic"], other["synthetic"])
        assert not torch.equal(batches().batch(7)["real"], other["real"])


@pytest.mark.parametrize("workers", [0, 2])
def test_the_loader_gives_the_batches_in_order_from_any_step(workers):
    unpaired = data(num_workers=workers)
    unpaired.setup("fit")
    for start in (0, 3):
        loader = unpaired._loader(unpaired.training_batches(start))
        for step, batch in enumerate(take(loader, 5), start=start):
            assert equal(batch, unpaired.training_batches().batch(step))


def test_every_map_is_drawn_but_those_held_out():
    unpaired = data()
    unpaired.setup("fit")
    probe = torch.cat([batch["synthetic"] for batch in unpaired.val_dataloader()])
    assert len(probe) == 5
    drawn = torch.cat([unpaired.training_batches().batch(step)["synthetic"] for step in range(100)])
    different = torch.unique(drawn.flatten(1), dim=0)
    assert len(different) == 45
    for map_ in probe:
        assert not (different == map_.flatten()).all(dim=1).any()


def test_the_probe_is_the_same_for_every_seed():
    probes = []
    for seed in (3, 4):
        unpaired = data(seed=seed, probe_maps=256, batch_size=4)
        unpaired.setup("fit")
        probes.append(list(unpaired.val_dataloader()))
    assert [len(batch["real"]) for batch in probes[0]] == [4, 2]  # a fifth of the smaller store
    assert all(equal(a, b) for a, b in zip(*probes, strict=True))


def test_batches_do_not_touch_global_generators():
    torch.manual_seed(0)
    before, state = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    unpaired = data()
    unpaired.setup("fit")
    take(unpaired._loader(unpaired.training_batches()), 3)
    list(unpaired.val_dataloader())
    assert torch.equal(torch.get_rng_state(), before)
    assert (np.random.get_state()[1] == state).all()  # noqa: NPY002


def test_provenance_names_both_stores():
    assert data().provenance == {
        "synthetic": {"path": "a.zarr", "digest": DepthStore("a.zarr").digest(), "maps": 50},
        "real": {"path": "b.zarr", "digest": DepthStore("b.zarr").digest(), "maps": 30},
    }


def test_items_may_have_cubes_of_their_own():
    zarr.open_group("b.zarr", mode="r+")["cube_mm"][:] = np.linspace(255, 265, 30, dtype=np.float32)
    unpaired = data()
    assert unpaired.facts.codec.cube_mm is None
    assert len(set(unpaired.training_batches().batch(0)["real_cube_mm"].tolist())) > 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"size": 32}, "a.zarr holds maps of 16 px and c.zarr of 32 px.*--size 32"),
        ({"cube_mm": 300.0}, "cubes of 260 mm and c.zarr of 300 mm.*--cube-mm"),
        ({"count": 9}, "c.zarr holds 9 maps, wanted at least 10"),
        ({"cube_mm": 0.0}, "c.zarr: item 0 has a cube of 0 mm"),
        ({"cube_mm": np.nan}, "cube_mm is not finite"),
    ],
)
def test_stores_that_do_not_fit_are_refused(change, message):
    write_balls("c.zarr", **change)
    with pytest.raises(StoreError, match=message):
        UnpairedDepth("a.zarr", "c.zarr")


def test_a_recipe_may_want_a_size():
    assert data(size=16).facts.codec.size == 16
    with pytest.raises(StoreError, match=r"16 px, but this recipe wants 224 px \(data.size\).*--size 224"):
        data(size=224)


def test_an_unfinished_and_a_missing_store_are_refused():
    write_balls("c.zarr", complete=False)
    with pytest.raises(IncompleteStoreError, match="Continue it with: remake"):
        UnpairedDepth("a.zarr", "c.zarr")
    with pytest.raises(DatasetNotFoundError, match=r"d\.zarr"):
        UnpairedDepth("d.zarr", "b.zarr")
