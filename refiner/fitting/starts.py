"""Where a fit begins: the rendered hands that are most like a map, out of many of all poses and views."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

import numba
import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from refiner.fitting.settle import PlacedHand
from refiner.fitting.target import Target
from refiner.render.generate import render_hands
from refiner.render.settings import RenderSettings
from refiner.threads import map_ranges

SIZE_PX = 32
_CLIP_MM, _MISSED_MM = 60.0, 100.0
"""Depths about the centre are clipped; no reading counts as so far behind it."""
_MOST_MM = 40.0
_BLOCK = 64


@dataclass(frozen=True, eq=False)
class Bank:
    """Rendered right hands.

    Attributes:
        relative_mm: (N, 32, 32), depth about the cube's centre, clipped.
        pose: (N, 26).
        shape: (N, 17).
        wrist_mm: (N, 3) from the cube's centre.
    """

    relative_mm: NDArray[np.float32]
    pose: NDArray[np.float64]
    shape: NDArray[np.float64]
    wrist_mm: NDArray[np.float64]

    @cached_property
    def views(self) -> list[NDArray[np.int64]]:
        """Give the hands that show the camera their palm, and those that show their back; one of them where all do."""
        towards = Rotation.from_rotvec(self.pose[:, :3]).as_matrix()[:, 2, 2] >= 0
        return [items for items in (np.flatnonzero(~towards), np.flatnonzero(towards)) if len(items)]

    def starts(self, target: Target, centre_mm: NDArray[np.float64], side: int, count: int) -> list[list[PlacedHand]]:
        """Give the hands most like a map, placed before its camera, the best first, for each of `views`.

        A fist from the palm and one from the back are next to the same at few pixels, so that all of the nearest may be
        on the wrong side.

        Args:
            target: The map.
            centre_mm: (3,), centre of its cube.
            side: 0 right; 1 left: the bank is looked at in a mirror.
            count: How many in all.
        """
        wanted, seen = _shrunk(target, float(centre_mm[2]))
        if side == 1:
            wanted, seen = wanted[:, ::-1], seen[:, ::-1]
        cost = np.empty(len(self.relative_mm), dtype=np.float32)
        _compare(self.relative_mm, np.ascontiguousarray(wanted), np.ascontiguousarray(seen), cost)
        # In a mirror x changes its sign, and a rotation vector y and z: it is an axial one.
        mirror = np.array([-1.0, 1.0, 1.0]) if side == 1 else np.ones(3)

        def placed(item: int) -> PlacedHand:
            pose = self.pose[item].copy()
            pose[:3] *= mirror[0] * mirror
            return PlacedHand(pose, self.shape[item], centre_mm + mirror * self.wrist_mm[item], side)

        share = max(1, count // len(self.views))
        return [[placed(k) for k in items[np.argsort(cost[items], kind="stable")[:share]]] for items in self.views]


def make_bank(
    settings: RenderSettings, count: int, seed: int, on_progress: Callable[[int], None] = lambda _done: None
) -> Bank:
    """Render a bank.

    Args:
        settings: What to draw hands from; its size and its share of left hands are not used.
        count: Number of hands.
        seed: Not negative.
        on_progress: Called with the number of hands since the last call.
    """
    settings = replace(
        settings, size=SIZE_PX, prior=replace(settings.prior, left=0.0), poses=None, noise=False,
        sensor=replace(settings.sensor, model=None),
    )  # fmt: skip

    def some(start: int, stop: int) -> tuple[NDArray[np.floating], ...]:
        rows = render_hands(settings, seed=seed, items=np.arange(start, stop))
        depth_mm = rows["depth"].astype(np.float32) * np.float32(settings.depth_unit_mm)
        relative = np.clip(depth_mm - rows["centre_mm"][:, 2, None, None], -_CLIP_MM, _CLIP_MM)
        on_progress(stop - start)
        return (
            np.where(depth_mm > 0, relative, np.float32(_MISSED_MM)), rows["pose"].astype(np.float64),
            rows["shape"].astype(np.float64), (rows["joints_mm"][:, 0] - rows["centre_mm"]).astype(np.float64),
        )  # fmt: skip

    parts = map_ranges(some, count)
    return Bank(*(np.concatenate(column) for column in zip(*parts, strict=True)))  # pyright: ignore[reportArgumentType]


def _shrunk(target: Target, centre_z_mm: float) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Average a map's readings over the bank's pixels, as many as are covered by the map's."""
    size = len(target.depth_mm)
    at = (np.arange(size) * SIZE_PX) // size
    place = at[:, None] * SIZE_PX + at
    weight = np.bincount(place.ravel(), minlength=SIZE_PX**2)
    readings = np.bincount(place.ravel(), (target.depth_mm > 0).ravel(), minlength=SIZE_PX**2)
    total = np.bincount(place.ravel(), target.depth_mm.ravel(), minlength=SIZE_PX**2)
    mean = np.clip(total / np.maximum(readings, 1) - centre_z_mm, -_CLIP_MM, _CLIP_MM)
    wanted = np.where(readings * 2 >= np.maximum(weight, 1), mean, _MISSED_MM).astype(np.float32)
    seen = np.bincount(place.ravel(), target.seen.ravel(), minlength=SIZE_PX**2) * 2 > weight
    return wanted.reshape(SIZE_PX, SIZE_PX), seen.reshape(SIZE_PX, SIZE_PX)


@numba.njit(nogil=True, cache=True)
def _compare(bank, wanted, seen, cost):
    for n in range(bank.shape[0]):
        total = np.float32(0.0)
        for v in range(wanted.shape[0]):
            for u in range(wanted.shape[1]):
                if seen[v, u]:
                    total += min(abs(bank[n, v, u] - wanted[v, u]), np.float32(_MOST_MM))
        cost[n] = total
