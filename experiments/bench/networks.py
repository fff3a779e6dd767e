"""How fast the fast recipe's networks are, beside the paper's eye-sized pair on the same 64 px maps.

    python -m experiments.bench.networks [--threads 1] [--rounds 5] [--size 64] [--out FILE.json]

Both sides in one run, in turn, each as it is used: the paper's pair in plain eager PyTorch with SGD; the fast pair with
channels innermost and fused Adam, which is how its recipe trains it, its choices judged in pairs of draws. In both the
discriminator's weights take no gradient while the refiner is updated. The gradient penalty, part of every eighth
iteration of the recipe, is left out;
`experiments.bench.training` times whole updates.
"""

import argparse
import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import yaml
from torch import Tensor, nn

from experiments.bench.timing import ratios, report, row, seconds_each
from refiner.cli.training import keep_freed_memory
from refiner.nets.discriminator import EYE_LAYERS, PatchDiscriminator
from refiner.nets.paper_refiner import PaperRefiner
from refiner.nets.refiner import Draw
from refiner.simgan.losses import adversarial_loss, choice_loss, pixel_costs, self_regularization_loss

RECIPE = Path(__file__).resolve().parents[2] / "configs/simgan/fast.yaml"
MAPS = 16
"""The recipe's batch."""


def build(description: dict[str, Any], *arguments: Any) -> Any:
    """Make an object of a recipe's class_path and init_args."""
    module, name = description["class_path"].rsplit(".", 1)
    return getattr(importlib.import_module(module), name)(*arguments, **description.get("init_args", {}))


def discs(size: int) -> Tensor:
    """Give maps that are one fifth hand, as crops are."""
    axis = torch.arange(size) - size / 2
    inside = torch.hypot(axis[:, None], axis[None, :]) < size / 4
    return torch.where(inside, 0.3 * torch.rand(MAPS, 1, size, size), torch.ones(()))


def with_noise(network: nn.Module, maps: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Give what a refiner is called with: maps, noise, distances."""
    shape = network.noise_shape(len(maps), *maps.shape[-2:])  # pyright: ignore[reportCallIssue]
    return maps, torch.randn(shape), torch.full((len(maps),), 1000.0)


def pair_loss(draw: Draw, logits: Tensor, discriminator: nn.Module, distance_mm: Tensor) -> Tensor:
    """Give the loss of choices, of a draw and its opposite."""
    height, width = draw.refined.shape[-2:]
    with torch.no_grad():
        pair = [
            pixel_costs(judged[:, 0].square(), discriminator.patch_px, height, width)  # pyright: ignore[reportArgumentType]
            for judged in (logits, discriminator(draw.opposite, distance_mm))
        ]
    return choice_loss(pair[0], pair[1], draw.choice, draw.noise)


def refining(network: nn.Module, maps: Tensor) -> Callable[[], Any]:
    """Give a job that refines all maps."""
    inputs = with_noise(network, maps)

    def job() -> None:
        network.eval()
        with torch.inference_mode():
            network(*inputs)

    return job


def training(
    networks: tuple[nn.Module, nn.Module],
    optimizers: tuple[Any, Any],
    loss: dict[str, Any],
    weight: float,
    maps: Tensor,
) -> Callable[[], Any]:
    """Give a job that updates the refiner once and the discriminator once."""
    refiner, discriminator = networks
    inputs = with_noise(refiner, maps)
    distance_mm = inputs[2]
    chooses = getattr(refiner, "chooses", False)

    def job() -> None:
        refiner.train()
        discriminator.requires_grad_(False)
        draw = refiner.draw(*inputs) if chooses else None  # pyright: ignore[reportCallIssue]
        refined = refiner(*inputs) if draw is None else draw.refined
        logits = discriminator(refined, distance_mm)
        total = adversarial_loss(logits, target_refined=False, **loss)
        if draw is not None:
            total = total + pair_loss(draw, logits, discriminator, distance_mm)
        total = total + weight * self_regularization_loss(refined, maps, psi="identity", reduction=loss["reduction"])
        optimizers[0].zero_grad()
        total.backward()
        optimizers[0].step()
        discriminator.requires_grad_(True)
        with torch.no_grad():
            refined = refiner(*inputs)
        total = adversarial_loss(discriminator(refined, distance_mm), target_refined=True, **loss)
        total = total + adversarial_loss(discriminator(maps, distance_mm), target_refined=False, **loss)
        optimizers[1].zero_grad()
        total.backward()
        optimizers[1].step()

    return job


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
    recipe = yaml.safe_load(RECIPE.read_text())["model"]
    eye = PaperRefiner(64, 4, 3), PatchDiscriminator(EYE_LAYERS).to(memory_format=torch.contiguous_format)  # pyright: ignore[reportCallIssue]
    fast = build(recipe["refiner"]), build(recipe["discriminator"])
    eye_optimizers = tuple(torch.optim.SGD(network.parameters(), lr=1e-6) for network in eye)
    fast_optimizers = tuple(
        build(recipe[f"optimizer_{name}"], network.parameters())
        for name, network in zip(("refiner", "discriminator"), fast, strict=True)
    )
    eye_loss = {"kind": "cross_entropy", "reduction": "sum"}
    fast_loss = {"kind": recipe["objective"]["adversarial"], "reduction": recipe["objective"]["reduction"]}
    times = seconds_each(
        {
            "refine eye": refining(eye[0], maps),
            "refine fast": refining(fast[0], maps),
            "train eye": training(eye, eye_optimizers, eye_loss, 1e-3, maps),  # pyright: ignore[reportArgumentType]
            "train fast": training(fast, fast_optimizers, fast_loss, 1.0, maps),  # pyright: ignore[reportArgumentType]
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
