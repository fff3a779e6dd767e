"""Batches of labelled maps for a pose estimator."""

from collections.abc import Iterator, Sequence
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
    """The labelled items of one store or several, as networks see them; numbered on from store to store.

    Attributes:
        items: Items with a known joint, one array a store.
    """

    def __init__(self, stores: Sequence[DepthStore], digests: Sequence[str], codec: DepthCodec) -> None:
        """Decode the maps where that was not done before, and turn all labels into crop coordinates.

        Raises:
            StoreError: A store has no labels.
        """
        self.maps = [DepthMaps(store, codec, digest) for store, digest in zip(stores, digests, strict=True)]
        self._starts = np.cumsum([0, *map(len, self.maps)])
        joints = [
            to_crop(
                store.read("joints_mm"),
                store.read("camera"),
                store.read("centre_mm"),
                store.read("cube_mm"),
                store.size,
            )
            for store in stores
        ]
        self.items: list[NDArray[np.int64]] = []
        for store, part, start in zip(stores, joints, self._starts, strict=False):
            known = np.flatnonzero(np.isfinite(part).all(axis=-1).any(axis=-1))
            if len(known) == 0:
                raise StoreError(f"{store.path}: no item has a known joint (all NaN), wanted labels.")
            self.items.append(known + start)
        self.joints = np.concatenate(joints)

    def batch(self, items: NDArray[np.int64], rng: np.random.Generator) -> PoseBatch:
        """Read items in rising order; camera maps are dequantised, so that whole millimetres mean nothing."""
        parts = []
        for maps, start, stop in zip(self.maps, self._starts, self._starts[1:], strict=False):
            own = items[(items >= start) & (items < stop)] - start
            if len(own):
                parts.append(maps.network_depth(own, rng))
        depth, cube_mm = (torch.cat(part) if len(parts) > 1 else part[0] for part in zip(*parts, strict=True))
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
    """One labelled store or several, a part of each held out.

    Attributes:
        skeleton: Joint set of the stores.
        codec: What the network's values mean; without a cube, since each item brings its own.
        provenance: Path, digest and number of maps of each store, by `labelled`, `labelled_1` and so on.
    """

    def __init__(
        self,
        store: Path | list[Path],
        batch_size: int = 32,
        seed: int = 0,
        held_out: float = 0.05,
        tau: float = 0.05,
    ) -> None:
        """Open the stores.

        Args:
            store: Labelled dataset, or several of one map size and joint set, whose maps are mixed.
            batch_size: Maps in a batch.
            seed: Seed of the order.
            held_out: Share of each store's items that validation looks at and training never sees: the last ones,
                since neighbours of a sequence are alike.
            tau: Network values above 1 - tau mean no reading (see `DepthCodec`).

        Raises:
            StoreError: There are no labels, too few items, or stores that do not go together.
        """
        super().__init__()
        if not 0 < held_out < 1:
            raise ValueError(f"Found held_out {held_out}, wanted a share between 0 and 1.")
        self.batch_size, self.seed = batch_size, seed
        paths = store if isinstance(store, list) else [store]
        self._stores = [DepthStore(path) for path in paths]
        first = self._stores[0]
        self.skeleton = skeleton_of(first)
        for other in self._stores[1:]:
            if other.size != first.size or skeleton_of(other).joints != self.skeleton.joints:
                raise StoreError(
                    f"{other.path} has maps of {other.size} px and the joints of {skeleton_of(other).name}, but "
                    f"{first.path} {first.size} px and {self.skeleton.name}; wanted the same to mix them."
                )
        self.codec = DepthCodec(first.size, None, max(part.depth_unit_mm for part in self._stores), tau)
        self.provenance = {
            f"labelled_{index}" if index else "labelled": {
                "path": str(part.path), "digest": part.digest(), "maps": len(part),
            }
            for index, part in enumerate(self._stores)
        }  # fmt: skip
        self._maps: LabelledMaps | None = None
        self._held_out = held_out

    def setup(self, stage: str = "fit") -> None:  # noqa: ARG002
        """Open the decoded file."""
        self._maps = LabelledMaps(self._stores, [part["digest"] for part in self.provenance.values()], self.codec)

    @property
    def unlabelled(self) -> int:
        """How many items have no known joint, and are left out; known after `setup`."""
        assert self._maps is not None
        return sum(map(len, self._stores)) - sum(map(len, self._maps.items))

    def split(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Give the items to train on and the held-out ones."""
        assert self._maps is not None
        train, held = [], []
        for store, items in zip(self._stores, self._maps.items, strict=True):
            count = max(1, round(len(items) * self._held_out))
            if len(items) <= count:
                raise StoreError(f"{store.path} has {len(items)} labelled items, wanted at least 2.")
            train.append(items[:-count])
            held.append(items[-count:])
        return np.concatenate(train), np.concatenate(held)

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
