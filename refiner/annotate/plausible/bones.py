"""Bones that no hand has: the shortest and longest that two clicks allow, beside the hand model and the other frames.

The projection of a bone is never longer than the bone: whatever the depths of its ends are, it is at least as long as
the way from the one end to the ray of the other. Where an end is visible, depth says more: it lies between the nearest
reading around its click and the farthest, with its offset and the paper's 15 mm behind that; and any end behind the
nearest around its own click.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from refiner.annotate.plausible.facts import HandFacts
from refiner.annotate.plausible.view import CLICK_PX, View
from refiner.annotate.sessions.bones import LONGEST_MM, SHORTEST_MM
from refiner.hand.skeleton import Skeleton

Floats = NDArray[np.float64]

SCALES = (0.5, 1.4)
"""Hands are this much of the mean hand: a child's of two years, and the largest men's."""
PROPORTIONS = 1.15
"""A bone may be longer than the hand's size says by this factor (hands' proportions vary by a few per cent)."""
CLICKS_PX = 3.5 * 2**0.5 * CLICK_PX
"""Two hurried clicks lengthen a bone by no more: three and a half deviations of their difference."""
CAREFUL_CLICKS_PX = 4.0
"""Clicks that are suspect already get no more than this: careful ones would lengthen a bone by as much."""
TOO_SHORT = 0.6
"""A bone cannot be longer than this share of its usual length, and is impossible then."""
FLATNESS_POWER = 4
"""A bone weighs as this power of the share of it that lies in the image plane."""
_LEAST_FRAMES = 3
"""From fewer frames the length of a bone is not told."""


def length_ranges_mm(view: View, skeleton: Skeleton, careful: NDArray[np.bool_]) -> tuple[Floats, Floats]:
    """Return the shortest and the longest length that each bone can have, by its outer joint.

    Args:
        view: Of the frame.
        skeleton: Names and tree of the joints.
        careful: (J,) bones whose clicks are taken for careful ones, which leaves less room for their ends.

    Returns:
        Two of (J,) mm; NaN where an end is absent, the longest also where an end is hidden or has no reading around.
    """
    shortest, longest = np.full(len(skeleton), np.nan), np.full(len(skeleton), np.nan)
    for parent, child in skeleton.bones:
        a, b = view.ray[parent], view.ray[child]
        near_mm, far_mm = view.near_mm[int(careful[child])], view.far_mm[int(careful[child])]
        across = min(near_mm[parent], near_mm[child]) * np.linalg.norm(np.cross(a, b))
        across /= max(np.linalg.norm(a), np.linalg.norm(b))
        ranges = [(near_mm[joint], far_mm[joint]) for joint in (parent, child)]
        # NaN where an end is hidden, which is no distance: max passes it over.
        apart = max(0.0, ranges[1][0] - ranges[0][1], ranges[0][0] - ranges[1][1])
        shortest[child] = np.hypot(across, apart)
        longest[child] = np.max([np.linalg.norm(s * a - t * b) for s in ranges[0] for t in ranges[1]])  # NaN beside NaN
    return shortest, longest


def lifted_lengths_mm(views: Sequence[View], skeleton: Skeleton) -> tuple[Floats, Floats]:
    """Return the length of each bone with both ends lifted, (N, J) by outer joint, and its weight, (N, J).

    NaN and 0 where an end is not lifted or the length impossible for anybody.
    """
    length, weight = np.full((len(views), len(skeleton)), np.nan), np.zeros((len(views), len(skeleton)))
    lifted = np.array([view.lifted_mm for view in views]).reshape(-1, len(skeleton), 3)
    for parent, child in skeleton.bones:
        length[:, child], weight[:, child] = lengths_and_weights(lifted[:, child] - lifted[:, parent])
    return length, weight


def lengths_and_weights(way_mm: Floats) -> tuple[Floats, Floats]:
    """Return the lengths of bones and how much each counts: flat ones most, since depth errs more than clicks do.

    Args:
        way_mm: (M, 3) from one end of each bone to the other; NaN where unknown.

    Returns:
        (M,) mm, and (M,); NaN and 0 where a way is unknown or its length impossible for anybody.
    """
    length = np.linalg.norm(way_mm, axis=1)
    possible = (length > SHORTEST_MM) & (length < LONGEST_MM)
    flat = np.linalg.norm(way_mm[:, :2], axis=1) / np.where(possible, length, 1.0)
    return np.where(possible, length, np.nan), np.where(possible, flat**FLATNESS_POWER + 1e-6, 0.0)


def hand_scale(views: Sequence[View], skeleton: Skeleton, facts: HandFacts) -> float:
    """Return the size of the hand relative to the mean hand: the median over all lifted bones, 1 without any."""
    length_mm, weight = lifted_lengths_mm(views, skeleton)
    weight = np.where(np.isfinite(facts.usual_mm), weight, 0.0)
    if not weight.any():
        return 1.0
    return float(np.clip(weighted_median((length_mm / facts.usual_mm).ravel(), weight.ravel()), *SCALES))


def reference_lengths_mm(views: Sequence[View], skeleton: Skeleton, facts: HandFacts) -> Floats:
    """Return the length (J,) that each bone has by all frames together and the hand model; NaN where neither says.

    Where the frames themselves show a bone longer than the hand's size says, it may be so by `PROPORTIONS`.
    """
    length_mm, weight = lifted_lengths_mm(views, skeleton)
    told = np.full(len(skeleton), np.nan)
    for joint in np.flatnonzero((weight > 0).sum(axis=0) >= _LEAST_FRAMES):
        told[joint] = weighted_median(length_mm[:, joint], weight[:, joint])
    usual = hand_scale(views, skeleton, facts) * facts.usual_mm
    return np.where(np.isfinite(usual), np.fmax(usual, np.minimum(told, PROPORTIONS * usual)), told)


def impossible_bones(
    view: View, skeleton: Skeleton, reference_mm: Floats, suspect: NDArray[np.bool_]
) -> dict[int, tuple[float, float]]:
    """Return the bones that no hand has, by their outer joint: the length found, and the one usual.

    Args:
        view: Of the frame.
        skeleton: Names and tree of the joints.
        reference_mm: (J,) see `reference_lengths_mm`.
        suspect: (J,) joints of which something else is strange: their bones are allowed less.
    """
    found = {}
    careful = suspect | suspect[list(skeleton.parents)]
    shortest, longest = length_ranges_mm(view, skeleton, careful)
    for _, child in skeleton.bones:
        usual, clicks_px = reference_mm[child], CAREFUL_CLICKS_PX if careful[child] else CLICKS_PX
        most = PROPORTIONS * usual + clicks_px * view.mm_per_px if np.isfinite(usual) else LONGEST_MM
        if shortest[child] > most:
            found[child] = (float(shortest[child]), float(usual))
        elif longest[child] < TOO_SHORT * usual:
            found[child] = (float(longest[child]), float(usual))
    return found


def joints_to_blame(bad: set[int], view: View, skeleton: Skeleton, suspect: NDArray[np.bool_]) -> dict[int, int]:
    """Return the smallest set of joints that explains the impossible bones: joint -> one of these bones.

    Of the two ends that one is to blame which has more impossible bones, then the one that is suspect, then the one
    with fewer possible bones; both where that does not tell.

    Args:
        bad: The impossible bones, by their outer joints.
        view: Of the frame.
        skeleton: Names and tree of the joints.
        suspect: (J,) joints of which something else is strange.
    """
    clicked = np.isfinite(view.ray[:, 0])
    left, blamed = set(bad), dict[int, int]()
    bones_of: dict[int, list[int]] = {joint: [] for joint in range(len(skeleton))}
    for parent, child in skeleton.bones:
        if clicked[parent] and clicked[child]:
            bones_of[parent].append(child)
            bones_of[child].append(child)

    def rank(joint: int) -> tuple[int, bool, int]:
        wrong = sum(bone in left for bone in bones_of[joint])
        return wrong, bool(suspect[joint]), wrong - len(bones_of[joint])

    while left:
        ends = sorted({end for bone in left for end in (bone, skeleton.parents[bone])}, key=rank)
        worst = ends[-1]
        bone = min(bone for bone in bones_of[worst] if bone in left)
        for joint in {worst, *(end for end in (bone, skeleton.parents[bone]) if rank(end) == rank(worst))}:
            blamed[joint] = bone
        left -= {bone for joint in blamed for bone in bones_of[joint]}
    return blamed


def weighted_median(values: Floats, weights: Floats) -> float:
    """Return the weighted median of values (M,); those of weight 0 do not count."""
    kept = weights > 0
    order = np.argsort(values[kept], kind="stable")
    values, weights = values[kept][order], weights[kept][order]
    return float(np.interp(0.5, (np.cumsum(weights) - 0.5 * weights) / weights.sum(), values))
