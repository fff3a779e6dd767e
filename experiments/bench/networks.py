"""How fast the fast recipe's networks are, beside the paper's eye-sized pair on the same 64 px maps.

    python -m experiments.bench.networks [--threads 1] [--rounds 5] [--size 64] [--out FILE.json]

Both sides in one run, in turn, each as it is used: the paper's pair in plain eager PyTorch with SGD; the fast pair with
channels innermost and fused Adam, as its recipe trains it. In both the discriminator's weights take no gradient while
the refiner is updated. The gradient penalty, part of every eighth iteration of the recipe, is left out;
`experiments.bench.training` times whole updates.
"""

import argparse
import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import yaml
from torch import Tensor
from torch.optim import SGD, Optimizer

from experiments.bench.timing import ratios, report, row, seconds_each
from refiner.cli.training import keep_freed_memory
from refiner.nets.discriminator import EYE_LAYERS, PatchDiscriminator
from refiner.nets.refiner import PaperRefiner, Refiner
from refiner.simgan.augmentation import Augmentation
from refiner.simgan.objective import Objective
from refiner.simgan.readings import MeanReadings
from refiner.simgan.updates import Game, Update, discriminator_update, noise_of_batch, refiner_update

RECIPES = Path(__file__).resolve().parents[2] / "configs/simgan"
MAPS = 16
"""The recipe's batch."""


def build(description: dict[str, Any], *arguments: Any) -> Any:
    """Make an object of a recipe's class_path and init_args."""
    module, name = description["class_path"].rsplit(".", 1)
    settings = {
        key: build(value) if isinstance(value, dict) and "class_path" in value else value
        for key, value in description.get("init_args", {}).items()
    }
    return getattr(importlib.import_module(module), name)(*arguments, **settings)


def discs(size: int) -> Tensor:
    """Give maps that are one fifth hand, as crops are."""
    axis = torch.arange(size) - size / 2
    inside = torch.hypot(axis[:, None], axis[None, :]) < size / 4
    return torch.where(inside, 0.3 * torch.rand(MAPS, 1, size, size), torch.ones(()))


def refining(network: Refiner, maps: Tensor) -> Callable[[], Any]:
    """Return a job that refines all maps."""
    noise, distance_mm = noise_of_batch(network, maps, (0,)), torch.full((len(maps),), 1000.0)

    def job() -> None:
        network.eval()
        with torch.inference_mode():
            network(maps, noise, distance_mm)

    return job


def training(game: Game, optimizers: tuple[Optimizer, Optimizer], maps: Tensor) -> Callable[[], Any]:
    """Return a job that updates the refiner once and the discriminator once."""
    of_maps = {"distance_mm": torch.full((len(maps),), 1000.0), "cube_mm": torch.full((len(maps),), 260.0)}
    batch: Any = {f"{kind}_{name}": values for kind in ("synthetic", "real") for name, values in of_maps.items()}
    batch |= {"synthetic": maps, "real": maps}

    def job() -> None:
        game.refiner.train()
        game.discriminator.requires_grad_(False)
        descend(refiner_update(game, batch, (0,)), optimizers[0])
        game.discriminator.requires_grad_(True)
        descend(discriminator_update(game, batch, (0,), None), optimizers[1])

    return job


def descend(update: Update, optimizer: Optimizer) -> None:
    """Take a step."""
    optimizer.zero_grad()
    update[0].backward()
    optimizer.step()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    keep_freed_memory()
    maps = discs(options.size)
    recipe, paper = (yaml.safe_load((RECIPES / f"{name}.yaml").read_text())["model"] for name in ("fast", "paper"))
    of_paper = paper["discriminator"]["init_args"] | {"layers": EYE_LAYERS}
    discriminator = PatchDiscriminator(**of_paper).to(memory_format=torch.contiguous_format)  # pyright: ignore[reportCallIssue]
    sums = Objective(**paper["objective"] | {"reduction": "sum", "self_regularization_weight": 1e-3})
    eye = Game(PaperRefiner(64, 4, 3), discriminator, sums, Augmentation(**paper["augmentation"]), MeanReadings())
    networks = build(recipe["refiner"]), build(recipe["discriminator"])
    fast = Game(*networks, Objective(**recipe["objective"]), Augmentation(**recipe["augmentation"]), MeanReadings())
    eye_optimizers = SGD(eye.refiner.parameters(), lr=1e-6), SGD(eye.discriminator.parameters(), lr=1e-6)
    fast_optimizers = (
        build(recipe["optimizer_refiner"], fast.refiner.parameters()),
        build(recipe["optimizer_discriminator"], fast.discriminator.parameters()),
    )
    times = seconds_each(
        {
            "refine eye": refining(eye.refiner, maps),
            "refine fast": refining(fast.refiner, maps),
            "train eye": training(eye, eye_optimizers, maps),
            "train fast": training(fast, fast_optimizers, maps),
        },
        options.rounds,
    )
    rows = [
        row(f"{name}, {options.size} px", [MAPS / second for second in seconds], "maps/s")
        for name, seconds in times.items()
    ]
    for work, target in (("refine", 20), ("train", 8)):
        values = ratios(times[f"{work} eye"], times[f"{work} fast"])
        rows.append(row(f"{work}, fast over eye", values, "x", f">= {target} x"))
    report(rows, options.out)


if __name__ == "__main__":
    main()
