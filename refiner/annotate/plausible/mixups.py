"""Labels that fit better once they are read another way: u and v exchanged, mirrored, fingers reversed, another frame.

All ways are compared by one measure: the visible joints, lifted to the depth at their clicks, beside the nearest hand
that the hand model can make, of either side. A click without a reading counts as far off. Hurried clicks on the right
places lose at most some millimetres to a wrong way (see the test of false alarms); wrong ways lose ten and more.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from refiner.annotate.plausible.bones import hand_scale
from refiner.annotate.plausible.facts import HandFacts
from refiner.annotate.plausible.view import View
from refiner.annotate.sessions.labels import VISIBLE, FrameLabels
from refiner.hand.skeleton import Skeleton

Floats = NDArray[np.float64]

FAR_MM = 40.0
"""A joint without a reading, or farther from the hand than this, is so far off."""
LEAST_JOINTS = 6
"""Images with fewer visible clicks are not judged."""
WELL_MM = 7.0
"""Labels that lie this near to a hand are not read another way: no way could gain enough."""
GAIN_MM, GAIN_SHARE = 5.0, 0.4
"""Labels are taken for exchanged where they lie so much nearer to a hand then, on average, and by this share."""
NEIGHBOUR_GAIN_MM, NEIGHBOUR_MM = 8.0, 10.0
"""And for those of a neighbouring frame where they gain so much in the mean and in the median, and lie so near then."""
REACH = 3
"""Frames before and after that are tried."""
TOGETHER_MM, TOGETHER_ERRORS = 2.0, 3.0
"""Those of a file are where all together gain so much on average, and so many standard errors of that."""
LEAST_IMAGES, MOST_IMAGES = 3, 64
"""From fewer images it is not told; of more, some are taken evenly."""

_MIRRORED = ("u and v", "left and right of the picture", "top and bottom of the picture")
REVERSED = "with the fingers from index to little named in reverse, as on the other hand"


@dataclass(frozen=True)
class Mixup:
    """Labels that fit better when they are read another way.

    Attributes:
        what: The other way.
        misfit_mm: Mean distance of the visible joints from the nearest hand, as they are.
        instead_mm: The same, read the other way.
        shift: The labels are those of so many frames later; 0 where the other way is another one.
    """

    what: str
    misfit_mm: float
    instead_mm: float
    shift: int = 0

    def __str__(self) -> str:
        """Say it with both values."""
        return f"{self.what}: {self.instead_mm:.0f} mm away from it, {self.misfit_mm:.0f} mm as they are"


@dataclass(frozen=True)
class LabelledMaps:
    """The maps of a session, upon which labels can be read in another way.

    Attributes:
        skeleton: Names and tree of the joints.
        facts: Of the joints.
        size: Side of the maps in pixels.
        look_at: Returns the view of labels upon the map of the frame that they name.
        linked: Whether two frames belong to one unbroken sequence.
    """

    skeleton: Skeleton
    facts: HandFacts
    size: int
    look_at: Callable[[FrameLabels], View]
    linked: Callable[[int, int], bool]


def is_judged(labels: FrameLabels) -> bool:
    """Return whether an image has enough visible clicks to be judged."""
    return bool((labels.flag == VISIBLE).sum() >= LEAST_JOINTS)


def misfits_mm(views: Sequence[View], skeleton: Skeleton, facts: HandFacts) -> Floats:
    """Return the distance (N, J) of visible joints from the nearest hand, at most `FAR_MM`; NaN where not visible.

    Joints that make no `hand21` are compared with the nearest reading instead.
    """
    visible = np.array([view.labels.flag == VISIBLE for view in views])
    off_mm = np.array([view.away_mm for view in views])
    if facts.to_hand21 is not None and visible.any():
        from refiner.hand.fit import fit_hands
        from refiner.hand.model import load_hand

        model = load_hand()
        shape = np.zeros(len(model.shape_names))
        shape[model.shape_names.index("scale")] = hand_scale(views, skeleton, facts) - 1.0
        lifted = np.array([view.lifted_mm[facts.to_hand21] for view in views])
        fits = [fit_hands(model, lifted, side, shape).residual_mm for side in (0, 1)]
        total = [np.nan_to_num(fit, nan=FAR_MM).clip(max=FAR_MM).sum(axis=1) for fit in fits]
        off_mm[:, facts.to_hand21] = np.where((total[0] <= total[1])[:, None], *fits)
    return np.where(visible, np.nan_to_num(off_mm, nan=FAR_MM).clip(max=FAR_MM), np.nan)


def mixed_up(views: Sequence[View], of: LabelledMaps) -> list[Mixup | None]:
    """Return which images' labels fit much better when they are read another way.

    Args:
        views: Of the images.
        of: The maps that they show.
    """
    found: list[Mixup | None] = [None] * len(views)
    judged = [n for n, view in enumerate(views) if is_judged(view.labels)]
    if not judged:
        return found
    misfit_mm = misfits_mm([views[n] for n in judged], of.skeleton, of.facts)
    poor = np.nanmean(misfit_mm, axis=1) > WELL_MM
    at, misfit_mm = [n for n, is_poor in zip(judged, poor, strict=True) if is_poor], misfit_mm[poor]
    mean_mm, best_mm = np.nanmean(misfit_mm, axis=1), np.full(len(at), np.inf)
    needed_mm = np.maximum(GAIN_MM, GAIN_SHARE * mean_mm)
    for what, ways in _other_ways([views[n].labels for n in at], of.facts, of.size).items():
        instead_mm = np.nanmean(misfits_mm([of.look_at(way) for way in ways], of.skeleton, of.facts), axis=1)
        for n in np.flatnonzero((mean_mm - instead_mm > needed_mm) & (instead_mm < best_mm)):
            found[at[n]], best_mm[n] = Mixup(what, float(mean_mm[n]), float(instead_mm[n])), instead_mm[n]
    for shift in _SHIFTS:
        near = [n for n in range(len(at)) if of.linked(views[at[n]].labels.frame, views[at[n]].labels.frame + shift)]
        moved = [of.look_at(_moved(views[at[n]].labels, shift)) for n in near]
        for n, instead_mm in zip(near, misfits_mm(moved, of.skeleton, of.facts) if near else [], strict=True):
            gain_mm = min(mean_mm[n] - np.nanmean(instead_mm), np.nanmedian(misfit_mm[n]) - np.nanmedian(instead_mm))
            if gain_mm > NEIGHBOUR_GAIN_MM and np.nanmean(instead_mm) < min(best_mm[n], NEIGHBOUR_MM):
                best_mm[n] = np.nanmean(instead_mm)
                what = f"as those of frame {views[at[n]].labels.frame + shift}"
                found[at[n]] = Mixup(what, float(mean_mm[n]), float(best_mm[n]), shift)
    return found


def all_together(views: Sequence[View], of: LabelledMaps) -> Mixup | None:
    """Return how the labels of all images together fit better when they are read another way.

    Single images often do not tell: clicks are noisy, and motion between frames may be less than their error.

    Args:
        views: Of the images.
        of: The maps that they show.
    """
    judged = [view for view in views if is_judged(view.labels)]
    judged = judged[:: 1 + len(judged) // MOST_IMAGES]
    if len(judged) < LEAST_IMAGES:
        return None
    labels = [view.labels for view in judged]
    ways = {what: list(enumerate(way)) for what, way in _other_ways(labels, of.facts, of.size).items()}
    shifts = {_SHIFTED.format(abs(shift), "later" if shift > 0 else "earlier"): shift for shift in _SHIFTS}
    for what, shift in shifts.items():
        near = [n for n, one in enumerate(labels) if of.linked(one.frame, one.frame + shift)]
        ways[what] = [(n, _moved(labels[n], shift)) for n in near]
    all_mm = np.nanmean(misfits_mm(judged, of.skeleton, of.facts), axis=1)
    best: Mixup | None = None
    if all_mm.mean() < GAIN_MM:
        return best
    for what, way in ways.items():
        if len(way) < LEAST_IMAGES:
            continue
        at = [n for n, _ in way]
        instead_mm = np.nanmean(misfits_mm([of.look_at(one) for _, one in way], of.skeleton, of.facts), axis=1)
        gain_mm = all_mm[at] - instead_mm
        error_mm = float(gain_mm.std(ddof=1)) / len(at) ** 0.5
        clear = gain_mm.mean() > max(TOGETHER_MM, TOGETHER_ERRORS * error_mm)
        if clear and (best is None or instead_mm.mean() < best.instead_mm):
            best = Mixup(what, float(all_mm[at].mean()), float(instead_mm.mean()), shifts.get(what, 0))
    return best


_SHIFTED = "as those of the frames {} {}"
_SHIFTS = [shift for step in range(1, REACH + 1) for shift in (-step, step)]


def _other_ways(labels: Sequence[FrameLabels], facts: HandFacts, size: int) -> dict[str, list[FrameLabels]]:
    ways = {}
    for what in _MIRRORED:
        mirrored = [_mirrored(one.uv_px, what, size) for one in labels]
        ways[f"with {what} exchanged"] = [replace(one, uv_px=uv) for one, uv in zip(labels, mirrored, strict=True)]
    order = facts.fingers_reversed
    if order is not None:
        ways[REVERSED] = [replace(one, uv_px=one.uv_px[order], flag=one.flag[order]) for one in labels]
    return ways if labels else {}


def _mirrored(uv_px: Floats, what: str, size: int) -> Floats:
    if what == "u and v":
        return uv_px[:, ::-1]
    sides = np.array([-1.0, 1.0] if what.startswith("left") else [1.0, -1.0])
    return np.where(sides < 0, size - 1 - uv_px, uv_px)


def _moved(labels: FrameLabels, shift: int) -> FrameLabels:
    return replace(labels, frame=labels.frame + shift)
