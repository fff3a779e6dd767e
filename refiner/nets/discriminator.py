"""The discriminator: a fully convolutional network that judges every patch of a map by itself.

It takes (N, 1, H, W) network depth ([-1, 1], +1 = no reading) and gives logits (N, classes, h, w): one judgement for
each patch. Logits are never passed through an activation. No layer normalises over the batch, since real, fresh and
historic maps meet in it.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn

from refiner.nets.blocks import DISTANCE_PLANES, curvature_channels, detail_channels, distance_planes, is_reading


@dataclass(frozen=True)
class Layer:
    """One layer before the judgement.

    Attributes:
        kernel: Side of the kernel or of the pooling window.
        stride: Step in pixels.
        channels: Features of a convolution; none for max pooling.
    """

    kernel: int
    stride: int = 1
    channels: int | None = None


HAND_LAYERS = (Layer(7, 4, 96), Layer(5, 2, 64), Layer(3, 2), Layer(3, 2, 32), Layer(1, 1, 32))
FAST_LAYERS = (Layer(3, 1, 32), Layer(3, 2, 64), Layer(3, 1), Layer(1, 1, 32))
EYE_LAYERS = (Layer(3, 2, 96), Layer(3, 2, 64), Layer(3, 1), Layer(3, 1, 32), Layer(1, 1, 32))


class PatchDiscriminator(nn.Module):
    """The paper's discriminator, its layers and its activation a setting.

    Hands at 224 px: `HAND_LAYERS`, 178,050 parameters, 7 x 7 patches.
    Eyes at 35 x 55 px: `EYE_LAYERS`, 75,906 parameters, 9 x 14 patches. The paper names no activation between layers.
    """

    def __init__(
        self,
        layers: Sequence[Layer] = FAST_LAYERS,
        classes: int = 1,
        negative_slope: float = 0.2,
        slope_gain: float = 20.0,
        curvature_gain: float = 0.0,
        sees_readings: bool = True,
        sees_distance: bool = True,
    ) -> None:
        """Build the network.

        Args:
            layers: All layers but the last.
            classes: 2 for a softmax (class 1 = refined), 1 for a sigmoid or least squares (large = refined).
            negative_slope: Of the rectifier between layers; 0 is ReLU.
            slope_gain: Where > 0, slopes times this gain are judged beside the depth (see `detail_channels`).
            curvature_gain: Where > 0, so are second differences (see `curvature_channels`).
            sees_readings: Whether a plane says where there is a reading: in the depth alone the far end of the cube and
                no reading look alike.
            sees_distance: Whether maps are judged knowing how far away the hand is: what a camera loses depends on it.
        """
        super().__init__()
        # A configuration file gives layers as plain dictionaries.
        layers = tuple(layer if isinstance(layer, Layer) else Layer(**layer) for layer in layers)
        self.settings: dict[str, Any] = {
            "layers": [asdict(layer) for layer in layers],
            "classes": classes,
            "negative_slope": negative_slope,
            "slope_gain": slope_gain,
            "curvature_gain": curvature_gain,
            "sees_readings": sees_readings,
            "sees_distance": sees_distance,
        }
        self.classes, self.slope_gain, self.curvature_gain = classes, slope_gain, curvature_gain
        self.sees_readings, self.sees_distance = sees_readings, sees_distance
        features = 1 + 2 * (slope_gain > 0) + 2 * (curvature_gain > 0)
        features += sees_readings + DISTANCE_PLANES * sees_distance
        modules: list[nn.Module] = []
        for layer in layers:
            margin = layer.kernel // 2  # the border is judged, too
            if layer.channels is None:
                modules.append(nn.MaxPool2d(layer.kernel, layer.stride, margin))
                continue
            modules.append(nn.Conv2d(features, layer.channels, layer.kernel, layer.stride, margin))
            modules.append(nn.LeakyReLU(negative_slope) if negative_slope else nn.ReLU())
            features = layer.channels
        self.body = nn.Sequential(*modules)
        self.judge = nn.Conv2d(features, classes, 1)
        self.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]

    @property
    def patch_px(self) -> int:
        """Give the side of the patch that one logit judges (slopes and curvatures look one pixel further)."""
        side, step = 1, 1
        for layer in self.settings["layers"]:
            side += (layer["kernel"] - 1) * step
            step *= layer["stride"]
        return side

    def planes(self, depth: Tensor) -> Tensor:
        """Give what the first layer sees of (N, 1, H, W): the depth, and beside it what else is judged."""
        planes = [depth]
        if self.slope_gain > 0:
            planes = [detail_channels(depth, self.slope_gain, torch.asinh)]
        if self.curvature_gain > 0:
            planes.append(curvature_channels(depth, self.curvature_gain))
        if self.sees_readings:
            planes.append(is_reading(depth).to(depth.dtype))
        return torch.cat(planes, dim=1)

    def judge_planes(self, planes: Tensor, distance_mm: Tensor | None = None) -> Tensor:
        """Judge what `planes` gave; logits (N, classes, h, w) in float32."""
        if self.sees_distance:
            planes = torch.cat([planes, distance_planes(distance_mm, planes)], dim=1)
        return self.judge(self.body(planes.contiguous(memory_format=torch.channels_last))).float()

    def forward(self, depth: Tensor, distance_mm: Tensor | None = None) -> Tensor:
        """Judge (N, 1, H, W), whose cubes' centres are (N,) away; logits (N, classes, h, w) in float32."""
        return self.judge_planes(self.planes(depth), distance_mm)
