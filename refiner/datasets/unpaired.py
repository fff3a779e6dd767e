"""Batches of rendered and of camera maps for SimGAN: opens two stores, checks that they fit, splits off the probe."""

from pathlib import Path

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset, IterableDataset

from refiner.datasets.batches import DepthMaps, ProbeBatches, TrainingBatches
from refiner.datasets.facts import TrainingFacts, camera_pixels
from refiner.datasets.store import DepthStore
from refiner.errors import StoreError
from refiner.frameworks import lightning as L
from refiner.geometry.depth import DepthCodec
from refiner.types import UnpairedBatch

FEWEST_MAPS = 10
"""A store with fewer maps cannot be split into maps to train on and maps to check with."""

_SPLIT = 0x7370  # keeps the random numbers of the split apart from those of batches


class UnpairedDepth(L.LightningDataModule):
    """Rendered and camera maps in equal numbers, of two stores.

    Attributes:
        facts: What is known of the maps.
        provenance: Path, digest and number of maps of both stores.
    """

    def __init__(
        self,
        synthetic: Path,
        real: Path,
        batch_size: int = 32,
        seed: int = 0,
        size: int | None = None,
        probe_maps: int = 256,
        tau: float = 0.05,
        dequantize: bool = True,
        paired: bool = False,
        num_workers: int = 0,
    ) -> None:
        """Open both stores and refuse them where they do not fit together.

        Args:
            synthetic: Store of rendered maps.
            real: Store of camera maps; labels in it are not looked at.
            batch_size: Maps of each store in a batch.
            seed: Seed of the batches.
            size: Side of the maps in pixels that the recipe is made for; none takes what the stores hold.
            probe_maps: Maps of each store that validation looks at and training never sees; a fifth of the store at
                most.
            tau: Network values above 1 - tau mean no reading (see `DepthCodec`).
            dequantize: Whether camera readings are spread uniformly within their depth unit, since whole millimetres
                would tell them from refined ones. That is noise of 0.29 units, which a refiner imitates: where the
                camera's is less than a few units keep them whole, and the refined maps are rounded before D.
            paired: Whether item i of both stores shows the same hand in the same crop, as renders of what `refiner fit`
                found in the real store do. Batches then hold pairs.
            num_workers: Processes that read ahead; 0 reads between updates.

        Raises:
            StoreError: The stores differ in size or cube, are of another size than wanted, hold too few maps, or are
                no pairs.
            IncompleteStoreError: The writing of a store was interrupted.
            DatasetNotFoundError: There is no store.
        """
        super().__init__()
        self.batch_size, self.seed, self.num_workers = batch_size, seed, num_workers
        self.dequantize = dequantize
        self._stores = DepthStore(synthetic), DepthStore(real)
        for store in self._stores:
            _check_store(store, size)
        if paired:
            _check_pairs(*self._stores)
        codec = DepthCodec(self._stores[0].size, _common_cube(*self._stores), self._stores[1].depth_unit_mm, tau)
        distances_mm = self._stores[0].read("centre_mm")[:, 2]
        self.facts = TrainingFacts(
            codec, float(np.median(distances_mm)), float(distances_mm.min()), camera_pixels(self._stores[1].sensor),
            whole_units=not dequantize, paired=paired,
        )  # fmt: skip
        self.provenance = {
            name: {"path": str(store.path), "digest": store.digest(), "maps": len(store)}
            for name, store in zip(("synthetic", "real"), self._stores, strict=True)
        }
        probe = min(probe_maps, *(len(store) // 5 for store in self._stores))
        orders = [np.random.default_rng((_SPLIT, len(store))).permutation(len(store)) for store in self._stores]
        self._probe_items = orders[0][:probe], orders[1][:probe]
        self._training_items = orders[0][probe:], orders[1][probe:]
        self._maps: tuple[DepthMaps, DepthMaps] | None = None

    def prepare_data(self) -> None:
        """Decode both stores, once per machine."""
        self._open()

    def setup(self, stage: str) -> None:  # noqa: ARG002
        """Open the decoded files."""
        self._maps = self._open()

    def training_batches(self, start: int = 0, rank: int = 0) -> TrainingBatches:
        """Give the endless sequence of batches from one step on."""
        maps = self._maps or self._open()
        return TrainingBatches(
            *maps, self._training_items,
            batch_size=self.batch_size, seed=self.seed, rank=rank, start=start,
            dequantize=self.dequantize, paired=self.facts.paired,
        )  # fmt: skip

    def train_dataloader(self) -> DataLoader[UnpairedBatch]:
        """Load the training batches, beginning with the update that the trainer is about to do."""
        trainer = self.trainer
        start, rank = (trainer.global_step, trainer.global_rank) if trainer else (0, 0)
        return self._loader(self.training_batches(start, rank))

    def val_dataloader(self) -> DataLoader[UnpairedBatch]:
        """Load the fixed probe."""
        maps = self._maps or self._open()
        return self._loader(ProbeBatches(*maps, self._probe_items, self.batch_size, self.dequantize))

    def _open(self) -> tuple[DepthMaps, DepthMaps]:
        synthetic, real = self._stores
        digests = {name: entry["digest"] for name, entry in self.provenance.items()}
        return (
            DepthMaps(synthetic, self.facts.codec, digests["synthetic"]),
            DepthMaps(real, self.facts.codec, digests["real"]),
        )

    def _loader(self, batches: Dataset[UnpairedBatch]) -> DataLoader[UnpairedBatch]:
        workers = self.num_workers if isinstance(batches, IterableDataset) else 0
        return DataLoader(
            batches,
            batch_size=None,
            num_workers=workers,
            pin_memory=torch.cuda.is_available(),
            generator=torch.Generator(),
        )


def _check_store(store: DepthStore, size: int | None) -> None:
    if len(store) < FEWEST_MAPS:
        raise StoreError(f"{store.path} holds {len(store)} maps, wanted at least {FEWEST_MAPS} to train on.")
    if size is not None and store.size != size:
        raise StoreError(
            f"{store.path} holds maps of {store.size} px, but this recipe wants {size} px (data.size). Render or "
            f"prepare the set with --size {size}, or give --data.size {store.size}."
        )
    cubes = store.read("cube_mm")
    if not (cubes > 0).all():
        raise StoreError(
            f"{store.path}: item {int(np.argmin(cubes))} has a cube of {cubes.min():g} mm, wanted > 0. "
            "Make the set again."
        )


def _check_pairs(synthetic: DepthStore, real: DepthStore) -> None:
    centres_mm = [store.read("centre_mm") for store in (synthetic, real)]
    if len(synthetic) != len(real) or not np.allclose(*centres_mm, rtol=0, atol=0.01):
        raise StoreError(
            f"{synthetic.path} ({len(synthetic)} maps) and {real.path} ({len(real)}) are no pairs: wanted the same "
            "hands in the same crops, in one order. Render what `refiner fit` found in the real store (`refiner render "
            "--poses`), or train without pairs (data.paired: false, model.objective.paired_weight: 0)."
        )


def _common_cube(synthetic: DepthStore, real: DepthStore) -> float | None:
    """Give the cube that all maps share, none where items have their own; refuse sets at different scales."""
    if synthetic.size != real.size:
        raise StoreError(
            f"{synthetic.path} holds maps of {synthetic.size} px and {real.path} of {real.size} px; wanted the same. "
            f"Render with --size {real.size} (or with --like {real.path})."
        )
    cubes = [store.read("cube_mm") for store in (synthetic, real)]
    typical = [float(np.median(cube)) for cube in cubes]
    shared = all(np.allclose(cube, typical[0], atol=0.5) for cube in cubes)
    # Sets whose items have their own cubes may differ a little; a set that is plainly of another scale may not.
    varying = any(np.ptp(cube) > 0.5 for cube in cubes)
    if not shared and not (varying and abs(typical[0] / typical[1] - 1) < 0.1):
        raise StoreError(
            f"{synthetic.path} has cubes of {typical[0]:g} mm and {real.path} of {typical[1]:g} mm (median); wanted "
            "the same, or millimetres of noise would mean something else in each. Make one again with the other's "
            "--cube-mm."
        )
    return typical[0] if shared else None
