"""The losses of SimGAN (arXiv 1612.07828), pure functions of tensors.

Class 1 is *refined* (the paper's "synthetic"), class 0 is *real*:

    L_R = sum_i [ -log(1 - D(R(x_i)))  +  lambda |psi(R(x_i)) - psi(x_i)|_1 ]     (eq. 1 and 4: its target is real)
    L_D = -sum_i log D(R(x_i))  -  sum_j log(1 - D(y_j))                         (eq. 2)

Each is computed in float32 whatever the precision of the networks. Both reductions are offered because lambda means
different things in them: with "sum" a loss is summed over patches (or pixels) and over the batch, as in the paper;
with "mean" it is the average over them. For N_pixels and N_patches per map the two agree, up to a common factor, where

    lambda_mean = lambda_sum N_pixels / N_patches.
"""

from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from refiner.nets.blocks import beside_edge, is_reading, mean_around

Adversarial = Literal["cross_entropy", "sigmoid", "least_squares"]
Psi = Literal["identity", "gradients"]
Reduction = Literal["sum", "mean", "none"]


def classes_of(kind: Adversarial) -> int:
    """Give the number of logits per patch that a loss needs."""
    return 2 if kind == "cross_entropy" else 1


def adversarial_loss(logits: Tensor, *, target_refined: bool, kind: Adversarial, reduction: Reduction) -> Tensor:
    """Score a discriminator's logits against one class, the same for every patch.

    Args:
        logits: (N, classes, h, w), of any range; see `classes_of`.
        target_refined: Whether the maps count as refined (class 1) or as real (class 0).
        kind: "cross_entropy" is the paper's two-class softmax; "sigmoid" the same of one logit (large = refined);
            "least_squares" is (logit - class)^2 / 2.
        reduction: Over patches and batch; "none" gives (N, h, w).
    """
    logits = logits.float()
    items, classes, height, width = logits.shape
    if classes != classes_of(kind):
        raise ValueError(f"The loss {kind!r} wants {classes_of(kind)} logits per patch, found {classes}.")
    if kind == "cross_entropy":
        # Straight on (N, classes, h, w): flattening NCHW to (-1, 2) would pair logits of different patches.
        target = torch.full((items, height, width), int(target_refined), device=logits.device)
        return F.cross_entropy(logits, target, reduction=reduction)
    logits = logits[:, 0]
    target = torch.full_like(logits, float(target_refined))
    if kind == "sigmoid":
        return F.binary_cross_entropy_with_logits(logits, target, reduction=reduction)
    return F.mse_loss(logits, target, reduction=reduction) / 2


def discriminator_accuracy(logits: Tensor, *, target_refined: bool, kind: Adversarial) -> Tensor:
    """Give the share of patches that the discriminator puts in the given class."""
    if kind == "cross_entropy":
        says_refined = logits[:, 1] > logits[:, 0]
    else:
        says_refined = logits > (0 if kind == "sigmoid" else 0.5)
    return (says_refined == target_refined).float().mean()


def self_regularization_loss(
    refined: Tensor, synthetic: Tensor, *, psi: Psi, reduction: Reduction, missing_weight: float = 1.0
) -> Tensor:
    """Score how far refining moved the maps: |psi(R(x)) - psi(x)|_1.

    Args:
        refined: (N, 1, H, W).
        synthetic: (N, 1, H, W).
        psi: "identity"; "gradients", differences between neighbours on both axes.
        reduction: Over pixels and batch; "mean" is the average of psi's entries.
        missing_weight: Weight of the change at a pixel whose reading came or went. To the far face is a hundred times
            as far as a millimetre of noise, yet what the labels say of the hand is as true where a camera is blind.
    """
    change = refined.float() - synthetic.float()  # every psi here is linear
    stayed = is_reading(refined) == is_reading(synthetic)
    if missing_weight != 1:
        change = torch.where(stayed, change, missing_weight * change)
    if psi == "gradients":
        across = (change[..., :, 1:] - change[..., :, :-1]).abs()
        down = (change[..., 1:, :] - change[..., :-1, :]).abs()
        terms = torch.cat([across.flatten(), down.flatten()])
    else:
        terms = change.abs()
    return terms.sum() if reduction == "sum" else terms.mean()


