import shutil

import numpy as np
import pytest
import torch
import zarr
from fakes import small_refiner
from killing import kill_once_written

from refiner.checkpoints import SIMGAN_FORMAT, describe_network
from refiner.cli.main import main
from refiner.datasets.store import DepthStore, store_digest
from refiner.datasets.store_writer import StoreWriter
from refiner.hand.skeleton import HAND21
from refiner.nets.refiner import PaperRefiner
from refiner.simgan import refine as refine_module
from refiner.simgan.refine import near_silhouette

SIZE = 16


def save_checkpoint(path, network, **codec):
    """Write what `refiner train` writes, as far as refining looks at it."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for weights in network.parameters():
            weights.copy_(torch.randn(weights.shape, generator=generator) * 0.2)
    checkpoint = {
        "format": SIMGAN_FORMAT,
        "depth_refiner_version": "0.1.0",
        "depth_codec": {"size": SIZE, "cube_mm": 260.0, "unit_mm": 1.0, "tau": 0.05, **codec},
        "refiner": describe_network(network),
        "state_dict": {f"refiner.{name}": w for name, w in network.state_dict().items()},
        "global_step": 7,
        "data": {},
    }
    torch.save(checkpoint, path)


def make_store(path, count=70, size=SIZE, cube_mm=260.0):
    """A ball before nothing, and labels."""
    rng = np.random.default_rng(1)
    grid = np.hypot(*np.meshgrid(*[np.arange(size) - size / 2] * 2))
    depth = np.where(grid < size / 3, 6000 + 20 * grid, 0)[None] + np.zeros((count, 1, 1))
    depth[depth > 0] += rng.integers(-50, 50, int((depth > 0).sum()))
    out = StoreWriter(
        path, count=count, size=size, depth_unit_mm=0.1, provenance={"command": "made by a test"},
        arrays={"joints_mm": (21, 3), "visible": (21,), "source": (), "side": (), "pose": (26,)}, skeleton=HAND21,
        chunk_items=64,
    )  # fmt: skip
    for start, stop in out.missing():
        n = stop - start
        out.write(start, {
            "depth": depth[start:stop].astype(np.uint16),
            "camera": rng.random((n, 4), np.float32),
            "centre_mm": np.tile(np.float32([0, 0, 600]), (n, 1)),
            "cube_mm": np.full(n, cube_mm, np.float32),
            "joints_mm": rng.random((n, 21, 3), np.float32),
            "visible": rng.random((n, 21)) > 0.5,
            "source": [f"render {i}" for i in range(start, stop)],
            "side": np.arange(start, stop, dtype=np.int32),
            "pose": rng.random((n, 26), np.float32),
        })  # fmt: skip
    out.finish()
    return DepthStore(path)


@pytest.fixture
def job(tmp_path):
    """A checkpoint with a noise input and a labelled store."""
    save_checkpoint("c.ckpt", small_refiner(4))
    return make_store("a.zarr")


def refine(*words):
    assert main(["refine", "c.ckpt", "a.zarr", *words]) == 0
    return DepthStore(words[0])


def test_labels_are_carried_over_unchanged(job, capsys):
    out = refine("b.zarr")
    assert capsys.readouterr().out == "b.zarr: 70 refined maps\n"
    for name in job.names:
        if name != "depth":
            np.testing.assert_array_equal(out.read(name), job.read(name))
    assert out.names == job.names
    assert out.skeleton == HAND21
    assert out.depth_unit_mm == 1.0  # the real set's, not the renders'
    assert out.provenance["parents"] == {"a.zarr": job.digest()}
    assert out.provenance["source"] == job.provenance
    assert (out.read("depth") != np.rint(job.read("depth") * 0.1)).any()


@pytest.mark.parametrize("out", ["a.zarr", "./a.zarr", "a.zarr/b.zarr", "c.ckpt"])
def test_what_is_refined_is_never_removed(job, capsys, out):
    digest = job.digest()
    assert main(["refine", "c.ckpt", "a.zarr", out, "--overwrite"]) == 2
    assert "Give another name." in capsys.readouterr().err
    assert DepthStore("a.zarr").digest() == digest


def test_bytes_do_not_depend_on_the_batch_size(job):
    digests = {store_digest(refine(f"b{size}.zarr", "--batch-size", str(size)).path / "depth") for size in (1, 33, 256)}
    assert len(digests) == 1


def test_bytes_do_not_depend_on_the_companions(job):
    whole = refine("b.zarr").read("depth")
    shutil.rmtree("a.zarr")
    make_store("a.zarr", count=35)  # the same first 35 maps, with other maps beside the last three
    np.testing.assert_array_equal(refine("c.zarr").read("depth")[:32], whole[:32])


def test_variants_differ_and_the_first_is_the_only_one(job):
    alone, three = refine("b.zarr").read("depth"), refine("b3.zarr", "--variants", "3")
    maps = three.read("depth")
    assert len(three) == 210
    np.testing.assert_array_equal(maps[0::3], alone)
    assert (maps[1::3] != maps[2::3]).any(axis=(1, 2)).all()
    np.testing.assert_array_equal(three.read("side"), np.repeat(np.arange(70), 3))


def test_the_seed_changes_the_noise_alone(job):
    assert (refine("b.zarr").read("depth") != refine("c.zarr", "--seed", "1").read("depth")).any()


def test_nothing_arises_away_from_the_hand():
    """Even from a network that puts a reading everywhere."""
    save_checkpoint("c.ckpt", PaperRefiner(channels=4, blocks=1, kernel=3))
    store = make_store("a.zarr")
    out = refine("b.zarr").read("depth")
    yy, xx = np.mgrid[:SIZE, :SIZE]
    hand = np.argwhere(store.read("depth", 0, 1)[0] > 0)
    distance = np.sqrt(((yy[..., None] - hand[:, 0]) ** 2 + (xx[..., None] - hand[:, 1]) ** 2).min(axis=-1))
    assert (out[:, distance > 4] == 0).all()
    assert (out[:, (distance > 0) & (distance <= 4)] > 0).any()


def test_silhouette_by_hand():
    hand = np.zeros((2, 1, 8), bool)
    hand[0, 0, 0] = True
    np.testing.assert_array_equal(near_silhouette(hand)[0, 0], [1, 1, 1, 1, 1, 0, 0, 0])
    assert not near_silhouette(hand)[1].any()  # a map without a hand stays empty


def test_an_interrupted_job_continues_with_the_same_result(job, monkeypatch):
    refine("b.zarr", "--variants", "2")
    original, calls = refine_module.refine_items, []

    def stop_after_one(*arguments):
        calls.append(arguments)
        if len(calls) > 1:
            raise KeyboardInterrupt
        return original(*arguments)

    monkeypatch.setattr(refine_module, "CHUNK_ITEMS", 64)
    monkeypatch.setattr(refine_module, "refine_items", stop_after_one)
    words = ["refine", "c.ckpt", "a.zarr", "c.zarr", "--variants", "2"]
    assert main(words) == 130
    assert not DepthStore("c.zarr", allow_incomplete=True).complete
    assert main(["inspect", "c.zarr"]) == 1
    monkeypatch.setattr(refine_module, "refine_items", original)
    assert main(words) == 0
    np.testing.assert_array_equal(DepthStore("c.zarr").read("depth"), DepthStore("b.zarr").read("depth"))


@pytest.mark.slow
def test_a_killed_job_continues_with_the_same_result():
    save_checkpoint("c.ckpt", small_refiner(24))
    make_store("a.zarr", count=6000)
    refine("whole.zarr")
    words = ["refine", "c.ckpt", "a.zarr", "cut.zarr"]
    kill_once_written("cut.zarr/depth/c/2/0/0", *words)
    assert not DepthStore("cut.zarr", allow_incomplete=True).complete
    assert main(words) == 0
    for name in DepthStore("whole.zarr").names:
        np.testing.assert_array_equal(DepthStore("cut.zarr").read(name), DepthStore("whole.zarr").read(name))


@pytest.mark.parametrize(
    ("prepare", "words", "message"),
    [
        (
            lambda: make_store("s.zarr", size=32),
            ["c.ckpt", "s.zarr", "b.zarr"],
            "maps of 32 px, but c.ckpt was trained on 16",
        ),
        (lambda: make_store("k.zarr", cube_mm=200), ["c.ckpt", "k.zarr", "b.zarr"], "a cube of 200 mm, but c.ckpt"),
        (lambda: None, ["none.ckpt", "a.zarr", "b.zarr"], "No checkpoint at none.ckpt"),
        (lambda: make_store("d.zarr"), ["c.ckpt", "a.zarr", "d.zarr"], "d.zarr exists and is complete"),
        (lambda: None, ["c.ckpt", "a.zarr", "b.zarr", "--variants", "0"], "--variants 0"),
        (
            lambda: zarr.open_group("a.zarr", mode="r+").attrs.update(complete=False),
            ["c.ckpt", "a.zarr", "b.zarr"],
            "a.zarr is incomplete",
        ),
    ],
)
def test_bad_input_is_named_and_nothing_is_written(job, prepare, words, message, capsys, tmp_path):
    prepare()
    assert main(["refine", *words]) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "b.zarr").exists()


def test_variants_need_a_noise_input(capsys, tmp_path):
    save_checkpoint("c.ckpt", PaperRefiner(channels=4, blocks=1, kernel=3))
    make_store("a.zarr")
    assert main(["refine", "c.ckpt", "a.zarr", "b.zarr", "--variants", "2"]) == 2
    assert "has no noise input" in capsys.readouterr().err


def test_junk_is_never_unpickled(job, capsys, tmp_path):
    """A pickle that would write a file when loaded."""

    class Bomb:
        def __reduce__(self):
            return (exec, ("open('exploded', 'w')",))

    torch.save({"format": SIMGAN_FORMAT, "bomb": Bomb()}, "c.ckpt")
    assert main(["refine", "c.ckpt", "a.zarr", "b.zarr"]) == 2
    assert "is not a readable checkpoint" in capsys.readouterr().err
    assert not (tmp_path / "exploded").exists()
