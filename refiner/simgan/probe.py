"""What a run is judged by while it trains: three numbers on held-out maps that do not come from its discriminator.

All take network depth (N, 1, H, W); a value above 1 - tau is no reading. They say whether a run is healthy (accuracy
falls towards 0.5 while the shift stays at a few millimetres and the gap goes to 0), has learnt nothing (all three stay
where they were before the first update) or has collapsed (shift or gap grow while accuracy stays near 1).
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from refiner.geometry.holes import hole_rate
from refiner.nets.blocks import NO_READING, curvature_channels, detail_channels, mean_around

PATCH_PX = 16
_FILTERS, _FILTER_PX = 64, 3
"""Many small ones put refiners of a Kinect v1 in the order in which trained classifiers tell their maps; half as many
of 5 px, on readings and slopes, did not (`experiments/real_depth.md`)."""
_SLOPE_GAIN, _CURVATURE_GAIN = 20.0, 40.0
_ENOUGH_READINGS = 0.1
_PATCHES_AT_A_TIME = 512
_DRIFT_PX = 9
"""Side of the windows that drift is averaged over: a crease or a rim may be flattened, a finger may not be moved."""


@dataclass(frozen=True)
class ProbeNumbers:
    """One look at the held-out maps.

    Attributes:
        shift_mm: See `depth_shift_mm`.
        two_sample_accuracy: See `two_sample_accuracy`.
        hole_rate_gap: `refiner.geometry.holes.hole_rate` of the refined maps minus that of the real ones.
        drift_mm: The shift of `depth_shift_mm` of windows of 9 px in maps without noise: what labels suffer from.
    """

    shift_mm: float
    two_sample_accuracy: float
    hole_rate_gap: float
    drift_mm: float

    @property
    def score(self) -> float:
        """Rank checkpoints, lower is better: |accuracy - 1/2|, plus 0.1 for each millimetre of drift beyond 3.

        A refiner can fool any classifier by making other hands; the second term keeps it from being chosen. Noise must
        have no part in it: with a camera whose noise is 13 mm enough of it was left in windows of 9 px that update 600
        of 4,000 was chosen, whose maps trained an estimator to 19.5 mm and not to 14.4.
        """
        return abs(self.two_sample_accuracy - 0.5) + 0.1 * max(0.0, self.drift_mm - 3.0)


def probe_numbers(
    synthetic: Tensor, refined: Tensor, real: Tensor, cube_mm: Tensor, tau: float, noise_free: Tensor | None = None
) -> ProbeNumbers:
    """Measure the refined maps against the maps they came from and against real ones.

    Args:
        synthetic: (N, 1, H, W).
        refined: (N, 1, H, W).
        real: (M, 1, H, W), others.
        cube_mm: (N,), sides of the synthetic maps' cubes.
        tau: See `DepthCodec`.
        noise_free: (N, 1, H, W), the refined maps without the noise of their depths, where the refiner adds any.
    """
    noise_free = as_decoded(refined if noise_free is None else noise_free, tau)
    synthetic, refined, real = (as_decoded(depth, tau) for depth in (synthetic, refined, real))
    return ProbeNumbers(
        depth_shift_mm(synthetic, refined, cube_mm),
        two_sample_accuracy(refined, real),
        _hole_rate(refined) - _hole_rate(real),
        depth_shift_mm(synthetic, noise_free, cube_mm, _DRIFT_PX),
    )


def as_decoded(depth: Tensor, tau: float) -> Tensor:
    """Give network depth as it is after decoding: +1 wherever that gives no reading, never below -1."""
    return torch.where(depth > 1 - tau, torch.full_like(depth, NO_READING), depth.clamp(min=-1))


def depth_shift_mm(synthetic: Tensor, refined: Tensor, cube_mm: Tensor, window_px: int = 1) -> float:
    """Give the mean |change of depth| in mm over pixels that are readings before and after; 0 where there is none.

    Args:
        synthetic: (N, 1, H, W), as decoded.
        refined: (N, 1, H, W), as decoded.
        cube_mm: (N,), sides of the cubes.
        window_px: Side of the windows about each pixel over whose readings the change is averaged first; odd.
    """
    both = (synthetic < NO_READING) & (refined < NO_READING)
    change_mm = torch.where(both, refined - synthetic, 0.0) * cube_mm.view(-1, 1, 1, 1) / 2
    total, share = (mean_around(part, window_px) for part in (change_mm, both.to(change_mm)))
    return float((total[both] / share[both]).abs().mean()) if both.any() else 0.0


def _hole_rate(depth: Tensor) -> float:
    return hole_rate((depth[:, 0] != NO_READING).cpu().numpy())


def two_sample_accuracy(refined: Tensor, real: Tensor, seed: int = 0) -> float:
    """Give the accuracy with which a fresh classifier tells refined from real patches: 0.5 is chance, 1 is certain.

    Patches of 16 x 16 px with enough readings are described by random filters on readings, slopes and second
    differences (rectified and averaged over the patch), and told apart by linear discriminant analysis. It is fitted to
    one half of the maps of each kind and asked about the other, both ways round; both kinds weigh the same. No
    iteration, no gradient: the same maps give the same number.

    Args:
        refined: (N, 1, H, W), as decoded.
        real: (M, 1, H, W), as decoded.
        seed: Seed of the filters.
    """
    halves = [[_patch_features(depth[half::2], seed) for half in (0, 1)] for depth in (refined, real)]
    if min(len(part) for kind in halves for part in kind) < 2:
        return 1.0  # one kind shows no hand at all: told apart at a glance
    scores = [_discriminant_accuracy(halves[0][a], halves[1][a], halves[0][1 - a], halves[1][1 - a]) for a in (0, 1)]
    return sum(scores) / 2


def _patch_features(depth: Tensor, seed: int) -> Tensor:
    """Describe the patches of (N, 1, H, W) that show enough of the hand: (patches, 2 filters)."""
    side = min(PATCH_PX, *depth.shape[-2:])
    planes = torch.cat([detail_channels(depth, _SLOPE_GAIN), curvature_channels(depth, _CURVATURE_GAIN)], dim=1)
    planes[:, 0] = (depth[:, 0] < NO_READING).float()
    patches = planes.unfold(2, side, side).unfold(3, side, side).permute(0, 2, 3, 1, 4, 5).flatten(0, 2)
    patches = patches[patches[:, 0].mean(dim=(1, 2)) >= _ENOUGH_READINGS]
    generator = torch.Generator().manual_seed(seed)
    filters = torch.randn((_FILTERS, planes.shape[1], _FILTER_PX, _FILTER_PX), generator=generator)
    filters = (filters - filters.mean(dim=(2, 3), keepdim=True)) / _FILTER_PX
    offsets = torch.rand(_FILTERS, generator=generator) / 2
    features = []
    for some in patches.split(_PATCHES_AT_A_TIME):
        response = F.conv2d(some, filters, padding=_FILTER_PX // 2).flatten(2)
        up, down = (F.relu(sign * response - offsets[:, None]).mean(dim=2) for sign in (1, -1))
        features.append(torch.cat([up, down], dim=1))
    return torch.cat(features).double() if features else torch.empty((0, 2 * _FILTERS), dtype=torch.float64)


def _discriminant_accuracy(refined: Tensor, real: Tensor, refined_test: Tensor, real_test: Tensor) -> float:
    means = refined.mean(0), real.mean(0)
    scatter = torch.cat([refined - means[0], real - means[1]])
    covariance = scatter.T @ scatter / len(scatter)
    # Shrunk towards its diagonal, for small sets and for features that are always zero.
    ridge = 0.01 * covariance.diagonal() + 1e-3 * covariance.diagonal().mean() + 1e-12
    direction = torch.linalg.solve(covariance + torch.diag(ridge), means[0] - means[1])
    middle = direction @ (means[0] + means[1]) / 2
    right = (refined_test @ direction > middle).double().mean() + (real_test @ direction <= middle).double().mean()
    return float(right / 2)
