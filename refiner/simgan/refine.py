"""Refine a whole dataset: stream it through a trained refiner into a new dataset with the same labels.

Item i of the input becomes the items i K + k of the output, k < K variants; each has noise of its own from
(seed, i, k). The network always sees one fixed, padded batch shape, with every item at the same place in its batch:
float convolutions differ between shapes, and the bytes must not depend on how the work was cut up.
"""

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from refiner.datasets.store import DepthStore
from refiner.datasets.store_writer import CHUNK_ITEMS, StoreWriter, provenance
from refiner.errors import StoreError
from refiner.files import require_apart
from refiner.geometry.depth import DepthCodec, to_mm, to_units
from refiner.nets.refiner.base import Noise, draw_noise
from refiner.simgan.checkpoint import TrainedRefiner, load_refiner

NETWORK_BATCH = 32
SILHOUETTE_MARGIN_PX = 4
_NOISE_STREAM = 0x5265666E  # keeps the noise of refining apart from other uses of the same seed


def refine(
    checkpoint: Path,
    src: Path,
    out: Path,
    *,
    command: str,
    variants: int = 1,
    seed: int = 0,
    device: str = "cpu",
    batch_size: int = 256,
    overwrite: bool = False,
    on_start: Callable[[int, int], Callable[[int], None]] | None = None,
) -> int:
    """Write the refined copy of a dataset; an interrupted one is continued.

    Args:
        checkpoint: A checkpoint of `refiner train`.
        src: The dataset to refine, usually renders.
        out: The dataset to write.
        command: The words that continue this work.
        variants: Refined maps per input map.
        seed: Seed of the noise input.
        device: Where the network runs.
        batch_size: Input maps in memory at a time; does not change a byte of the output.
        overwrite: Replace what lies at `out`.
        on_start: Called once with (maps in all, maps done before); gives the function that counts maps.

    Returns:
        The number of maps in the new dataset.

    Raises:
        CheckpointError: The file is not a checkpoint of this program.
        StoreError: The dataset has another size or cube than the checkpoint.
        OutputExistsError: Something else lies at `out`, or what it is made from does.
    """
    require_apart(out, "the dataset to refine", src)
    require_apart(out, "the checkpoint", checkpoint)
    trained = load_refiner(checkpoint)
    store = DepthStore(src)
    check_fit(store, trained.codec, checkpoint)
    if variants > 1 and not trained.noise_shapes:
        raise StoreError(
            f"--variants {variants}: {checkpoint} has no noise input, so all variants would be the same. "
            "Use --variants 1, or train one that takes noise."
        )
    codec = trained.codec
    configuration = {
        "checkpoint_sha256": file_sha256(checkpoint),
        "variants": variants,
        "device": torch.device(device).type,
    }
    record = provenance(command, configuration, seed, [src])
    record["source"] = store.provenance
    labels = [name for name in store.names if name not in ("depth", "camera", "centre_mm", "cube_mm")]
    # Whole network batches of the input in every chunk of the output, so that no batch is computed twice.
    source_chunk = max(CHUNK_ITEMS // variants // NETWORK_BATCH, 1) * NETWORK_BATCH
    writer = StoreWriter(
        out,
        count=len(store) * variants,
        size=store.size,
        depth_unit_mm=codec.unit_mm,
        provenance=record,
        arrays={name: store.read(name, 0, 1).shape[1:] for name in labels},
        skeleton=store.skeleton,
        overwrite=overwrite,
        chunk_items=source_chunk * variants,
    )
    missing = writer.missing()
    done = writer.count - sum(stop - start for start, stop in missing)
    on_maps = on_start(writer.count, done) if on_start is not None else lambda _count: None
    network = trained.network.to(device).eval()
    for start, stop in missing:
        first, last = start // variants, stop // variants
        maps = [
            refine_items(network, trained, store, begin, end, variants, seed, device)
            for begin, end in _batches(first, last, batch_size)
        ]
        rows = {name: np.repeat(store.read(name, first, last), variants, axis=0) for name in store.names}
        writer.write(start, {**rows, "depth": np.concatenate(maps)})
        on_maps(stop - start)
    writer.finish()
    return writer.count


def check_fit(store: DepthStore, codec: DepthCodec, checkpoint: Path) -> None:
    """Refuse a dataset whose maps mean something else than those the refiner was trained on.

    Raises:
        StoreError: Another size, or another cube.
    """
    if store.size != codec.size:
        raise StoreError(
            f"{store.path} holds maps of {store.size} px, but {checkpoint} was trained on {codec.size} px. "
            f"Render or prepare the set with --size {codec.size}, or train on {store.size} px."
        )
    cubes = store.read("cube_mm")
    if codec.cube_mm is not None and not np.allclose(cubes, codec.cube_mm, atol=0.5):
        worst = cubes[np.argmax(np.abs(cubes - codec.cube_mm))]
        raise StoreError(
            f"{store.path} holds a cube of {worst:g} mm, but {checkpoint} was trained on cubes of "
            f"{codec.cube_mm:g} mm. Render or prepare the set with the same --cube-mm."
        )


def refine_items(
    network: torch.nn.Module,
    trained: TrainedRefiner,
    store: DepthStore,
    start: int,
    stop: int,
    variants: int,
    seed: int,
    device: str,
) -> NDArray[np.uint16]:
    """Refine the items [start, stop), `start` a multiple of the network batch, all variants of each.

    Returns:
        ((stop - start) variants, size, size) in the checkpoint's depth unit, item-major.
    """
    codec = trained.codec
    depth_mm = to_mm(store.read("depth", start, stop), store.depth_unit_mm)
    z_mm, cube_mm = store.read("centre_mm", start, stop)[:, 2], store.read("cube_mm", start, stop)
    values = codec.encode(depth_mm, z_mm, cube_mm)
    allowed = near_silhouette(depth_mm > 0)
    refined = np.empty((stop - start, variants, *depth_mm.shape[1:]), np.uint16)
    for low in range(0, stop - start, NETWORK_BATCH):
        high = min(low + NETWORK_BATCH, stop - start)
        padded = np.ones((NETWORK_BATCH, 1, codec.size, codec.size), np.float32)
        padded[: high - low, 0] = values[low:high]
        distance_mm = np.full(NETWORK_BATCH, 1000, np.float32)
        distance_mm[: high - low] = z_mm[low:high]
        for variant in range(variants):
            items = range(start + low, start + high)
            noise = _noise(trained, seed, items, variant)
            with torch.inference_mode():
                inputs = (
                    torch.from_numpy(padded).to(device),
                    {name: values.to(device) for name, values in noise.items()},
                    torch.from_numpy(distance_mm).to(device),
                )
                output = network(*inputs).float().cpu().numpy()[: high - low, 0]
            decoded = codec.decode(output, z_mm[low:high], cube_mm[low:high])
            refined[low:high, variant] = to_units(np.where(allowed[low:high], decoded, 0), codec.unit_mm)
    return refined.reshape(-1, *depth_mm.shape[1:])


def near_silhouette(hand: NDArray[np.bool_], margin_px: float = SILHOUETTE_MARGIN_PX) -> NDArray[np.bool_]:
    """Say which pixels lie at most `margin_px` from the synthetic silhouette; beyond it a refined map is 0.

    Args:
        hand: (N, H, W), true on the hand.
        margin_px: Euclidean distance between pixel centres.
    """
    outside = (~hand).astype(np.uint8)
    distances = [cv2.distanceTransform(map_, cv2.DIST_L2, cv2.DIST_MASK_PRECISE) for map_ in outside]
    return (np.stack(distances) <= margin_px) & np.any(hand, axis=(1, 2), keepdims=True)


def file_sha256(path: Path) -> str:
    """Give the SHA-256 of a file's bytes."""
    with Path(path).open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _batches(first: int, last: int, batch_size: int) -> Iterator[tuple[int, int]]:
    step = max(-(-batch_size // NETWORK_BATCH), 1) * NETWORK_BATCH
    return ((begin, min(begin + step, last)) for begin in range(first, last, step))


def _noise(trained: TrainedRefiner, seed: int, items: range, variant: int) -> Noise:
    """Draw the noise of items; what a batch is padded with gets zeros."""
    keys = ((_NOISE_STREAM, seed, item, variant) for item in items)
    drawn = draw_noise(trained.noise_shapes, map(np.random.default_rng, keys))
    padding = NETWORK_BATCH - len(items)
    return {name: torch.cat([rows, rows.new_zeros((padding, *rows.shape[1:]))]) for name, rows in drawn.items()}
