"""Batches of labelled maps for a pose estimator."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, IterableDataset

from refiner.datasets.batches import DepthMaps
from refiner.datasets.store import DepthStore
from refiner.errors import StoreError
from refiner.frameworks import lightning as L
from refiner.geometry.depth import DepthCodec
from refiner.hand.skeleton import Skeleton
from refiner.pose.coordinates import to_crop

PoseBatch = tuple[Tensor, Tensor, Tensor]
"""(b, 1, H, W) network depth; (b, J, 3) crop coordinates, NaN where unknown; (b,) sides of the cubes in mm."""

_SHUFFLE, _SPLIT, _DEQUANTISE = 0x7073, 0x7076, 0x7064


class LabelledMaps:
    """The labelled items of one store, as networks see them."""

    def __init__(self, store: DepthStore, digest: str, codec: DepthCodec) -> None:
        """Decode the maps where that was not done before, and turn all labels into crop coordinates.

        Raises:
            StoreError: There are no labels.
        """
        skeleton_of(store)
        cubes = store.read("cube_mm")
        self.maps = DepthMaps(store, codec, digest)
        self.joints = to_crop(store.read("joints_mm"), store.read("camera"), store.read("centre_mm"), cubes, store.size)
        self.items: NDArray[np.int64] = np.flatnonzero(np.isfinite(self.joints).all(axis=-1).any(axis=-1))
        if len(self.items) == 0:
            raise StoreError(f"{store.path}: no item has a known joint (all NaN), wanted labels.")

    def batch(self, items: NDArray[np.int64], rng: np.random.Generator) -> PoseBatch:
        """Read items; camera maps are dequantised, so that whole millimetres mean nothing."""
        depth, cube_mm = self.maps.network_depth(items, rng)
        return depth, torch.from_numpy(self.joints[items]), cube_mm


class _ShuffledBatches(IterableDataset[PoseBatch]):
    """Batches without end: every epoch is a permutation of its own, and batch `step` is the same whenever asked."""

    def __init__(self, maps: LabelledMaps, items: NDArray[np.int64], batch_size: int, key: tuple[int, int], start: int):
        self._maps, self._items, self._size = maps, items, min(batch_size, len(items))
        self._key, self._start = key, start

    def __iter__(self) -> Iterator[PoseBatch]:
        per_epoch = len(self._items) // self._size
        step, order, epoch = self._start, self._items, -1
        while True:
            if step // per_epoch != epoch:
                epoch = step // per_epoch
                order = np.random.default_rng((_SHUFFLE, *self._key, epoch)).permutation(self._items)
            at = step % per_epoch * self._size
            rng = np.random.default_rng((_DEQUANTISE, *self._key, step))
            yield self._maps.batch(np.sort(order[at : at + self._size]), rng)
            step += 1


class _FixedBatches(Dataset[PoseBatch]):
    """Held-out items in order."""

    def __init__(self, maps: LabelledMaps, items: NDArray[np.int64], batch_size: int):
        self._maps, self._items, self._size = maps, items, batch_size

    def __len__(self) -> int:
        return -(-len(self._items) // self._size)

    def __getitem__(self, index: int) -> PoseBatch:
        items = self._items[index * self._size : (index + 1) * self._size]
        return self._maps.batch(items, np.random.default_rng((_DEQUANTISE, index)))


class LabelledDepth(L.LightningDataModule):
    """One labelled store, a part of it held out.

    Attributes:
        skeleton: Joint set of the store.
        codec: What the network's values mean; without a cube, since each item brings its own.
        provenance: Path, digest and number of maps.
    """

    def __init__(
        self,
        store: Path,
        batch_size: int = 32,
        seed: int = 0,
        held_out: float = 0.05,
        tau: float = 0.05,
    ) -> None:
        """Open the store.

        Args:
            store: Labelled dataset.
            batch_size: Maps in a batch.
            seed: Seed of the order.
            held_out: Share of the items that validation looks at and training never sees: the last ones, since
                neighbours of a sequence are alike.
            tau: Network values above 1 - tau mean no reading (see `DepthCodec`).

        Raises:
            StoreError: There are no labels, or too few items.
        """
        super().__init__()
        if not 0 < held_out < 1:
            raise ValueError(f"Found held_out {held_out}, wanted a share between 0 and 1.")
        self.batch_size, self.seed = batch_size, seed
        self._store = DepthStore(store)
        self.skeleton = skeleton_of(self._store)
        self.codec = DepthCodec(self._store.size, None, self._store.depth_unit_mm, tau)
        digest = self._store.digest()
        self.provenance = {"labelled": {"path": str(store), "digest": digest, "maps": len(self._store)}}
        self._maps: LabelledMaps | None = None
        self._held_out = held_out

    def setup(self, stage: str = "fit") -> None:  # noqa: ARG002
        """Open the decoded file."""
        self._maps = LabelledMaps(self._store, self.provenance["labelled"]["digest"], self.codec)

    def split(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Give the items to train on and the held-out ones."""
        assert self._maps is not None
        items = self._maps.items
        held = max(1, round(len(items) * self._held_out))
        if len(items) <= held:
            raise StoreError(f"{self._store.path} has {len(items)} labelled items, wanted at least 2.")
        return items[:-held], items[-held:]

    def train_dataloader(self) -> DataLoader[PoseBatch]:
        """Load shuffled batches, from the update that the trainer is about to do."""
        trainer = self.trainer
        start, rank = (trainer.global_step, trainer.global_rank) if trainer else (0, 0)
        assert self._maps is not None
        batches = _ShuffledBatches(self._maps, self.split()[0], self.batch_size, (self.seed, rank), start)
        return DataLoader(batches, batch_size=None, pin_memory=torch.cuda.is_available(), generator=torch.Generator())

    def val_dataloader(self) -> DataLoader[PoseBatch]:
        """Load the held-out items."""
        assert self._maps is not None
        return DataLoader(
            _FixedBatches(self._maps, self.split()[1], self.batch_size), batch_size=None, generator=torch.Generator()
        )


def skeleton_of(store: DepthStore) -> Skeleton:
    """Give the joint set of a labelled store.

    Raises:
        StoreError: There are no labels.
    """
    if store.skeleton is None or "joints_mm" not in store.names:
        raise StoreError(
            f"{store.path} has no joints_mm, wanted labels. Take renders, refined renders or an annotated set."
        )
    return store.skeleton
