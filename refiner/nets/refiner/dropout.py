"""Which readings a camera loses, and which ones arise: hard choices, tried at random.

A camera either measures a pixel or does not: a network that regressed holes would have to pass through values between
the hand and the far face, which look like grey halos and decode to false depths. With n standard normal noise a choice
is made where its logit + n > 0, and what became of it teaches the logit (`refiner.simgan.losses.dropout_loss`).

Three kinds, each of which can be left out: `LightLoss` for what sends too little light back, `PixelLoss` for all that
can be seen in a render, `Growth` for readings beside it.
"""

import torch
from torch import Tensor, nn

from refiner.nets.blocks import is_reading, mean_around
from refiner.nets.refiner.base import Choice, Noise, NoiseShapes
from refiner.nets.refiner.part import Part
from refiner.nets.refiner.scene import Scene

_NEAR_PX = 7
"""Side of the neighbourhoods in which noise is alike."""

_FACING, _RIM = 0.07, 1.32
"""Dimness of a surface that faces the camera, and of a render's rims, at the reference distance."""

_SHARES = 0.1, 0.5, 0.4
"""Of the variance of the noise that decides about light: a pixel's own, its neighbourhood's, the map's."""

_CERTAIN = 3.5
"""Bound of a logit, in standard deviations of its noise: at it the other choice is hardly ever tried (0.02 %)."""

_RARE = {"light": 2.2, "pixel": 3.0}
"""Noise beyond it is cut when a refiner is used, so that choices it is certain of stand: tries are for training."""


class Dropout(Part):
    """A part that chooses. `forward` takes its numbers, its noise and the scene."""

    def noise_shapes(self, height: int, width: int) -> NoiseShapes:
        """Return the noise of pixels, of neighbourhoods and of the map."""
        return {"own": (1, height, width), "near": (1, height, width), "map": (1, 1, 1)}

    def forward(self, numbers: Tensor, drawn: Noise, scene: Scene) -> tuple[Choice, Tensor]:
        """Choose; also return how far the logit went beyond its bound, squared: there it has no gradient any more.

        Args:
            numbers: (N, `numbers`, H, W), the backbone's.
            drawn: What `drawn` gave.
            scene: What it looks at.
        """
        raise NotImplementedError

    def _tried(self, noise: Tensor, rare: float) -> Tensor:
        return noise if self.training else noise.clamp(-rare, rare)

    def _own_choice(self, logit: Tensor, noise: Tensor) -> Choice:
        """Return a choice whose noise nothing else depends on.

        Where n and -n choose alike, |n| < |logit| and its mean is 0: such pixels learn nothing, and are not disturbed
        by what became of others. Elsewhere it is the mean of a normal number beyond |logit|, the inverse Mills ratio.
        """
        noise = self._tried(noise, _RARE["pixel"])
        if not self.training:
            return Choice(logit, noise, score=noise)
        with torch.no_grad():
            bound = logit.abs()
            beyond = (2 / torch.pi) ** 0.5 / torch.special.erfcx(bound / 2**0.5)
            score = torch.where(noise.abs() > bound, beyond * noise.sign(), 0.0)
        return Choice(logit, noise, score)


