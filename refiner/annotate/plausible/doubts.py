"""Which labels of a session are in doubt, and which of these are not to be believed: told anew from labels and depth.

Nothing of it is stored: a session keeps what a person put in, and what is in doubt follows from that and the maps.

A visible click without a reading near is named, since nothing is seen there; but its place is believed as long as its
bones are possible, because cameras lose thin fingers. Its depth is not known. Not believed are

    joints      that make bones impossible
    with them   all that stand where they stood in the image before, where one that makes a bone impossible does so
    images      whose labels fit much better read another way, or whose visible clicks mostly lie off the hand
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from refiner.annotate.plausible.bones import impossible_bones, joints_to_blame, reference_lengths_mm
from refiner.annotate.plausible.facts import hand_facts
from refiner.annotate.plausible.mixups import LEAST_JOINTS, LabelledMaps, Mixup, all_together, is_judged, mixed_up
from refiner.annotate.plausible.view import View
from refiner.annotate.sessions.labels import ABSENT, VISIBLE, FrameLabels
from refiner.annotate.sessions.session import Session
from refiner.errors import SolveError
from refiner.hand.skeleton import Skeleton

MOVED_PX = 1.0
"""A hand has moved when half its joints have moved farther."""


@dataclass(frozen=True)
class LabelDoubt:
    """A label that makes little sense.

    Attributes:
        frame: Its frame.
        joint: Its joint's name; nothing where the whole image is meant.
        why: What speaks against it, with the value found.
        believed: Whether its place is used all the same. Its depth is not.
        mixup: How the image's labels fit better, where they do.
    """

    frame: int
    joint: str | None
    why: str
    believed: bool = False
    mixup: Mixup | None = None


class Judge:
    """Looks at labels of a session beside its maps."""

    def __init__(self, session: Session) -> None:
        self._session, self._facts = session, hand_facts(session.skeleton)
        self._run = np.cumsum(session.starts)
        self._depth_mm = lru_cache(maxsize=512)(session.depth_mm)
        self._maps = LabelledMaps(session.skeleton, self._facts, session.store.size, self._look_at, self._linked)

    def doubts(self, labels: Sequence[FrameLabels]) -> list[LabelDoubt]:
        """Name the labels that are in doubt, in order of frames.

        Args:
            labels: All of a session: bones are compared with those of all frames.
        """
        labels, skeleton = sorted(labels, key=lambda one: one.frame), self._session.skeleton
        views = [self._look_at(one) for one in labels]
        mixups = mixed_up(views, self._maps)
        stray = [view.astray(self._facts) for view in views]
        whole = [_of_image(*one) for one in zip(views, stray, mixups, strict=True)]
        good = [view for view, doubt in zip(views, whole, strict=True) if doubt is None]
        reference_mm = reference_lengths_mm(good, skeleton, self._facts)
        found, still = list[LabelDoubt](), stand_still(labels)
        for view, doubt, astray, stands in zip(views, whole, stray, still, strict=True):
            if doubt is None:
                suspect = astray | stands
                bad = impossible_bones(view, skeleton, reference_mm, suspect)
                blamed = joints_to_blame(set(bad), view, skeleton, suspect)
                found += _of_joints(view, skeleton, astray, stands, bad, blamed)
            else:
                found.append(doubt)
        return found

    def fault(self, labels: Sequence[FrameLabels], doubts: Sequence[LabelDoubt]) -> str | None:
        """Return what is wrong with the labels of a file as a whole, and the way out; nothing where they are usable.

        Args:
            labels: Of the file.
            doubts: Of these.
        """
        judged = [one.frame for one in labels if is_judged(one)]
        of_images = [doubt for doubt in doubts if doubt.joint is None]
        mixup = all_together([self._look_at(one) for one in labels], self._maps)
        if mixup is not None:
            wanted = "frames numbered from 0" if mixup.shift else "u to the right, v downwards, joints by their names"
            return (
                f"found labels that lie nearer to a hand {mixup} (mean of {len(judged)} images), wanted {wanted}, as "
                "the session has them. Mend the file"
            )
        if 2 * len(of_images) > len(judged):
            return (
                f"found {len(of_images)} of {len(judged)} images whose labels do not fit their depth maps (frame "
                f"{of_images[0].frame}: {of_images[0].why}), wanted clicks on the hand. See that the file is of this "
                "session's store, its pixels those of the crops, and its frames those of the session"
            )
        return None

    def _look_at(self, labels: FrameLabels) -> View:
        return View.of(labels, self._depth_mm(labels.frame), self._session.cameras[labels.frame], self._facts)

    def _linked(self, a: int, b: int) -> bool:
        return 0 <= b < len(self._run) and self._run[a] == self._run[b]


def label_doubts(session: Session) -> list[LabelDoubt]:
    """Name the labels of a session that are in doubt, in order of frames."""
    return Judge(session).doubts(session.all_labels())


def usable_labels(
    session: Session, labels: Sequence[FrameLabels], with_depth: bool = False
) -> tuple[list[FrameLabels], list[LabelDoubt]]:
    """Return the labels of a session without what is not believed, and all that is in doubt.

    Args:
        session: The session.
        labels: All of them, of one moment.
        with_depth: Leave out visible clicks without a reading near, too.

    Raises:
        SolveError: There are labels, and none is believed.
    """
    doubts = Judge(session).doubts(labels)
    without_depth = [replace(doubt, believed=False) for doubt in doubts]
    usable = believed(labels, without_depth if with_depth else doubts, session.skeleton)
    if doubts and not any(one.flag.any() for one in usable):
        raise SolveError(
            f"{session.path}: found labels of {len(labels)} frames and none that makes sense (frame {doubts[0].frame}: "
            f"{doubts[0].why}), wanted one frame at least. Correct them, and import them again."
        )
    return usable, doubts


def believed(labels: Sequence[FrameLabels], doubts: Sequence[LabelDoubt], skeleton: Skeleton) -> list[FrameLabels]:
    """Return the labels without what is not believed: those joints are absent, and nothing is nearer than they."""
    wrong: dict[int, set[int]] = {}
    for doubt in doubts:
        if not doubt.believed:
            joints = range(len(skeleton)) if doubt.joint is None else [skeleton.joints.index(doubt.joint)]
            wrong.setdefault(doubt.frame, set()).update(joints)
    return [without(one, wrong[one.frame]) if one.frame in wrong else one for one in labels]


def without(labels: FrameLabels, joints: set[int]) -> FrameLabels:
    """Return the labels of a frame with some joints absent."""
    uv_px, flag = labels.uv_px.copy(), labels.flag.copy()
    uv_px[list(joints)], flag[list(joints)] = np.nan, ABSENT
    return replace(labels, uv_px=uv_px, flag=flag, nearer=tuple(p for p in labels.nearer if not joints & set(p)))


def stand_still(labels: Sequence[FrameLabels]) -> NDArray[np.bool_]:
    """Return which joints (N, J) stand exactly where they stood in the image before the hand last moved.

    Some tools leave a point of the image before where a person puts none. Whole pixels agree now and then by chance,
    and a hand may lean on a joint; hence this alone is no doubt.

    Args:
        labels: Of all images, in order.
    """
    still = np.zeros((len(labels), len(labels[0].flag) if labels else 0), dtype=np.bool_)
    for n in range(1, len(labels)):
        before, now = labels[n - 1], labels[n]
        known = (before.flag != ABSENT) & (now.flag != ABSENT)
        way_px = np.linalg.norm(now.uv_px - before.uv_px, axis=1)  # NaN where absent
        moved = known.any() and np.median(way_px[known]) > MOVED_PX
        still[n] = known & (way_px == 0) & (moved | still[n - 1])
    return still


def _of_image(view: View, astray: NDArray[np.bool_], mixup: Mixup | None) -> LabelDoubt | None:
    visible, off = int((view.labels.flag == VISIBLE).sum()), int(astray.sum())
    if mixup is not None:
        return LabelDoubt(view.labels.frame, None, f"its labels lie nearer to a hand {mixup}", mixup=mixup)
    if visible >= LEAST_JOINTS and 2 * off > visible:
        return LabelDoubt(view.labels.frame, None, f"{off} of {visible} visible clicks have no reading near")
    return None


def _of_joints(
    view: View, skeleton: Skeleton, astray: NDArray[np.bool_], stands: NDArray[np.bool_],
    bad: dict[int, tuple[float, float]], blamed: dict[int, int],
) -> list[LabelDoubt]:  # fmt: skip
    found, names = [], skeleton.joints
    left_there = set(np.flatnonzero(stands).tolist())
    false = left_there & blamed.keys()  # where one point was left from the image before, all that stand still were
    wrong = blamed.keys() | left_there if false else blamed.keys()
    for joint in sorted(wrong | set(np.flatnonzero(astray).tolist())):
        why = []
        if astray[joint]:
            why.append(f"visible, but the nearest reading is {view.away_mm[joint]:.0f} mm away")
        if joint in blamed:
            bone = blamed[joint]
            length, usual = bad[bone]
            bound = "at most" if length < usual else "at least"
            usually = f"{usual:.0f} mm is usual" if np.isfinite(usual) else "no hand has one"
            ends = f"{names[skeleton.parents[bone]]} to {names[bone]}"
            why.append(f"the bone from {ends} would be {bound} {length:.0f} mm long, {usually}")
        if false and joint in left_there:
            others = [names[other] for other in sorted(false - {joint})]
            why.append("it stands where it stood in the image before" + (f", as {others[0]}" if others else ""))
        found.append(LabelDoubt(view.labels.frame, names[joint], ", and ".join(why), believed=joint not in wrong))
    return found
