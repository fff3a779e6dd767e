"""Every recipe runs, and says what it claims to say."""

import inspect
from itertools import pairwise
from pathlib import Path

import pytest
import torch
import yaml
from fakes import CAMERA, PARTS, write_balls

import refiner
from refiner.checkpoints import describe_network
from refiner.cli import train as train_module
from refiner.cli.main import main
from refiner.cli.training import without_expected_noise
from refiner.frameworks import lightning as L
from refiner.nets.discriminator import PatchDiscriminator
from refiner.nets.refiner import ComposedRefiner
from refiner.simgan.augmentation import Augmentation
from refiner.simgan.checkpoint import load_refiner
from refiner.simgan.module import SimGAN
from refiner.simgan.objective import Objective
from refiner.simgan.schedule import UpdateSchedule

pytestmark = pytest.mark.filterwarnings("ignore:.*isinstance.treespec, LeafSpec")

FOLDER = Path(refiner.__file__).parent.parent / "configs/simgan"
NAMES = sorted(path.name for path in FOLDER.glob("*.yaml"))


def count(network):
    return sum(weights.numel() for weights in network.parameters())


def write_stores(size):
    write_balls("a.zarr", size=size, count=12)
    write_balls("b.zarr", size=size, count=12, unit_mm=1.0, seed=1, noisy=True, sensor=CAMERA)
    return ["--data.synthetic", "a.zarr", "--data.real", "b.zarr", "--trainer.accelerator", "cpu"]


def built(name, size):
    """Build all that a recipe describes, without training."""
    with without_expected_noise():
        return train_module.build(["--config", str(FOLDER / name), *write_stores(size)])


def test_there_are_recipes():
    assert NAMES == ["fast.yaml", "paired.yaml", "paper.yaml"]


@pytest.mark.parametrize("name", NAMES)
def test_every_value_has_a_comment(name):
    lines = [line for line in (FOLDER / name).read_text().splitlines() if line.strip()]
    for line, following in zip(lines, [*lines[1:], ""], strict=True):
        opens = line.endswith(":")  # a level; its values have the comments
        member = line.strip().startswith(("- {", "class_path:"))  # explained where the list or the section begins
        assert "#" in line or opens or member or following.strip().startswith("#"), line


# Kernels, blocks and maps small enough for a test; everything else as the recipe says.
SMALL = {
    "paper.yaml": [
        "--data.size", "32", "--model.refiner.init_args.kernel", "3", "--model.refiner.init_args.blocks", "1",
        "--model.refiner.init_args.channels", "4", "--model.schedule.refiner_warmup", "1",
        "--model.schedule.discriminator_warmup", "1", "--data.num_workers", "0",
    ],
    "fast.yaml": ["--model.schedule.discriminator_warmup", "1"],
    "paired.yaml": ["--model.schedule.discriminator_warmup", "1"],
}  # fmt: skip


@pytest.mark.parametrize("name", SMALL)
def test_recipe_trains(name, capsys):
    words = ["--config", str(FOLDER / name), *write_stores(32), *SMALL[name], "--trainer.max_steps", "5"]
    assert main(["train", *words, "--trainer.val_check_interval", "4"]) == 0
    last = Path("runs/simgan/version_0/checkpoints/last.ckpt")
    assert capsys.readouterr().out.splitlines()[-1] == f"{last}: 5 updates"
    assert load_refiner(last).codec.size == 32


@pytest.mark.parametrize("name", SMALL)
def test_recipe_trains_in_half_precision(name):
    """In bfloat16, which CPUs have too; five updates of R and D, clipped where the recipe clips."""
    words = ["--config", str(FOLDER / name), *write_stores(32), *SMALL[name], "--trainer.max_steps", "5"]
    words += ["--trainer.precision", "bf16-mixed"]
    assert main(["train", *words, "--trainer.val_check_interval", "4"]) == 0
    trained = load_refiner("runs/simgan/version_0/checkpoints/last.ckpt").network.parameters()
    assert all(torch.isfinite(weights).all() and weights.dtype == torch.float32 for weights in trained)


def test_paper_recipe_is_the_papers():
    cli = built("paper.yaml", 224)
    model = cli.model
    assert count(model.refiner) == 4_018_625
    assert count(model.discriminator) == 178_050
    with torch.no_grad():
        assert model.discriminator(torch.zeros(1, 1, 224, 224)).shape == (1, 2, 7, 7)  # 49 patches, two classes
    schedule = model.schedule
    assert (schedule.refiner_warmup, schedule.discriminator_warmup, schedule.k_g, schedule.k_d) == (500, 200, 2, 1)
    for optimizer in model.configure_optimizers():
        assert type(optimizer) is torch.optim.SGD
        assert optimizer.defaults["lr"] == 0.0002
        assert optimizer.defaults["momentum"] == 0
    assert 0.0002 * model._learning_rate_factor(599_999) == 0.0002
    assert 0.0002 * model._learning_rate_factor(600_000) == 0.00005
    lambda_mean = pytest.approx(0.001 * 224**2 / 49)
    wanted = Objective("cross_entropy", "identity", "mean", lambda_mean, 1.0, 0.0, 0.0, deficit_weight=0.0)
    assert model.game.objective == wanted
    assert model.game.augmentation == Augmentation(0.0, flip_up_down=False)
    assert model.history.capacity == 50 * cli.datamodule.batch_size
    assert model.refiner_average is None
    sees = ("slope_gain", "curvature_gain", "sees_readings", "sees_distance")
    assert not any(model.discriminator.settings[name] for name in sees)
    assert model.gradient_norm == 0
    assert model.refiner.noise_shapes(224, 224) == {}