class LightLoss(Dropout):
    """Loses what sends too little light back; how much is too little is one number, the camera's.

    Which readings go first is physics: a camera that lives on its own light measures what sends enough of it back, and
    light falls with the cosine of the tilt and the square of the distance. With q the dimness in octaves and m learnt,

        logit = m - margin - sharpness max(1.32 - q, 0)

    Its noise is common to neighbourhoods and to the map: such cameras lose rims, fingertips and whole far hands.
    """

    def __init__(self, sharpness: float = 7.0, margin: float = 1.0, gain: float = 8.0) -> None:
        """Build it.

        Args:
            sharpness: Deviations of the noise to an octave of light, so that at 7 one in six is lost where there is a
                tenth more light than where half are.
            margin: Noise beyond which an untrained refiner loses a rim, in standard deviations.
            gain: Scale of m, which has to come far at a learning rate made for weights.
        """
        super().__init__()
        self.settings = {"sharpness": sharpness, "margin": margin, "gain": gain}
        self.sharpness, self.margin, self.gain = sharpness, margin, gain
        self.threshold = nn.Parameter(torch.zeros(()))

    def drawn(self, noise: Noise, scene: Scene) -> Noise:  # noqa: ARG002
        """Return the sum of the three, as `tried`."""
        own, near, of_map = (share**0.5 for share in _SHARES)
        return {"tried": own * noise["own"] + near * near_noise(noise["near"]) + of_map * noise["map"]}

    def forward(self, numbers: Tensor, drawn: Noise, scene: Scene) -> tuple[Choice, Tensor]:  # noqa: ARG002
        """Lose readings; see `Dropout.forward`. The backbone has no part in it."""
        # Half of what faces the camera is lost there: hands that are gone altogether teach nothing any more.
        most = self.margin + self.sharpness * (_RIM - _FACING)
        learnt, excess = _bounded(self.gain * self.threshold, most)
        logit = learnt - self.margin - self.sharpness * (_RIM - scene.dimness).clamp(min=0)
        tried = self._tried(drawn["tried"], _RARE["light"])
        return Choice(logit * scene.reading, tried, score=tried), excess  # neighbours choose with it, too


class PixelLoss(Dropout):
    """Loses readings wherever the backbone says: specks, blots, rims of any side, shadows beside nearer surfaces.

    The noise that tries is each pixel's own, so that a surface can only go by way of specks. Where a camera shows none
    they are told at once: losing whole palms, of which nobody can see that they were there, is no way down. Blots come
    from noise of neighbourhoods and of the map, which the backbone sees.
    """

    planes, numbers = 2, 1

    def __init__(self, margin: float = 2.0, gain: float = 0.5) -> None:
        """Build it.

        Args:
            margin: Noise beyond which an untrained refiner loses a reading, in standard deviations.
            gain: Scale of the backbone's number.
        """
        super().__init__()
        self.settings = {"margin": margin, "gain": gain}
        self.margin, self.gain = margin, gain

    def seen(self, drawn: Noise) -> list[Tensor]:
        """Return the noise of neighbourhoods and of the map."""
        near = near_noise(drawn["near"])
        return [near, drawn["map"].expand_as(near)]

    def forward(self, numbers: Tensor, drawn: Noise, scene: Scene) -> tuple[Choice, Tensor]:
        """Lose readings; see `Dropout.forward`."""
        logit, excess = _bounded(self.gain * numbers - self.margin, _CERTAIN)
        return self._own_choice(logit * scene.reading, drawn["own"]), excess


class Growth(Dropout):
    """Lets readings arise beside those that are kept: cameras that match windows fatten outlines and close slits."""

    numbers = 1

    def __init__(self, reach_px: int = 2, margin: float = 1.5, gain: float = 0.5) -> None:
        """Build it.

        Args:
            reach_px: How far outside the render, along each axis.
            margin: Noise beyond which a reading arises in an untrained refiner, in standard deviations.
            gain: Scale of the backbone's number.
        """
        super().__init__()
        self.settings = {"reach_px": reach_px, "margin": margin, "gain": gain}
        self.reach_px, self.margin, self.gain = reach_px, margin, gain

    def noise_shapes(self, height: int, width: int) -> NoiseShapes:
        """Return the noise of pixels."""
        return {"own": (1, height, width)}

    def forward(self, numbers: Tensor, drawn: Noise, scene: Scene) -> tuple[Choice, Tensor]:
        """Let readings arise; see `Dropout.forward`."""
        logit, excess = _bounded(self.gain * numbers - self.margin, _CERTAIN)
        beside = is_reading(scene.surface) * (1 - scene.reading)
        return self._own_choice(logit * beside, drawn["own"]), excess


def near_noise(independent: Tensor) -> Tensor:
    """Return noise that is alike in neighbourhoods of 7 px, of variance 1 but at the map's border."""
    return _NEAR_PX * mean_around(independent, _NEAR_PX)


def _bounded(logit: Tensor, most: float) -> tuple[Tensor, Tensor]:
    return logit.clamp(-most, most), (logit.abs() - most).clamp(min=0).square().mean()
