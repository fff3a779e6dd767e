"""`refiner refine`: pass a whole dataset through a trained refiner."""

import shlex

from refiner.cli.device import device_named, keep_float32_whole
from refiner.cli.progress import Progress


def refine(
    checkpoint: str,
    src: str,
    out: str,
    *,
    variants: int = 1,
    seed: int = 0,
    device: str = "auto",
    batch_size: int = 256,
    overwrite: bool = False,
) -> None:
    """Pass a whole dataset through a trained refiner; labels, cameras and sources are carried over unchanged.

    An interrupted run is continued by the same command. Item i of SRC becomes the items i*K + k of OUT.

    Args:
        checkpoint: A checkpoint of `refiner train`, for example runs/NAME/version_0/checkpoints/last.ckpt.
        src: The dataset to refine (NAME.zarr), usually renders.
        out: The dataset to write.
        variants: Refined maps per input map (K), each with noise of its own; needs a refiner with a noise input.
        seed: Seed of the noise.
        device: cpu, cuda, cuda:1, mps, or auto.
        batch_size: Maps in memory at a time; does not change a byte of OUT.
        overwrite: Replace OUT where it exists.
    """
    from pathlib import Path

    from refiner.errors import UsageError
    from refiner.simgan.refine import refine as refine_dataset

    if variants < 1 or batch_size < 1:
        raise UsageError(f"Found --variants {variants} --batch-size {batch_size}, wanted both >= 1.")
    words = ["refiner", "refine", checkpoint, src, out, "--variants", str(variants), "--seed", str(seed)]

    progress: list[Progress] = []

    def start(total: int, done: int):
        progress.append(Progress(total, "maps", start=done))
        return progress[0].update

    keep_float32_whole()
    count = refine_dataset(
        Path(checkpoint),
        Path(src),
        Path(out),
        command=shlex.join(words),
        variants=variants,
        seed=seed,
        device=device_named(device),
        batch_size=batch_size,
        overwrite=overwrite,
        on_start=start,
    )
    progress[0].close()
    print(f"{out}: {count} refined maps")