class Watch(L.Callback):
    """Notes mean |R(x) - x| of the first batch, and both networks' weights, before the first update and after each."""

    def __init__(self):
        self.changes, self.weights = [], []

    def on_train_start(self, trainer, module):
        self.map = trainer.datamodule.training_batches().batch(0)["synthetic"]
        self.note(module)

    def on_train_batch_end(self, _, module, *__):
        self.note(module)

    def note(self, module):
        with torch.no_grad():
            self.changes.append((module.refiner(self.map) - self.map).abs().mean().item())
        networks = module.refiner, module.discriminator
        self.weights.append([torch.cat([w.detach().flatten() for w in n.parameters()]).clone() for n in networks])


@pytest.mark.slow
def test_paper_recipe_trains_at_its_real_size():
    """224 px, 10 blocks, 4,018,625 weights, one map: three updates of R alone, one of D, one of R against it.

    To first order a step s against the gradient g of lambda f changes f by -s lambda |g / lambda|^2, and the weights by
    -s g, so that f falls by |change of weights|^2 / (s lambda). A step that is too long for that does not keep to it,
    and one that is too short moves nothing: three updates have to take a twentieth off.
    """
    words = ["--config", str(FOLDER / "paper.yaml"), *write_stores(224), "--data.batch_size", "1"]
    words += ["--data.probe_maps", "1", "--data.num_workers", "0", "--trainer.max_steps", "5"]
    words += ["--model.schedule.refiner_warmup", "3", "--model.schedule.discriminator_warmup", "1"]
    words += ["--trainer.val_check_interval", "5"]
    watch = Watch()
    with without_expected_noise():
        cli = train_module.build(words)
        assert count(cli.model.refiner) == 4_018_625
        cli.trainer.callbacks.append(watch)
        cli.trainer.fit(cli.model, datamodule=cli.datamodule)
    before, *after = watch.changes
    refiner, discriminator = zip(*watch.weights, strict=True)
    expected = (refiner[1] - refiner[0]).square().sum().item() / (0.0002 * 1.024)
    assert before - after[0] == pytest.approx(expected, rel=0.3)
    assert after[2] < 0.95 * before
    assert after[4] < before  # against D, too
    moved = [[not torch.equal(a, b) for a, b in pairwise(network)] for network in (refiner, discriminator)]
    assert moved == [[True, True, True, False, True], [False, False, False, True, False]]
    assert all(torch.isfinite(network[-1]).all() for network in (refiner, discriminator))


def test_the_fast_recipe_is_the_default_of_the_signatures():
    # "The class signature is the configuration": what the recipe says and what the code defaults to must not drift.
    recipe = yaml.safe_load((FOLDER / "fast.yaml").read_text())["model"]
    defaults = {name: p.default for name, p in inspect.signature(SimGAN.__init__).parameters.items()}
    for name in ("average_decay", "history_maps", "learning_rate_drop_after", "gradient_norm"):
        assert recipe[name] == defaults[name], name
    assert Objective(**recipe["objective"]) == Objective()
    assert UpdateSchedule(**recipe["schedule"]) == UpdateSchedule()
    assert Augmentation(**recipe["augmentation"]) == Augmentation()
    model = built("fast.yaml", 64).model
    assert describe_network(model.discriminator) == describe_network(PatchDiscriminator())
    parts = {name: kind() for name, kind in PARTS.items()}
    assert describe_network(model.refiner) == describe_network(ComposedRefiner(**parts))
    for network, recipe_of in zip(model.configure_optimizers(), ("refiner", "discriminator"), strict=True):
        assert network.defaults["lr"] == recipe[f"optimizer_{recipe_of}"]["init_args"]["lr"]


def test_the_fast_recipe_starts_as_the_identity_and_takes_noise():
    model = built("fast.yaml", 64).model.eval()
    assert model.refiner.noise_shapes(64, 64)
    x = torch.where(torch.rand(2, 1, 64, 64) < 0.5, torch.ones(()), torch.rand(2, 1, 64, 64))
    torch.testing.assert_close(model.refiner(x, None, torch.tensor([500.0, 900.0])), x, rtol=0, atol=0)
    assert model.refiner_average is not None
    assert model.schedule.refiner_warmup == 0  # nothing to learn: it is the identity but for its noise
