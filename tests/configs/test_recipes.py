"""Every recipe runs, and says what it claims to say."""

import inspect
from pathlib import Path

import pytest
import torch
import yaml
from fakes import write_balls

import refiner
from refiner.cli import train as train_module
from refiner.cli.main import main
from refiner.cli.training import without_expected_noise
from refiner.nets.paper_refiner import PaperRefiner
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
    write_balls("b.zarr", size=size, count=12, unit_mm=1.0, seed=1, noisy=True)
    return ["--data.synthetic", "a.zarr", "--data.real", "b.zarr", "--trainer.accelerator", "cpu"]


def built(name, size):
    """Build all that a recipe describes, without training."""
    with without_expected_noise():
        return train_module.build(["--config", str(FOLDER / name), *write_stores(size)])


def test_there_are_recipes():
    assert NAMES == ["fast.yaml", "fitted.yaml", "kinect1.yaml", "kinect2.yaml", "nyu.yaml", "paper.yaml"]


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
    "kinect1.yaml": ["--model.schedule.discriminator_warmup", "1", "--model.refiner.init_args.camera_px", "12"],
    "kinect2.yaml": ["--model.schedule.discriminator_warmup", "1", "--model.refiner.init_args.camera_px", "8"],
}  # fmt: skip
ON_TOP_OF = {name: ["fast.yaml", "fitted.yaml"] for name in ("kinect1.yaml", "kinect2.yaml")}


# nyu.yaml goes on top of paper.yaml: tests/experiments/test_nyu.py
@pytest.mark.parametrize("name", SMALL)
def test_recipe_trains(name, capsys):
    files = [word for part in [*ON_TOP_OF.get(name, []), name] for word in ("--config", str(FOLDER / part))]
    words = [*files, *write_stores(32), *SMALL[name], "--trainer.max_steps", "5"]
    assert main(["train", *words, "--trainer.val_check_interval", "4"]) == 0
    last = Path("runs/simgan/version_0/checkpoints/last.ckpt")
    assert capsys.readouterr().out.splitlines()[-1] == f"{last}: 5 updates"
    assert load_refiner(last).codec.size == 32


@pytest.mark.parametrize("name", SMALL)
def test_recipe_trains_in_half_precision(name):
    """In bfloat16, which CPUs have too; five updates of R and D, clipped where the recipe clips."""
    files = [word for part in [*ON_TOP_OF.get(name, []), name] for word in ("--config", str(FOLDER / part))]
    words = [*files, *write_stores(32), *SMALL[name], "--trainer.max_steps", "5", "--trainer.precision", "bf16-mixed"]
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
    assert model.objective == Objective("cross_entropy", "identity", "sum", 0.001, penalty_weight=0.0)
    assert model.history.capacity == 50 * cli.datamodule.batch_size
    assert model.refiner_average is None
    assert model.discriminator.detail_gain == 0
    assert model.refiner.noise_channels == 0


def test_paper_recipe_is_the_default_of_the_signature():
    # "The class signature is the configuration": what the recipe says and what the code defaults to must not drift.
    recipe = yaml.safe_load((FOLDER / "paper.yaml").read_text())["model"]
    defaults = {name: p.default for name, p in inspect.signature(SimGAN.__init__).parameters.items()}
    for name in ("average_decay", "history_maps", "learning_rate_drop_after", "learning_rate_drop_factor"):
        assert recipe[name] == defaults[name], name
    assert Objective(**recipe["objective"]) == Objective()
    assert UpdateSchedule(**recipe["schedule"]) == UpdateSchedule()
    network = recipe["refiner"]["init_args"]
    assert PaperRefiner(**network).settings == PaperRefiner().settings


def test_fast_recipe_starts_as_the_identity_and_takes_noise():
    model = built("fast.yaml", 64).model.eval()
    assert model.refiner.noise_channels > 0
    x = torch.where(torch.rand(2, 1, 64, 64) < 0.5, torch.ones(()), torch.rand(2, 1, 64, 64))
    torch.testing.assert_close(model.refiner(x, None, torch.tensor([500.0, 900.0])), x, rtol=0, atol=0)
    assert model.refiner_average is not None
    assert model.schedule.refiner_warmup == 0  # nothing to learn: it is the identity but for its noise
