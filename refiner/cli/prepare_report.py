"""What `refiner prepare` says about what it took and left out: all of it in a file, the most on the terminal."""

import re
import sys
from collections.abc import Sequence
from pathlib import Path

from refiner.datasets.hands import Hands
from refiner.datasets.layouts import ASSUMED_FOCAL_PX, Frame
from refiner.files import write_json

NAMED = 10
"""How many frames of a kind are named on the terminal; the file names all."""


def write_report(path: Path, hands: Hands, frames: int, cut: list[str]) -> None:
    """Write what was taken and what was left out, with the reasons, and say the most important of it."""
    left_out = {"no_hand": hands.no_hand, "implausible": hands.implausible, "unreadable": hands.unreadable}
    noticed = {
        "other_parts": hands.others, "nearer_clutter": hands.clutter, "lone_readings": hands.lone_readings,
        "cut_by_border": cut,
    }  # fmt: skip
    counts = {"written": len(hands), "frames": frames, "unlisted": hands.unlisted, "warnings": hands.warnings}
    write_json(path, {**counts, **left_out, **noticed})
    for what, sources in (("no hand in", hands.no_hand), ("cannot read", list(hands.unreadable))):
        _name(f"{what} {len(sources)} of {frames} frames, left out", sources, path)
    for reason, sources in _by_reason(hands.implausible).items():
        _name(f"{len(sources)} of {frames} maps left out, {reason}", sources, path)
    if hands.implausible:
        say("if files that are no depth maps lie among them, choose the depth maps with --pattern 'depth/*.png'")
    for what, sources, then in (
        ("another part of a hand's size", hands.others, ", the likeliest was taken"),
        ("something nearer that is no hand", hands.clutter, ", passed over"),
        ("the hand is behind sprinkled readings", hands.lone_readings, ", which were passed over"),
        ("the cube is cut by the image's border", cut, ""),
    ):
        _name(f"{what} in {len(sources)} of {frames} frames{then}", sources, path)


def _by_reason(implausible: dict[str, str]) -> dict[str, list[str]]:
    """Group sources whose reasons differ in their numbers only, under the reason of the first."""
    groups: dict[str, tuple[str, list[str]]] = {}
    for source, reason in implausible.items():
        groups.setdefault(re.sub(r"[\d.]+", "0", reason), (reason, []))[1].append(source)
    return dict(groups.values())


def _name(what: str, sources: list[str], report: Path) -> None:
    if sources:
        shown = ", ".join(sources[:NAMED]) + (f" and {len(sources) - NAMED} more" if len(sources) > NAMED else "")
        say(f"{what}: {shown} (all in {report})")


def say_cameras(frames: Sequence[Frame], hands: Hands) -> None:
    """Report cameras that were assumed, rescaled, or have lens distortion."""
    assumed = sum(frame.given is None for frame in frames)
    if assumed:
        say(
            f"no camera is known for {assumed} of {len(frames)} maps: a Kinect v1 is assumed, focal length "
            f"{ASSUMED_FOCAL_PX:g} px, principal point in the middle of each image (--camera or camera.json tells it)"
        )
    scaled = {
        (frame.given.image_px, size, camera): None
        for frame, size, camera in zip(hands.frames, hands.image_sizes, hands.cameras, strict=True)
        if frame.given is not None and frame.given.image_px not in (None, size)
    }
    for image_px, size, camera in scaled:
        say(
            f"the camera's numbers are for {image_px[0]} x {image_px[1]} px: for maps of {size[0]} x {size[1]} px, "
            f"which are taken to show its whole width, they are {','.join(f'{number:g}' for number in camera)}"
        )
    if any(frame.given is not None and frame.given.distorted for frame in frames):
        say("the camera's lens distortion is not undone: where it matters, give undistorted maps")


def say(text: str) -> None:
    """Print a line about the run, beside the output."""
    print(f"refiner prepare: {text}", file=sys.stderr)
