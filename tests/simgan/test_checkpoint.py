import pickle
from pathlib import Path

import pytest
import torch
from fakes import small_refiner

from refiner import __version__
from refiner.checkpoints import SIMGAN_FORMAT, AtomicCheckpointIO, read_checkpoint
from refiner.datasets.facts import CameraPixels, TrainingFacts
from refiner.errors import CheckpointError
from refiner.geometry.depth import DepthCodec
from refiner.nets.discriminator import Layer, PatchDiscriminator
from refiner.nets.refiner import (
    CameraNoise,
    ComposedRefiner,
    Growth,
    LightLoss,
    MapNoise,
    PaperRefiner,
    PixelLoss,
)
from refiner.simgan.checkpoint import check_resumable, load_refiner
from refiner.simgan.module import SimGAN


class Loaded:
    """Leaves a mark when unpickled."""

    def __reduce__(self):
        return Path.touch, (Path("unpickled"),)


def simgan(refiner=None, **settings):
    discriminator = PatchDiscriminator([Layer(3, 2, 8)])
    facts = TrainingFacts(DepthCodec(16, 260.0, 1.0), 700.0, 600.0, CameraPixels(60.0, 1.0, 2.9, -2.0))
    return SimGAN(refiner or small_refiner(), discriminator, facts, **settings)


def save(model, path="c.ckpt"):
    """Save a module as a trainer would, without one."""
    model._trainer = type("Trainer", (), {"datamodule": None, "global_step": 12})()
    checkpoint = {"state_dict": model.state_dict(), "global_step": 12}
    model.on_save_checkpoint(checkpoint)
    AtomicCheckpointIO().save_checkpoint(checkpoint, path)
    return checkpoint


@pytest.mark.parametrize(
    "network",
    [
        ComposedRefiner(8, 1, light=LightLoss(3.0), loss=PixelLoss(), growth=Growth(1), measurement=MapNoise(0.02)),
        small_refiner(),
        small_refiner(measurement=CameraNoise(0.02)),
        PaperRefiner(4, 1, 3),
    ],
)
def test_a_refiner_comes_back_as_it_was(network):
    with torch.no_grad():
        for weights in network.parameters():
            weights.normal_(generator=torch.Generator().manual_seed(0))
    save(simgan(network))
    loaded = load_refiner("c.ckpt")
    assert loaded.codec == DepthCodec(16, 260.0, 1.0)
    assert loaded.noise_shapes == network.noise_shapes(16, 16)
    assert loaded.facts["updates"] == 12
    assert loaded.facts["version"] == __version__
    assert not loaded.network.training
    assert not any(weights.requires_grad for weights in loaded.network.parameters())
    x = torch.rand(2, 1, 16, 16) * 2 - 1
    noise = {name: torch.randn((2, *shape)) for name, shape in loaded.noise_shapes.items()}
    distance_mm = torch.tensor([500.0, 900.0])
    wanted = network.eval()(x, noise, distance_mm)
    torch.testing.assert_close(loaded.network(x, noise, distance_mm), wanted, rtol=0, atol=0)


def test_the_running_average_is_preferred():
    model = simgan(average_decay=0.9)
    with torch.no_grad():
        model.refiner_average.module.backbone.last.bias.fill_(0.25)
    save(model)
    assert (load_refiner("c.ckpt").network.backbone.last.bias == 0.25).all()
    assert model.trained_refiner is model.refiner_average.module


def test_what_a_checkpoint_says():
    save(simgan())
    checkpoint = torch.load("c.ckpt", weights_only=True)  # plain tensors, numbers and strings only
    assert checkpoint["format"] == SIMGAN_FORMAT
    assert checkpoint["depth_refiner_version"] == __version__
    assert checkpoint["depth_codec"] == {"size": 16, "cube_mm": 260.0, "unit_mm": 1.0, "tau": 0.05}
    assert checkpoint["refiner"]["class"] == "ComposedRefiner"
    assert set(checkpoint["history"][0]) == {"maps", "distances_mm", "generator"}
    assert not any("history" in name for name in checkpoint["state_dict"])  # not a buffer


def make_junk(kind):
    path = Path("junk.ckpt")
    if kind == "pickle":
        path.write_bytes(pickle.dumps(Loaded()))
    elif kind == "torch":
        torch.save({"format": SIMGAN_FORMAT, "state_dict": Loaded()}, path)
    elif kind == "text":
        path.write_text("hello")
    elif kind == "empty":
        path.touch()
    elif kind == "cut":
        save(simgan())
        path.write_bytes(Path("c.ckpt").read_bytes()[:-500])
    elif kind == "zeros":
        path.write_bytes(bytes(4096))
    elif kind == "other":
        torch.save({"state_dict": {}, "pytorch-lightning_version": "2.6.6"}, path)
    elif kind == "tensor":
        torch.save(torch.zeros(3), path)
    elif kind == "folder":
        path.mkdir()
    return path


@pytest.mark.parametrize(
    "kind", ["pickle", "torch", "text", "empty", "cut", "zeros", "other", "tensor", "folder", "missing"]
)
def test_junk_is_refused_and_never_unpickled(kind):
    path = make_junk(kind)
    for read in (load_refiner, read_checkpoint, AtomicCheckpointIO().load_checkpoint):
        with pytest.raises(CheckpointError, match=r"junk\.ckpt"):
            read(path)
    assert not Path("unpickled").exists()


def test_unknown_networks_and_wrong_weights_are_refused():
    checkpoint = save(simgan())
    torch.save({**checkpoint, "refiner": {"class": "Other", "settings": {}}}, "other.ckpt")
    with pytest.raises(CheckpointError, match="class 'Other'; this version knows PaperRefiner, ComposedRefiner"):
        load_refiner("other.ckpt")
    settings = {**checkpoint["refiner"]["settings"], "channels": 9}
    torch.save({**checkpoint, "refiner": {"class": "ComposedRefiner", "settings": settings}}, "wrong.ckpt")
    with pytest.raises(CheckpointError, match="do not fit the network it describes"):
        load_refiner("wrong.ckpt")


def test_a_run_is_not_continued_with_other_networks_or_another_codec():
    checkpoint, path = save(simgan()), Path("c.ckpt")
    check_resumable(checkpoint, simgan().description(), path)
    with pytest.raises(CheckpointError, match="its refiner is"):
        check_resumable(checkpoint, simgan(small_refiner(9)).description(), path)
    other = simgan()
    other.codec = DepthCodec(16, 300.0, 1.0)
    with pytest.raises(CheckpointError, match=r"its depth_codec is .*config\.yaml"):
        check_resumable(checkpoint, other.description(), path)


def test_a_checkpoint_needs_no_data_module():
    assert save(simgan())["data"] == {}
