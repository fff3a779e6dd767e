"""The history of refined images (section 2.3 of the paper).

The discriminator must not forget what earlier refiners did, or the refiner brings it back. So half of its refined
maps are drawn from a store of earlier ones, half of which is never the newest. A plain object on the CPU in half
precision and not a registered buffer: a buffer would be in every `state_dict`, and weight averaging would average it.
"""

from typing import Any

import torch
from torch import Tensor


class RefinedHistory:
    """At most `capacity` refined maps, with a random generator of its own."""

    def __init__(self, capacity: int, seed: int) -> None:
        """Begin empty.

        Args:
            capacity: The paper's B, in maps; 0 keeps none.
            seed: Seed of the choice of places.
        """
        if capacity < 0:
            raise ValueError(f"Found a history of {capacity} maps, wanted >= 0.")
        self.capacity = capacity
        self._generator = torch.Generator().manual_seed(seed)
        self._maps: Tensor | None = None
        self._distances_mm = torch.empty(0)
        self._count = 0

    def __len__(self) -> int:
        """Give the number of maps it holds."""
        return self._count

    @property
    def fill(self) -> float:
        """Give the share of the capacity that is in use."""
        return self._count / self.capacity if self.capacity else 0.0

    def exchange(self, refined: Tensor, distance_mm: Tensor) -> tuple[Tensor, Tensor]:
        """Give the refined maps of one discriminator update, then remember half of the new ones.

        Sampled first: b/2 different maps of the history (what there is while it fills), the rest from the current
        batch. Then b/2 random maps of the current batch are added, or, once the history is full, put in the place
        of b/2 random ones.

        Args:
            refined: (b, ...), the newest; must carry no gradient.
            distance_mm: (b,), how far away each shows the hand; travels with it.

        Returns:
            (b, ...) and (b,), history last.
        """
        if refined.requires_grad:
            raise ValueError("The history holds results, not graphs: detach the refined maps first.")
        if self._maps is not None and refined.shape[1:] != self._maps.shape[1:]:
            raise ValueError(
                f"The history holds maps of shape {tuple(self._maps.shape[1:])}, found {tuple(refined.shape[1:])}."
            )
        half = min(len(refined) // 2, self.capacity)
        old = min(half, self._count)
        chosen = self._permutation(self._count)[:old]
        mixed = refined, distance_mm
        if old:
            assert self._maps is not None
            kept = len(refined) - old
            mixed = (
                torch.cat([refined[:kept], self._maps[chosen].to(refined)]),
                torch.cat([distance_mm[:kept], self._distances_mm[chosen].to(distance_mm)]),
            )
        if half:
            new = self._permutation(len(refined))[:half].to(refined.device)
            self._remember(refined[new], distance_mm[new])
        return mixed

    def state_dict(self) -> dict[str, Any]:
        """Give its maps and its generator's state as plain tensors and numbers."""
        maps = None if self._maps is None else self._maps[: self._count].clone()
        distances_mm = self._distances_mm[: self._count].clone()
        return {"maps": maps, "distances_mm": distances_mm, "generator": self._generator.get_state()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from `state_dict`; of more maps than fit, the first are taken."""
        self._maps, self._count = None, 0
        self._generator.set_state(state["generator"].cpu())
        if state["maps"] is not None and self.capacity:
            kept = state["maps"][: self.capacity].cpu()
            self._allocate(kept)
            assert self._maps is not None
            self._maps[: len(kept)] = kept
            self._distances_mm[: len(kept)] = state["distances_mm"][: self.capacity].cpu()
            self._count = len(kept)

    def _permutation(self, count: int) -> Tensor:
        return torch.randperm(count, generator=self._generator)

    def _allocate(self, like: Tensor) -> None:
        self._maps = torch.empty((self.capacity, *like.shape[1:]), dtype=torch.float16)
        self._distances_mm = torch.empty(self.capacity)

    def _remember(self, new: Tensor, distance_mm: Tensor) -> None:
        if self._maps is None:
            self._allocate(new)
        assert self._maps is not None
        added = min(len(new), self.capacity - self._count)
        self._maps[self._count : self._count + added] = new[:added].to("cpu", torch.float16)
        self._distances_mm[self._count : self._count + added] = distance_mm[:added].cpu()
        if added < len(new):
            # Not the entries that were just added.
            places = self._permutation(self._count)[: len(new) - added]
            self._maps[places] = new[added : added + len(places)].to("cpu", torch.float16)
            self._distances_mm[places] = distance_mm[added : added + len(places)].cpu()
        self._count += added
