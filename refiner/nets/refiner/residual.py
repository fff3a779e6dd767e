"""The refiner of the fast recipe."""

import inspect
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from refiner.geometry.depth import DepthCodec
from refiner.nets.blocks import (
    DISTANCE_PLANES,
    NO_READING,
    ResidualBlock,
    detail_channels,
    dimness_octaves,
    distance_planes,
    extend_readings,
    is_reading,
    mean_around,
)
from refiner.nets.refiner.base import Choice, Draw, Noise, NoiseShapes, Refiner
from refiner.nets.refiner.camera_noise import CameraNoise, mean_window
from refiner.nets.refiner.choice import ChoicePrior, at_outline, choice_noise, share_of_readings

_LEAK = 0.2
"""Negative slope of the residual refiner: with ReLU every unit of the last block died within 1,000 updates."""

_DIMMEST = 2.0
"""Noise of depth grows no more beyond this dimness, in octaves: there is hardly a reading left."""


class _Parts(NamedTuple):
    """d, d without noise, c without its own, c's noise, where a reading is possible, what m is beyond its bound."""

    depth: Tensor
    noise_free: Tensor
    choice: Tensor
    noise: Tensor
    possible: Tensor
    excess: Tensor


class ResidualRefiner(Refiner):
    """A refiner that is quick, begins near the identity, and decides for each pixel whether there is a reading.

    A map is folded to 1/fold of its resolution (pixel unshuffle, nothing is lost), where ResNet blocks are cheap.
    They give two numbers for each pixel, s and a; m is a learned number of its own, or given by them too. With f
    independent normal numbers at each pixel, filtered (the filter is learnt: sensors' noise is alike at neighbours),
    q(x) the dimness in octaves (`dimness_octaves`), and c the choice of m, its prior and its noise n
    (`refiner.nets.refiner.choice`):

        depth   d = clamp(extend(x) + max_shift tanh(s) + bounded 2^q(x) (a + first_noise) f, -1, 1)
        output  y = +1 where c > 0, else d

    With n unknown to the blocks m is a probability, so holes are tried from the first update on, and what is right can
    be kept. A hard choice has no gradient; `refiner.simgan.losses.choice_loss` estimates that of m from pairs of draws,
    which tells how much is lost in a region, and hardly which pixels: a patch without any hand is as real as one can
    be, so that palms went before rims. The prior says which ones go first, and noise grows as light falls. How much
    light is enough, and how much noise there is, is learnt. The former is a property of the camera and not of the hand:
    m is one number, unless `choice_px` lets the blocks give it. How readily readings arise is, with `window`, a learned
    number of its own: with one number for both a camera that loses rims could not grow.

    The last layer starts at zero: then y differs from x by noise of first_noise 2^q, and where n > margin; it is x
    exactly without noise, but for a camera's steps and rows. Depth moves by `max_shift` at most, at outlines by
    `rim_shift` more, but for noise of mean 0 and `max_noise` at most, and no reading arises farther than `reach_px`
    from one of x: labels hold by construction, whatever is learnt.

    Attributes:
        reference_mm: Median distance of the maps it is trained on, at which dimness counts from 0; 1 m until told.
        camera: Its noise of depth, where there is a focal_px.
    """

    reference_mm: Tensor
    camera: CameraNoise | None

    def __init__(
        self,
        channels: int = 24,
        blocks: int = 3,
        fold: int = 2,
        noise: bool = True,
        max_shift: float = 0.1,
        reach_px: int = 1,
        margin: float = 2.0,
        gain: float = 0.1,
        choice_noise: tuple[float, float, float] = (0.4, 0.3, 0.3),
        first_noise: float = 0.01,
        max_noise: float = 0.3,
        slope_gain: float = 20.0,
        sees_distance: bool = False,
        sharpness: float = 0.0,
        choice_px: int | None = 1,
        choice_gain: float = 0.1,
        window: float = 0.0,
        camera_px: int = 1,
        focal_px: float = 0.0,
        step_mm: float = 0.0,
        rim_shift: float = 0.0,
        field_px: int = 5,
        window_px: int | None = None,
        row_offset: float = 0.0,
        unit_mm: float = 0.0,
        dots_per_px: float = 0.0,
    ) -> None:
        """Build the network.

        Args:
            channels: Features of every layer.
            blocks: ResNet blocks of two 3x3 convolutions.
            fold: Factor of the pixel unshuffle.
            noise: Whether there is a noise input; without it refining is a function of the map, and loses no reading.
            max_shift: Greatest change of depth, in half cubes.
            reach_px: How far outside the rendered hand a reading may arise, px along each axis.
            margin: Noise beyond which the untrained network changes its mind, in standard deviations.
            gain: Scale of s and a. With 1, single updates of Adam move depths by millimetres, faster than any
                discriminator can follow.
            choice_noise: Shares of n's variance that are a pixel's own, common to its neighbourhood, and common to the
                map. Cameras lose rims, fingertips and whole far hands rather than single pixels; what is never tried is
                never learnt.
            first_noise: Deviation of the untrained network's noise of depth, in half cubes: without any, its use could
                not be found out.
            max_noise: Greatest noise of depth, in half cubes.
            slope_gain: Where > 0, the blocks see slopes times this gain beside the depth (see `detail_channels`):
                tilted surfaces give less light.
            sees_distance: Whether the blocks see how far away the hand is: light falls with the square of it.
            sharpness: Deviations of the choice's noise to an octave of light, so that at 7 one in six is lost where
                there is a tenth more light than where half are. 0 does without physics: dimness is 0.
            choice_px: None makes m one number for all maps. Else the blocks give it, averaged over areas of so many
                pixels on a side (odd).
            choice_gain: Scale of m.
            window: Deviations of the choice's noise by which a pixel amid readings is likelier to be one than a pixel
                without any around. 0 does without windows, and without a number of its own for new readings.
            camera_px: The camera's pixels along one of the map, at most, rounded up.
            focal_px: The camera's focal length. Beyond 0 noise is drawn at its pixels, of which those along one of the
                map are focal_px x (cube / side of the map) / distance, then averaged as a crop does (see
                `refiner.nets.refiner.sampling`). 0 draws it at the map's.
            step_mm: The camera's steps of disparity, as depth at 1 m; 0 is none. Wants focal_px: a map's own pixels
                show means of several steps.
            rim_shift: Greatest further change of depth at an outline, in half cubes; half of it a pixel farther in.
                Time of flight mixes hand and background there, so that rims fly away by some tens of millimetres.
            field_px: Side of the filter that makes noise of depth alike at neighbours, in the camera's pixels, odd. It
                begins as the mean of `window_px`.
            window_px: Side of the window that a camera matches, odd; none is all of the filter but the outermost.
            row_offset: How far every other row of the camera lies behind its neighbours, at first, half of it either
                way, in half cubes. 0 does without. Wants focal_px.
            unit_mm: Depth unit of the camera's images, to which it rounds before they are cut and averaged; 0 is as
                fine as can be. Wants focal_px.
            dots_per_px: Dots of a pattern to one of the camera's pixels, where it matches windows of `window_px` of
                one: it sees no surface between them (see `refiner.nets.refiner.camera_noise`). 0 sees all. Wants
                step_mm.

        Raises:
            ValueError: The shares are negative or do not add up to 1; a side is even, or a window wider than the
                filter; there are camera_px, steps, units, rows or dots without focal_px, or it without noise; the
                dots cannot be (`CameraNoise`).
        """
        super().__init__()
        given = locals()
        self.settings = {name: given[name] for name in inspect.signature(type(self)).parameters}
        self.settings["choice_noise"] = list(choice_noise)
        if min(choice_noise) < 0 or abs(sum(choice_noise) - 1) > 1e-6:
            raise ValueError(f"Found choice_noise {choice_noise}, wanted three shares >= 0 that add up to 1.")
        window_px = field_px - 2 if window_px is None else window_px
        if field_px < 3 or field_px % 2 == 0 or not 1 <= window_px <= field_px or window_px % 2 == 0:
            raise ValueError(
                f"Found field_px {field_px} and window_px {window_px}, wanted an odd number from 3 on, and one up to "
                "it."
            )
        at_camera = camera_px > 1 or max(step_mm, unit_mm, row_offset, dots_per_px) > 0
        if camera_px < 1 or (at_camera and focal_px <= 0) or (focal_px > 0 and not noise):
            raise ValueError(
                f"Found camera_px {camera_px}, focal_px {focal_px}, step_mm {step_mm}, unit_mm {unit_mm}, row_offset "
                f"{row_offset}, dots_per_px {dots_per_px} and noise {noise}, wanted a camera_px >= 1, a focal_px > 0 "
                "where that is more than 1 or where there are steps, units, rows or dots, and noise with a focal_px. "
                "Networks of before focal_px are to be trained anew."
            )
        self.fold, self.chooses = fold, noise
        numbers = 2 if dots_per_px > 0 else 1  # at each of the camera's pixels
        self._noise_channels = {"own": fold**2, "near": fold**2, "depth": numbers * (camera_px * fold) ** 2}
        self.prior, self.choice_noise = ChoicePrior(margin, sharpness, window), choice_noise
        self.max_shift, self.rim_shift, self.reach_px, self.gain = max_shift, rim_shift, reach_px, gain
        self.first_noise, self.max_noise = first_noise, max_noise
        self.slope_gain, self.sees_distance = slope_gain, sees_distance
        self.choice_px, self.choice_gain = choice_px, choice_gain
        self.register_buffer("reference_mm", torch.tensor(1000.0))
        planes = (4 if slope_gain > 0 else 2) + noise + (sharpness > 0)
        self.first = nn.Conv2d(planes * fold**2 + DISTANCE_PLANES * sees_distance, channels, 3, padding=1)
        self.blocks = nn.Sequential(*(ResidualBlock(channels, 3, _LEAK) for _ in range(blocks)))
        if choice_px is None:
            self.threshold = nn.Parameter(torch.zeros(()))
        if window > 0:
            self.growth = nn.Parameter(torch.zeros(()))
        self.last = nn.Conv2d(channels, (3 - (choice_px is None)) * fold**2, 3, padding=1)
        nn.init.zeros_(self.last.weight)
        nn.init.zeros_(self.last.bias)  # pyright: ignore[reportArgumentType]
        self.camera = None
        if focal_px > 0:
            self.camera = CameraNoise(
                focal_px, camera_px, step_mm=step_mm, unit_mm=unit_mm, field_px=field_px, window_px=window_px,
                row_offset=row_offset, dots_per_px=dots_per_px, max_noise=max_noise,
            )  # fmt: skip
        elif noise:
            self.field = nn.Conv2d(1, 1, field_px, padding=field_px // 2, bias=False)
            self.field.weight.data.copy_(mean_window(window_px, field_px))
        # Convolutions of few channels are about a quarter faster on a CPU with the channels innermost.
        self.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]

    def noise_shapes(self, height: int, width: int) -> NoiseShapes:
        """Return the noise that it takes for one map, folded.

        Returns:
            `own` and `near` for n, and `depth`, f before its filter, of which there are as many as the camera has
            pixels; nothing where it was built without noise.
        """
        if not self.chooses:
            return {}
        sides = -(-height // self.fold), -(-width // self.fold)
        shapes: NoiseShapes = {name: (channels, *sides) for name, channels in self._noise_channels.items()}
        return shapes if self.camera is None else shapes | {"phase": (2,)}

    def meet(self, codec: DepthCodec, distance_mm: float | None) -> None:
        """Take note of the size of the cubes and of the distance at which light is compared; see `Refiner.meet`."""
        if distance_mm is not None:
            self.reference_mm.fill_(distance_mm)
        if self.camera is not None:
            if codec.cube_mm is None:
                raise ValueError("Found cubes of several sizes, wanted one: noise is made in mm.")
            self.camera.half_cube_mm.fill_(codec.cube_mm / 2)
            if distance_mm is not None:
                self.camera.check(codec.size, distance_mm)

    def draw(self, depth: Tensor, noise: Noise | None = None, distance_mm: Tensor | None = None) -> Draw:
        """Refine maps.

        Args:
            depth: (N, 1, H, W) in [-1, 1].
            noise: As `noise_shapes` says; none counts as zeros.
            distance_mm: (N,), depth of the centre of each map's cube; not used unless `sees_distance` or `sharpness`.
        """
        parts = self._parts(depth, noise, distance_mm)
        kept = (parts.choice + parts.noise <= 0) & parts.possible
        refined, noise_free = (torch.where(kept, d, NO_READING) for d in (parts.depth, parts.noise_free))
        if not self.chooses:
            return Draw(refined, noise_free)
        turned = (parts.choice - parts.noise <= 0) & parts.possible
        opposite = torch.where(turned, parts.depth, NO_READING).detach()
        choice = Choice(parts.choice * parts.possible, parts.noise)
        return Draw(refined, noise_free, opposite, (choice,), parts.excess.square().mean())

    def _parts(self, depth: Tensor, noise: Noise | None, distance_mm: Tensor | None) -> _Parts:
        height, width = depth.shape[-2:]
        shapes = self.noise_shapes(height, width)
        noise = {
            name: depth.new_zeros((len(depth), *shape)) if noise is None else noise[name].to(depth)
            for name, shape in shapes.items()
        }
        surface = extend_readings(depth, self.reach_px)
        reading = is_reading(depth).to(depth.dtype)
        planes = [detail_channels(surface, self.slope_gain) if self.slope_gain > 0 else surface]
        dimness, share, strength, most = None, None, 1.0, self.max_shift
        if self.prior.sharpness > 0:
            dimness = dimness_octaves(depth, distance_mm, self.reference_mm)
            planes.append(dimness / 2)
            strength = torch.exp2(dimness.clamp(max=_DIMMEST))
        if self.prior.window > 0 or self.rim_shift > 0:
            share = share_of_readings(reading)
            most = most + self.rim_shift * at_outline(share)
        measure, seen, folded = self._measure(noise, distance_mm, is_reading(surface))
        predicted = self._predict(torch.cat([*planes, *seen, reading], dim=1), folded, distance_mm)
        shift, spread, *own_choice = predicted[..., :height, :width].split(1, 1)
        noise_free = moved = surface + most * torch.tanh(self.gain * shift)
        drawn = torch.zeros_like(depth)
        if self.chooses:
            own, near = (F.pixel_shuffle(noise[name], self.fold) for name in ("own", "near"))
            drawn = choice_noise(own, near, self.choice_noise, tries=self.training)[..., :height, :width]
            deviation = (self.gain * self.max_shift * spread + self.first_noise) * strength
            moved = measure(noise_free, deviation)
        if self.choice_px is None:
            choice = self.threshold.expand_as(depth)
        else:
            choice = mean_around(own_choice[0], self.choice_px, count_include_pad=False)
        if self.prior.window > 0:
            choice = torch.where(reading > 0, choice, self.growth)
        choice, excess = self.prior.bounded(self.choice_gain * choice)
        choice = choice + self.prior(reading, dimness, share)
        moved, noise_free = moved.clamp(-1, 1), noise_free.clamp(-1, 1)
        # Where nothing is within reach the surface is +1: shifted values must not become readings there.
        return _Parts(moved, noise_free, choice, drawn, is_reading(surface), excess)

    def _measure(
        self, noise: Noise, distance_mm: Tensor | None, surface: Tensor
    ) -> tuple[Callable[[Tensor, Tensor], Tensor], list[Tensor], list[Tensor]]:
        """Give what adds noise to depths of a given deviation, and what the blocks see of it, as maps and folded.

        It is seen as f before its filter, folded, but for a camera's. Surface says where there is one.
        """
        height, width = surface.shape[-2:]
        if self.camera is not None:
            if distance_mm is None:
                raise ValueError("This network was built to measure at a camera's pixels (focal_px): give distance_mm.")
            camera, independent = self.camera, F.pixel_shuffle(noise["depth"], self.camera.most_px * self.fold)
            drawn = camera.draw(independent, noise["phase"], distance_mm, height, width)
            return lambda depth, deviation: camera(depth, deviation, drawn, surface), [drawn.seen], []
        if not self.chooses:
            return lambda depth, _: depth, [], []
        field = self.field(F.pixel_shuffle(noise["depth"], self.fold)).float()[..., :height, :width]
        most = self.max_noise
        return lambda depth, deviation: depth + most * torch.tanh(deviation * field / most), [], [noise["depth"]]

    def _predict(self, planes: Tensor, noise: list[Tensor], distance_mm: Tensor | None) -> Tensor:
        """Give s, a and perhaps m, (N, 3, H, W) or a little larger, of surface, slopes, dimness and readings."""
        height, width = planes.shape[-2:]
        if height % self.fold or width % self.fold:
            planes = F.pad(planes, (0, -width % self.fold, 0, -height % self.fold), mode="replicate")
        parts = [F.pixel_unshuffle(planes, self.fold), *noise]
        if self.sees_distance:
            parts.append(distance_planes(distance_mm, parts[0]))
        first = self.first(torch.cat(parts, dim=1).contiguous(memory_format=torch.channels_last))
        features = self.blocks(F.leaky_relu_(first, _LEAK))
        return F.pixel_shuffle(self.last(features).float(), self.fold)
