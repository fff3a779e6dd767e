"""What the fast recipe is worth beside SimGAN as published, at equal time.

    python -m experiments.baseline --out runs/baseline [--seconds 300]

Both train on the demo's sets (3,000 renders and 3,000 maps of a stand-in camera, 64 px) for the same processor time of
updates. The published side is configs/simgan/paper.yaml with the paper's networks for eyes, which are of the right size
for 64 px, and three changes without which nothing happens in minutes: Adam in place of plain gradient descent, whose
stated rate is meant for a million updates, and shorter warm-ups. What is compared comes from no network that takes part
(`refiner.simgan.probe`): how well held-out refined patches are told from the camera's, how far hands move, and how much
more is missing inside hands than in the camera's. A side that is done is not done again; more words go to both
trainings.
"""

import argparse
import json
from pathlib import Path

from experiments.clock import Clock
from experiments.demo import MAPS, SIZE_PX, unless_whole
from experiments.settings import claim, digest
from refiner.cli import train
from refiner.cli.recipes import shipped
from refiner.cli.training import keep_freed_memory, without_expected_noise
from refiner.files import write_json

ADAM = "{class_path: torch.optim.Adam, init_args: {lr: 0.0002, betas: [0.5, 0.999]}}"
EYE_SIZED = [
    "--data.size", "null", "--data.num_workers", "0",
    "--model.refiner.init_args.kernel", "3", "--model.refiner.init_args.blocks", "4",
    "--model.discriminator.init_args.layers",
    "[{kernel: 3, stride: 2, channels: 96}, {kernel: 3, stride: 2, channels: 64}, {kernel: 3, stride: 1}, "
    "{kernel: 3, stride: 1, channels: 32}, {kernel: 1, stride: 1, channels: 32}]",
    "--model.optimizer_refiner", ADAM, "--model.optimizer_discriminator", ADAM,
    "--model.schedule.refiner_warmup", "80", "--model.schedule.discriminator_warmup", "40",
]  # fmt: skip
"""Words that make of paper.yaml its eye-sized sister for 64 px."""
SIDES = {
    "fast": ["--config", "simgan/fast.yaml", "--trainer.val_check_interval", "150"],
    "published": ["--config", "simgan/paper.yaml", *EYE_SIZED, "--trainer.val_check_interval", "40"],
}
PROBE = ["--data.probe_maps", "256", "--trainer.log_every_n_steps", "20"]


def demo_sets(out: Path, maps: int) -> list[str]:
    """Render the demo's sets, unless they are there; give the words that name them."""
    synthetic, camera = out / "synthetic.zarr", out / "camera.zarr"
    render = ["--count", str(maps), "--size", str(SIZE_PX)]
    unless_whole(camera, ["render", str(camera), *render, "--seed", "1", "--sensor", "kinect1"])
    unless_whole(synthetic, ["render", str(synthetic), *render, "--seed", "0", "--like", str(camera)])
    return ["--data.synthetic", str(synthetic), "--data.real", str(camera)]


def trained(name: str, side: str, stores: list[str], seconds: float, more: list[str]) -> list[dict[str, float]]:
    """Train one side for its time; give what its validations measured."""
    keep_freed_memory()
    with without_expected_noise():
        cli = train.build([*SIDES[side], *PROBE, *stores, "--name", f"{name}/{side}", *more])
        clock = Clock(seconds)
        cli.trainer.callbacks.append(clock)  # pyright: ignore[reportAttributeAccessIssue]
        cli.trainer.fit(cli.model, datamodule=cli.datamodule)
    return clock.rows


def as_markdown(sides: dict[str, list[dict[str, float]]]) -> str:
    """Write the last look at each side, and the first one at the renders that the fast one starts from."""
    lines = ["| | processor time, updates | two-sample accuracy | mean change | missing, refined - camera |"]
    lines.append("|---|---|---|---|---|")
    rows = {"renders": sides["fast"][0], **{name: looks[-1] for name, looks in sides.items()}}
    for name, row in rows.items():
        time_taken = f"{row['processor_s']:.0f} s, {row['updates']:.0f}"
        lines.append(
            f"| {name} | {time_taken} | {row['two_sample_accuracy']:.3f} | {row['shift_mm']:.2f} mm | "
            f"{row['hole_rate_gap']:+.2%} |"
        )
    return "\n".join(lines) + "\n"


def main(words: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("runs/baseline"))
    parser.add_argument("--seconds", type=float, default=300, help="processor time of the updates of each side")
    parser.add_argument("--maps", type=int, default=MAPS, help="of each set")
    given, more = parser.parse_known_args(words)
    settings = {"seconds": given.seconds, "maps": given.maps, "words": [SIDES, PROBE, more]}
    claim(given.out, settings | {"recipes": [digest(shipped(f"simgan/{name}.yaml")) for name in ("fast", "paper")]})
    stores = demo_sets(given.out, given.maps)
    sides = dict[str, list[dict[str, float]]]()
    for side in SIDES:
        path = given.out / f"{side}.json"
        if not path.exists():
            write_json(path, trained(given.out.name, side, stores, given.seconds, more))
        sides[side] = json.loads(path.read_text())
    write_json(given.out / "baseline.json", sides)
    print(as_markdown(sides))
    print(f"{given.out}: baseline.json")


if __name__ == "__main__":
    main()
