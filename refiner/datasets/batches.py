"""Which maps make a batch: sequences of batches of rendered and of camera maps.

A training batch is a pure function of (seed, step, rank): maps are drawn with replacement by a generator of exactly
these three, whatever came before, so a run resumes at any update with the very batch it would have had. Camera maps
are dequantised by the same generator, since whole millimetres would tell them from refined ones, unless those are
rounded; renders are not, since `refiner refine` will not.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import Dataset, IterableDataset, get_worker_info

from refiner.datasets.cache import DecodedMaps, decode_store
from refiner.datasets.store import DepthStore
from refiner.geometry.depth import DepthCodec, dequantize, to_mm
from refiner.types import UnpairedBatch

# Uses of one seed that must not share random numbers.
_TRAINING, _PROBE = 0x7472, 0x7072


class DepthMaps:
    """One store's maps as network depth, in any order, from its decoded file."""

    def __init__(self, store: DepthStore, codec: DepthCodec, digest: str) -> None:
        """Decode the store where that was not done before.

        Args:
            store: The store.
            codec: Gives the network's values.
            digest: The store's digest.
        """
        self._maps: DecodedMaps = decode_store(store, digest)
        self._codec, self._unit_mm = codec, store.depth_unit_mm
        self._z_mm = store.read("centre_mm")[:, 2]
        self._cube_mm = store.read("cube_mm")

    def __len__(self) -> int:
        """Give the number of maps."""
        return len(self._maps)

    def network_depth(
        self, items: NDArray[np.integer[Any]], rng: np.random.Generator | None = None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Read maps.

        Args:
            items: (n,).
            rng: Where given, readings are spread uniformly within their quantisation step.

        Returns:
            (n, 1, H, W) float32 in [-1, 1], and (n,) float32 sides of the cubes in mm.
        """
        depth_mm = to_mm(self._maps.read(items), self._unit_mm)
        if rng is not None:
            depth_mm = dequantize(depth_mm, self._unit_mm, rng)
        values = self._codec.encode(depth_mm, self._z_mm[items], self._cube_mm[items])
        return torch.from_numpy(values[:, None]), torch.from_numpy(self._cube_mm[items])

    def distance_mm(self, items: NDArray[np.integer[Any]]) -> torch.Tensor:
        """Give the depth of the centre of each map's cube, (n,) float32."""
        return torch.from_numpy(self._z_mm[items])


class TrainingBatches(IterableDataset[UnpairedBatch]):
    """The batches start, start + 1, ... without end."""

    def __init__(
        self,
        synthetic: DepthMaps,
        real: DepthMaps,
        items: tuple[NDArray[np.int64], NDArray[np.int64]],
        *,
        batch_size: int,
        seed: int,
        rank: int,
        start: int,
        dequantize: bool = True,
        paired: bool = False,
    ) -> None:
        """Define the sequence of batches.

        Args:
            synthetic: Rendered maps.
            real: Camera maps.
            items: The maps to draw from, of each.
            batch_size: Maps of each in a batch.
            seed: Seed of the run.
            rank: Number of this device among all.
            start: Number of the first batch.
            dequantize: Whether camera readings are spread within their depth unit.
            paired: Whether the camera maps are those of the rendered hands: of render i map i, counted from the first
                again where there are more renders.
        """
        self._synthetic, self._real, self._items = synthetic, real, items
        self._batch_size, self._seed, self._rank, self._start = batch_size, seed, rank, start
        self._dequantize, self._paired = dequantize, paired

    def batch(self, step: int) -> UnpairedBatch:
        """Give the batch of one step."""
        rng = np.random.default_rng((_TRAINING, self._seed, step, self._rank))
        synthetic, real = (rng.choice(items, self._batch_size) for items in self._items)
        if self._paired:
            real = synthetic % len(self._real)
        return _batch(self._synthetic, synthetic, self._real, real, rng if self._dequantize else None)

    def __iter__(self) -> Iterator[UnpairedBatch]:
        """Give every batch, or with W workers every W-th: the loader takes turns among its workers."""
        worker = get_worker_info()
        step, stride = (self._start, 1) if worker is None else (self._start + worker.id, worker.num_workers)
        while True:
            yield self.batch(step)
            step += stride


class ProbeBatches(Dataset[UnpairedBatch]):
    """The held-out maps in a fixed order, in fixed batches: what validation looks at every time."""

    def __init__(
        self,
        synthetic: DepthMaps,
        real: DepthMaps,
        items: tuple[NDArray[np.int64], NDArray[np.int64]],
        batch_size: int,
        dequantize: bool = True,
    ) -> None:
        """Define the batches; both item arrays have the same length."""
        self._synthetic, self._real, self._items, self._batch_size = synthetic, real, items, batch_size
        self._dequantize = dequantize

    def __len__(self) -> int:
        """Give the number of batches."""
        return -(-len(self._items[0]) // self._batch_size)

    def __getitem__(self, index: int) -> UnpairedBatch:
        """Give one batch; the last may be smaller."""
        part = slice(index * self._batch_size, (index + 1) * self._batch_size)
        synthetic, real = (items[part] for items in self._items)
        rng = np.random.default_rng((_PROBE, index)) if self._dequantize else None
        return _batch(self._synthetic, synthetic, self._real, real, rng)


def _batch(
    synthetic: DepthMaps,
    synthetic_items: NDArray[np.int64],
    real: DepthMaps,
    real_items: NDArray[np.int64],
    rng: np.random.Generator | None,
) -> UnpairedBatch:
    rendered, rendered_cube_mm = synthetic.network_depth(synthetic_items)
    camera, camera_cube_mm = real.network_depth(real_items, rng)
    return {
        "synthetic": rendered,
        "real": camera,
        "synthetic_cube_mm": rendered_cube_mm,
        "real_cube_mm": camera_cube_mm,
        "synthetic_distance_mm": synthetic.distance_mm(synthetic_items),
        "real_distance_mm": real.distance_mm(real_items),
    }
