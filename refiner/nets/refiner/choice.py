"""Which readings a camera loses and wins: a hard choice at each pixel, by a prior from physics and by noise that tries.

A camera either measures a pixel or does not: a network that regressed holes would have to pass through values between
the hand and the far face, which look like grey halos and decode to false depths. With n standard normal noise, q(x) the
dimness in octaves (`refiner.nets.blocks.dimness_octaves`), w(x) the share of readings in the 5 x 5 px around less that
beside a straight edge, 0.6 inside and 0.4 outside, and m what is learnt:

    choice  c = bounded m + prior(x) + n, and there is no reading where c > 0
    prior   -margin - sharpness max(1.32 - q(x), 0) - window w(x) at a reading of x, margin - window w(x) elsewhere

Which ones go first is physics: a camera that lives on its own light measures what sends enough of it back, and light
falls with the cosine of the tilt and the square of the distance. Cameras that match windows of a pattern or of two
images show what most of a window shows, so that outlines are rounded and slits between fingers closed.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from refiner.nets.blocks import mean_around

_NEAR_PX = 7
"""Side of the neighbourhoods in which choices are alike."""

_WINDOW_PX, _EDGE = 5, 0.4
"""Side of a window, and the share of readings in that of a pixel just outside a straight edge."""

_FACING, _RIM = 0.07, 1.32
"""Dimness of a surface that faces the camera, and of a render's rims, at the reference distance."""

_CERTAIN = 2.4
"""A choice so many deviations of its noise beyond 0 is hardly tried the other way (0.8 %)."""

_LARGEST_NOISE = 2.2
"""Noise beyond it is cut when a refiner is used, so that choices it is certain of stand: tries are for training."""


@dataclass(frozen=True)
class ChoicePrior:
    """What is known of the choice before anything is learnt.

    Attributes:
        margin: Noise beyond which an untrained refiner changes its mind, in standard deviations.
        sharpness: Deviations of the noise to an octave of light; 0 does without light.
        window: Deviations of the noise between a pixel amid readings and one without any around; 0 does without.
    """

    margin: float
    sharpness: float = 0.0
    window: float = 0.0

    def __call__(self, reading: Tensor, dimness: Tensor | None, share: Tensor | None) -> Tensor:
        """Give the prior.

        Args:
            reading: (N, 1, H, W), 1 where the render has a reading, else 0.
            dimness: The same shape, octaves; wanted where there is a sharpness.
            share: The same shape, see `share_of_readings`; wanted where there is a window.

        Returns:
            The same shape.
        """
        prior = self.margin * (1 - 2 * reading)
        if dimness is not None:
            prior = prior - self.sharpness * (_RIM - dimness).clamp(min=0) * reading
        if share is not None:
            prior = prior - self.window * (share - torch.where(reading > 0, 1 - _EDGE, _EDGE))
        return prior

    def bounded(self, learnt: Tensor) -> tuple[Tensor, Tensor]:
        """Bound m where half of what faces the camera is lost: hands that are gone altogether teach nothing any more.

        Returns:
            m, and how far it went beyond.
        """
        farthest = self.margin + (self.sharpness * (_RIM - _FACING) if self.sharpness > 0 else _CERTAIN)
        return learnt.clamp(-farthest, farthest), (learnt.abs() - farthest).clamp(min=0)


def share_of_readings(reading: Tensor) -> Tensor:
    """Give the share of readings in the 5 x 5 px around each pixel, (N, 1, H, W); the map's border cuts them."""
    return mean_around(reading, _WINDOW_PX, count_include_pad=False)


def at_outline(share: Tensor) -> Tensor:
    """Say how far a pixel lies at an outline: 1 at a straight one, half of it a pixel farther in, then 0."""
    return ((1 - share) / _EDGE).clamp(max=1)


def choice_noise(own: Tensor, near: Tensor, shares: tuple[float, float, float], *, tries: bool) -> Tensor:
    """Give n of its two inputs.

    Cameras lose rims, fingertips and whole far hands rather than single pixels; what is never tried is never learnt.

    Args:
        own: (N, 1, H, W), independent standard normal numbers.
        near: (N, 1, H, W), likewise.
        shares: Of n's variance, that are a pixel's own, common to its neighbourhood, and common to the map.
        tries: Whether rare noise stays that would overturn a choice which is certain.

    Returns:
        (N, 1, H, W), standard normal but at the map's border.
    """
    # The sum of all pixels' own is one draw for the map, and next to independent of each.
    of_map = own.sum(dim=(2, 3), keepdim=True) / (own.shape[2] * own.shape[3]) ** 0.5
    near = _NEAR_PX * mean_around(near, _NEAR_PX)
    for_pixel, for_near, for_map = (share**0.5 for share in shares)
    noise = for_pixel * own + for_near * near + for_map * of_map
    return noise if tries else noise.clamp(-_LARGEST_NOISE, _LARGEST_NOISE)
