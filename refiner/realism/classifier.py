"""A fresh classifier that tells two sets apart: 50 % means that it cannot.

It takes no part in training a refiner, is trained to a plateau on some frames and asked about others.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

_BATCH, _PATIENCE, _MOST_EPOCHS, _RATE = 128, 4, 60, 1e-3
_FEWEST_UPDATES = 60
"""Of an epoch: small sets are gone through several times, or a plateau would be called before anything is learnt."""
_FEWEST_EPOCHS = 16
"""No plateau is called before: noise takes several epochs to be found, in which nothing seems to be learnt."""
_SLOPE_GAIN = 4.0
"""A slope of 5 mm a pixel, a quarter of the finer scale of `patches`, becomes tanh(1)."""
_RESAMPLES = 1000


@dataclass(frozen=True)
class Sample:
    """Pictures of one set.

    Attributes:
        pictures: (n, C, H, W).
        owners: (n,), the map that each was cut from.
        runs: (n,), the run of frames that each belongs to: what is alike, and is resampled or held out as a whole.
    """

    pictures: NDArray[np.float32]
    owners: NDArray[np.int64]
    runs: NDArray[np.int64]


@dataclass(frozen=True)
class Verdict:
    """How well two sets were told apart.

    Attributes:
        accuracy: Mean of the shares of each set that were named rightly; 0.5 is chance.
        ci95: Its 95 % interval, see `_interval`; 0 to 1 where a set shows one run alone.
        pictures: Tested, of each set.
        runs_tested: Independent runs of frames that these are of, of each set.
        epochs: Until the plateau, of each classifier that was asked.
        by_round: The accuracy of each of them by itself.
        scores: (n,), (m,) for the tested pictures of the first and the second set: the log odds of the first.
        owners: (n,), (m,), the map that each was cut from.
        runs: (n,), (m,), the run of frames that each belongs to.
    """

    accuracy: float
    ci95: tuple[float, float]
    pictures: tuple[int, int]
    runs_tested: tuple[int, int]
    epochs: tuple[int, ...]
    by_round: tuple[float, ...]
    scores: tuple[NDArray[np.float64], NDArray[np.float64]]
    owners: tuple[NDArray[np.int64], NDArray[np.int64]]
    runs: tuple[NDArray[np.int64], NDArray[np.int64]]

    def as_plain(self) -> dict[str, Any]:
        """Return all but the arrays in plain values, for a report."""
        return {
            "accuracy": self.accuracy,
            "ci95": list(self.ci95),
            "pictures": list(self.pictures),
            "runs": list(self.runs_tested),
            "epochs": list(self.epochs),
            "by_round": list(self.by_round),
        }


def tell_apart(
    train: tuple[Sample, Sample], test: tuple[Sample, Sample], seed: int = 0, most_epochs: int = _MOST_EPOCHS
) -> Verdict:
    """Train a classifier on two sets and test it.

    A fifth of the runs to train on decides when to stop: after four epochs in which no more of it is named rightly, the
    first sixteen apart, the best weights are taken. Not its loss: of few maps a network grows too sure of itself before
    it has learnt what tells them apart. Both sets weigh the same, whatever their numbers.

    Args:
        train: Pictures of the first and of the second set.
        test: The same of other frames.
        seed: Of the weights and the order.
        most_epochs: Limit where no plateau comes.

    Raises:
        ValueError: A set has no pictures, or those of one map alone to learn from.
    """
    if min(len(sample.pictures) for sample in (*train, *test)) == 0:
        raise ValueError("A set has no picture to compare: no map shows enough of a hand.")
    rng = np.random.default_rng((0x636C, seed))
    parts = [_hold_out(sample, rng) for sample in train]
    if any(held.all() for held in parts):
        raise ValueError("A set has pictures of one map alone to learn from, wanted those of two and more.")
    fitting = [torch.from_numpy(sample.pictures[~held]) for sample, held in zip(train, parts, strict=True)]
    checking = [torch.from_numpy(sample.pictures[held]) for sample, held in zip(train, parts, strict=True)]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = _network(fitting[0].shape[1])
    optimizer = torch.optim.Adam(network.parameters(), lr=_RATE, weight_decay=1e-4)
    best, best_weights, best_epoch, epoch = -np.inf, network.state_dict(), 0, 0
    while epoch < min(max(_FEWEST_EPOCHS, best_epoch + _PATIENCE), most_epochs):
        epoch += 1
        _fit(network, optimizer, fitting, rng)
        accuracy = _accuracy([_scores(network, part) for part in checking])
        if accuracy > best + 1e-3:
            best, best_epoch = accuracy, epoch
            best_weights = {name: weights.clone() for name, weights in network.state_dict().items()}
    network.load_state_dict(best_weights)
    scores = [_scores(network, torch.from_numpy(sample.pictures)) for sample in test]
    owners, runs = ([getattr(sample, name) for sample in test] for name in ("owners", "runs"))
    return _verdict(scores, owners, runs, (epoch,), (_accuracy(scores),), rng)


def pooled(verdicts: Sequence[Verdict], seed: int = 0) -> Verdict:
    """Put the answers of several classifiers about the same two sets together.

    Args:
        verdicts: One is given back as it is. Owners and runs must mean the same in all.
        seed: Of the interval.
    """
    if len(verdicts) == 1:
        return verdicts[0]
    scores, owners, runs = (
        [np.concatenate([getattr(verdict, name)[side] for verdict in verdicts]) for side in (0, 1)]
        for name in ("scores", "owners", "runs")
    )
    epochs, by_round = (
        tuple(value for verdict in verdicts for value in getattr(verdict, name)) for name in ("epochs", "by_round")
    )
    return _verdict(scores, owners, runs, epochs, by_round, np.random.default_rng((0x706F, seed)))


def _verdict(
    scores: list[NDArray[np.float64]],
    owners: list[NDArray[np.int64]],
    runs: list[NDArray[np.int64]],
    epochs: tuple[int, ...],
    by_round: tuple[float, ...],
    rng: np.random.Generator,
) -> Verdict:
    return Verdict(
        accuracy=_accuracy(scores),
        ci95=_interval(_right(scores), runs, rng),
        pictures=(len(scores[0]), len(scores[1])),
        runs_tested=(len(np.unique(runs[0])), len(np.unique(runs[1]))),
        epochs=epochs,
        by_round=by_round,
        scores=(scores[0], scores[1]),
        owners=(owners[0], owners[1]),
        runs=(runs[0], runs[1]),
    )


class _WithSlopes(nn.Module):
    """Puts the slopes of the first channel, the finer scale, beside the channels.

    A millimetre of noise is a twentieth of that scale: without slopes its correlation was not found in 60 epochs, and
    sets of quite different noise counted as alike.
    """

    def forward(self, pictures: Tensor) -> Tensor:
        """Give (n, C + 2, H, W) of (n, C, H, W)."""
        fine = pictures[:, :1]
        across = F.pad(fine[..., :, 1:] - fine[..., :, :-1], (0, 1, 0, 0))
        down = F.pad(fine[..., 1:, :] - fine[..., :-1, :], (0, 0, 0, 1))
        return torch.cat([pictures, torch.tanh(_SLOPE_GAIN * across), torch.tanh(_SLOPE_GAIN * down)], dim=1)


def _network(channels: int) -> nn.Module:
    """Slopes, four convolutions, the last three by halves, then the mean over the picture: 16 px and more."""
    widths = (32, 48, 64, 64)
    layers: list[nn.Module] = [_WithSlopes()]
    for number, (before, after) in enumerate(zip((channels + 2, *widths), widths, strict=False)):
        layers += [nn.Conv2d(before, after, 3, 1 if number == 0 else 2, 1), nn.LeakyReLU(0.1)]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(widths[-1], 1)).to(
        memory_format=torch.channels_last  # pyright: ignore[reportCallIssue]
    )


def _fit(network: nn.Module, optimizer: torch.optim.Optimizer, sets: list[Tensor], rng: np.random.Generator) -> None:
    """Go once through the larger set, with as many pictures of the other; small sets several times."""
    half = _BATCH // 2
    count = max(*map(len, sets), _FEWEST_UPDATES * half)
    orders = [np.concatenate([rng.permutation(len(s)) for _ in range(-(-count // len(s)))])[:count] for s in sets]
    for start in range(0, count, half):
        pictures = [s[torch.from_numpy(order[start : start + half])] for s, order in zip(sets, orders, strict=True)]
        loss = _loss(network, pictures[0], 1.0) + _loss(network, pictures[1], 0.0)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


def _loss(network: nn.Module, pictures: Tensor, first: float) -> Tensor:
    logits = network(pictures)
    return F.binary_cross_entropy_with_logits(logits, torch.full_like(logits, first))


def _scores(network: nn.Module, pictures: Tensor) -> NDArray[np.float64]:
    with torch.inference_mode():
        return torch.cat([network(part)[:, 0] for part in pictures.split(1024)]).double().numpy()


def _right(scores: Sequence[NDArray[np.float64]]) -> list[NDArray[np.bool_]]:
    """Say which pictures of the first and of the second set are named rightly."""
    return [scores[0] > 0, scores[1] <= 0]


def _accuracy(scores: Sequence[NDArray[np.float64]]) -> float:
    return float(np.mean([part.mean() for part in _right(scores)]))


def _hold_out(sample: Sample, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Mark the pictures of about a fifth of the runs, of one at least; of the maps where there is one run alone."""
    groups = sample.runs if len(np.unique(sample.runs)) > 1 else sample.owners
    numbers = np.unique(groups)
    return np.isin(groups, rng.permutation(numbers)[: max(1, len(numbers) // 5)])


def _interval(
    right: Sequence[NDArray[np.bool_]], runs: Sequence[NDArray[np.int64]], rng: np.random.Generator
) -> tuple[float, float]:
    """Return the 95 % interval of the accuracy by resampling whole runs with all their pictures (cluster bootstrap).

    Neighbouring frames are named alike, rightly or wrongly, so that pictures, and maps, are no independent trials.
    Where both sets show the same runs (camera maps, and renders of their hands) a run is drawn for both at once. Of few
    runs such intervals are rather too narrow than too wide; of a single one nothing can be said: 0 to 1.

    Args:
        right: For each set (n,), whether a picture was named rightly.
        runs: For each set (n,), the run that it belongs to.
        rng: Draws.
    """
    numbers = [np.unique(part) for part in runs]
    if min(map(len, numbers)) < 2:
        return 0.0, 1.0
    drawn = [rng.integers(0, len(part), (_RESAMPLES, len(part))) for part in numbers]
    if np.array_equal(numbers[0], numbers[1]):
        drawn[1] = drawn[0]
    means = []
    for part, run, draws in zip(right, runs, drawn, strict=True):
        index = np.unique(run, return_inverse=True)[1]
        hits, sizes = np.bincount(index, part), np.bincount(index)
        means.append(hits[draws].sum(axis=1) / sizes[draws].sum(axis=1))
    low, high = np.percentile(np.mean(means, axis=0), [2.5, 97.5])
    return float(low), float(high)
