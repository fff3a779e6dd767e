"""A refiner of parts: a backbone that sees, dropout that loses readings and lets them arise, a measurement."""

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from refiner.datasets.facts import TrainingFacts
from refiner.nets.blocks import NO_READING, bounded, is_reading, widened
from refiner.nets.refiner.backbone import Backbone
from refiner.nets.refiner.base import Choice, Draw, Noise, NoiseShapes, Refiner
from refiner.nets.refiner.dropout import Growth, LightLoss, PixelLoss
from refiner.nets.refiner.measurement import Measurement
from refiner.nets.refiner.part import Part
from refiner.nets.refiner.scene import Scene, look_at

_SHIFT, _RIM_SHIFT = 0.015, 0.1
"""How far 1 of the backbone's numbers moves a depth, in half cubes. On surfaces more lets depths jump by 10 mm; beside
edges, where a camera mixes what lies in front and behind, less takes too long to come far."""

DROPOUTS = ("light", "loss", "growth")
"""Parts that choose which readings there are."""


class ComposedRefiner(Refiner):
    """A refiner that is quick, begins near the identity, and decides for each pixel whether there is a reading.

    With s and r the backbone's numbers, `surface` the render continued outwards as far as readings may arise, e(x) 1
    beside edges and 0 elsewhere, and `kept` what the dropouts leave, a render x becomes

        y = measure(surface(x) + bounded(0.015 s, max_shift) + e(x) bounded(0.1 r, max_rim_shift))   where kept
            +1                                                                                       elsewhere

    with bounded(d, most) = most tanh(d / most). So surfaces hold, and with them the labels; rims may fly away.

    Parts that are not given are left out.

    Attributes:
        reference_mm: Median distance of the renders, at which dimness counts from 0; 1 m until told.
    """

    reference_mm: Tensor

    def __init__(
        self,
        channels: int = 24,
        blocks: int = 3,
        fold: int = 2,
        max_shift: float = 0.2,
        max_rim_shift: float = 1.0,
        light: LightLoss | None = None,
        loss: PixelLoss | None = None,
        growth: Growth | None = None,
        measurement: Measurement | None = None,
    ) -> None:
        """Put the parts together.

        Args:
            channels: Features of every layer.
            blocks: Blocks of two 3x3 convolutions.
            fold: The backbone works at 1/fold of the resolution.
            max_shift: Greatest change of depth but for noise, in half cubes.
            max_rim_shift: Beside edges as much more.
            light: Loses what sends too little light back.
            loss: Loses readings wherever the backbone says.
            growth: Lets readings arise.
            measurement: Makes noise of depth.
        """
        super().__init__()
        self.settings = {
            "channels": channels, "blocks": blocks, "fold": fold, "max_shift": max_shift,
            "max_rim_shift": max_rim_shift, "light": light, "loss": loss,
            "growth": growth, "measurement": measurement,
        }  # fmt: skip
        self.max_shift, self.max_rim_shift = max_shift, max_rim_shift
        self.reach_px = 0 if growth is None else growth.reach_px
        parts: dict[str, Part | None] = {"light": light, "loss": loss, "growth": growth, "measurement": measurement}
        self.parts = nn.ModuleDict({name: part for name, part in parts.items() if part is not None})
        self._numbers = {"shift": 1, "rim": 1} | {name: part.numbers for name, part in self._parts()}
        planes = sum(part.planes for _, part in self._parts())
        self.backbone = Backbone(planes, sum(self._numbers.values()), channels, blocks, fold)
        self.register_buffer("reference_mm", torch.tensor(1000.0))

    def noise_shapes(self, height: int, width: int) -> NoiseShapes:
        """Return the noise that the parts take for one map, as `part.what`."""
        return {
            f"{name}.{what}": shape
            for name, part in self._parts()
            for what, shape in part.noise_shapes(height, width).items()
        }

    def meet(self, facts: TrainingFacts) -> None:
        """Take note of the distance at which light is compared; see `Refiner.meet`."""
        if facts.distance_mm is not None:
            self.reference_mm.fill_(facts.distance_mm)
        for _, part in self._parts():
            part.meet(facts)

    def draw(self, depth: Tensor, noise: Noise | None = None, distance_mm: Tensor | None = None) -> Draw:
        """Refine maps; see `Refiner.draw`. Distances are wanted."""
        scene = look_at(depth, distance_mm, self.reference_mm, self.reach_px)
        drawn = {name: part.drawn(self._noise(name, part, noise, depth), scene) for name, part in self._parts()}
        planes = [plane for name, part in self._parts() for plane in part.seen(drawn[name])]
        found = self.backbone(scene, planes)
        numbers = dict(zip(self._numbers, found.split(list(self._numbers.values()), dim=1), strict=True))

        shift = bounded(_SHIFT * numbers["shift"], self.max_shift)
        shift = shift + scene.edge * bounded(_RIM_SHIFT * numbers["rim"], self.max_rim_shift)
        measured = noise_free = scene.surface + shift
        if "measurement" in self.parts:
            measured = self.parts["measurement"](noise_free, numbers["measurement"], drawn["measurement"], scene)
        # Out of the cube it is lost, as a crop loses it, and has no gradient any more: the excess calls it back.
        escaped = torch.where(is_reading(scene.surface), (noise_free - NO_READING).clamp(min=0), 0.0).square().mean()
        measured, noise_free = measured.clamp(-1, 1), noise_free.clamp(-1, 1)
        dropouts = [name for name in DROPOUTS if name in self.parts]
        chosen = {name: self.parts[name](numbers[name], drawn[name], scene) for name in dropouts}
        choices = {name: choice for name, (choice, _) in chosen.items()}
        excess = sum((beyond for _, beyond in chosen.values()), start=escaped)

        kept = self._kept(choices, scene, 1)
        refined, noise_free = (torch.where(kept, depths, NO_READING) for depths in (measured, noise_free))
        if not choices:
            return Draw(refined, noise_free, excess=excess)
        opposite = torch.where(self._kept(choices, scene, -1), measured, NO_READING).detach()
        return Draw(refined, noise_free, opposite, tuple(choices.values()), excess)

    def _kept(self, choices: dict[str, Choice], scene: Scene, sign: int) -> Tensor:
        """Return where there is a reading, (N, 1, H, W), with the sign of the noise turned where `sign` is -1."""
        made = {name: choice.logit + sign * choice.noise > 0 for name, choice in choices.items()}
        reading = is_reading(scene.depth)
        kept = reading
        for name in ("light", "loss"):
            if name in made:
                kept = kept & ~made[name]
        if "growth" in made:  # beside what is kept: where a rim is lost nothing is left to grow
            kept = kept | (made["growth"] & widened(kept, self.reach_px) & ~reading)
        return kept

    def _parts(self) -> Iterable[tuple[str, Part]]:
        return self.parts.items()  # pyright: ignore[reportReturnType]

    def _noise(self, name: str, part: Part, noise: Noise | None, depth: Tensor) -> Noise:
        shapes = part.noise_shapes(*depth.shape[-2:])
        if noise is None:
            return {what: depth.new_zeros((len(depth), *shape)) for what, shape in shapes.items()}
        return {what: noise[f"{name}.{what}"].to(depth) for what in shapes}