def pixel_costs(costs: Tensor, patch_px: int, height: int, width: int) -> Tensor:
    """Charge every pixel with the costs of all patches that show it.

    Args:
        costs: (N, h, w), of patches that lie evenly over the map.
        patch_px: Side of a patch.
        height: Of the map.
        width: Of the map.

    Returns:
        (N, 1, H, W).
    """
    patches_per_pixel = costs[0].numel() / (height * width)
    spread = F.interpolate(costs[:, None], size=(height, width), mode="nearest") * patches_per_pixel
    side = patch_px + 1 - patch_px % 2
    return mean_around(spread, side) * side**2


def dropout_loss(costs: Tensor, opposite_costs: Tensor, logit: Tensor, score: Tensor) -> Tensor:
    """Return a loss whose gradient teaches the refiner which readings to lose.

    A choice m + n > 0 is hard, and what a discriminator's own gradient says of it is worthless: it is the slope at a
    depth of the hand, and the far face is not near (measured: it foretold 0.5 where losing a rim changed the cost by
    30, and the wrong way). But n is random, so that a pair of draws, n and -n, gives an unbiased estimate:

        d E[f(m + n)] / d m = E[ (f(m + n) - f(m - n)) n / 2 ]

    (the score function of a Gaussian with antithetic draws; Salimans et al. 2017, arXiv 1703.03864). For n its mean
    under the two choices may stand, which leaves out the noise of all that both draws chose alike (compare DisARM, Dong
    et al. 2020, arXiv 2006.10680, for Bernoulli variables). Where the noise of neighbours is correlated it is that
    gradient smoothed by their covariance, a direction of descent still.

    Args:
        costs: (N, 1, H, W), what each pixel may have had a part in; no gradient.
        opposite_costs: (N, 1, H, W), likewise with the noise turned round.
        logit: (N, 1, H, W), m, or m and what does not depend on weights.
        score: (N, 1, H, W), n, or its mean under the choices.

    Returns:
        The sum over pixels; its value means nothing.
    """
    return ((costs - opposite_costs).detach() * score * logit / 2).sum()


def offset_loss(refined: Tensor, synthetic: Tensor) -> Tensor:
    """Score how far whole maps were moved: |mean change of a map's readings|, averaged over the maps.

    A discriminator that judges maps at random offsets does not see this, and a mean over all pixels hardly weighs it.
    Pixels beside edges do not count: rims may fly away, and would have the rest move the other way.

    Args:
        refined: (N, 1, H, W); a pixel counts where this and `synthetic` have a reading.
        synthetic: (N, 1, H, W).
    """
    counted = is_reading(refined) & is_reading(synthetic) & ~beside_edge(synthetic)
    change = torch.where(counted, refined.float() - synthetic.float(), 0.0)
    return (change.sum(dim=(1, 2, 3)) / counted.sum(dim=(1, 2, 3)).clamp(min=1)).abs().mean()


def paired_loss(refined: Tensor, real: Tensor, synthetic: Tensor, most: float) -> Tensor:
    """Score how far refined maps are from the camera's of the same hands: the L1 of pix2pix (arXiv 1611.07004).

    What a hand model lacks of a person's hand is the same in every map. A discriminator tells that it is there, and
    hardly what to do about it; the pairs tell.

    Args:
        refined: (N, 1, H, W), without noise: L1 would rather have none.
        real: (N, 1, H, W), camera maps of the same hands in the same crops.
        synthetic: (N, 1, H, W), the renders.
        most: Network depth; where the camera's map is farther from the render than this, the fit is wrong, and the
            pixel teaches nothing.

    Returns:
        The mean of |refined - real| over the readings that count; 0 where none does.
    """
    refined, real, synthetic = refined.float(), real.float(), synthetic.float()
    counts = is_reading(refined) & is_reading(real) & is_reading(synthetic) & ((real - synthetic).abs() <= most)
    return torch.where(counts, refined - real, 0.0).abs().sum() / counts.sum().clamp(min=1)


def gradient_penalty(logits: Tensor, inputs: Tensor) -> Tensor:
    """Score how steep a discriminator is at real maps: R1 of Mescheder et al. (arXiv 1801.04406), per patch.

        mean over the batch of |d(sum of a map's logits) / d(input)|^2 / patches

    Args:
        logits: (N, 1, h, w), of `inputs`, with a graph.
        inputs: (N, channels, H, W), what the discriminator's first layer saw; requires a gradient.

    Returns:
        A number that has a gradient itself.
    """
    (slope,) = torch.autograd.grad(logits.sum(), inputs, create_graph=True)
    return slope.float().square().sum() / (logits.shape[0] * logits.shape[2] * logits.shape[3])
