"""Whether what was taken for a depth map of a hand can be one: the one place that judges it.

A map or a hand that cannot be one is left out, with the reason. Where the whole recording is off (a camera of another
image, a unit that makes hands of the wrong size) it is refused, with the value found, the likely cause and the way out.

What is known of hands is an adult's in a cube of 260 mm, and scales with the cube.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from refiner.datasets.layouts import ASSUMED_UNIT_MM, Camera, DepthMap
from refiner.datasets.locate import REFERENCE_CUBE_MM, FoundHand, find_hand
from refiner.datasets.parts import running_on
from refiner.errors import DepthFormatError, UsageError

MOST_ASPECT = 1.05
"""Focal lengths along u and v of one lens differ by 1 % at most; of another image's numbers by a third."""
ROUGHNESS = 0.025
"""Median step between neighbouring readings that differ, as a share of the depth: cameras have 0.001 to 0.009, an
infrared picture 0.05."""
DOUBTFUL, SMOOTH, ROUGH_SHARE = 0.004, 0.01, 0.15
"""Roughness above which the order of the bytes is tried, and below which it is right when exchanged; share of
neighbours that must differ before a map is called rough."""
FLAT_MM = 2.0
"""Relief of what was taken for a hand: walls and rectangles of noise have less, hands 4 and more."""
LEAST_PALM_MM = 20.0
"""Radius of the disc in the palm that a tenth of a recording's hands must reach; adults' reach 30 to 50."""
FAR_MM, TOO_FAR_MM = 1000.0, 2500.0
"""Beyond the first a hand that runs on into something larger is more likely a part of a hand in a wrong unit, beyond
the second any hand is."""
MOST_GROWTH = 3.0
"""Area of what a hand runs on into, within 400 mm behind its nearest point, relative to its own: an arm is 1 to 2, the
hand behind a fingertip 4 to 12."""
UNITS_MM = (1.0, 0.1, 0.125, 0.2, 0.25, 0.5, 10.0, 1000.0)
"""Units that cameras and tools write: 0.125 SR300, 0.2 TUM, 0.25 L515, 1000 metres as floats."""
NAMED_UNITS, SAMPLED = 2, 24


def require_plausible_camera(camera: Camera, image_px: tuple[int, int], source: str) -> None:
    """Refuse a camera that cannot have taken an image of this size.

    Raises:
        UsageError: The principal point lies at or beyond the image's border, or the focal lengths differ.
    """
    fx, fy, cx, cy = camera
    columns, rows = image_px
    way_out = (
        "Give the camera of these maps; where the numbers are for an image of another size, say which with "
        "--camera-image w,h."
    )
    if not (0 < cx < columns - 1 and 0 < cy < rows - 1):
        raise UsageError(
            f"The camera {fx:g},{fy:g},{cx:g},{cy:g} does not fit the maps: found the principal point {cx:g},{cy:g} at "
            f"or beyond the border of {source}, which has {columns} x {rows} pixels; wanted it near the middle, "
            f"{(columns - 1) / 2:g},{(rows - 1) / 2:g}. {way_out}"
        )
    if max(fx, fy) > MOST_ASPECT * min(fx, fy):
        raise UsageError(
            f"The camera {fx:g},{fy:g},{cx:g},{cy:g} does not fit {source}: found the focal lengths fx = {fx:g} and "
            f"fy = {fy:g} px, wanted the same to {MOST_ASPECT - 1:.0%}. {way_out}"
        )


def require_one_size(sizes: Mapping[Camera, Mapping[tuple[int, int], int]]) -> None:
    """Refuse a camera that was given for maps of several sizes, without the image that its numbers are for.

    Args:
        sizes: Camera -> (columns, rows) -> number of maps.

    Raises:
        UsageError: One was; the message says how many maps have which size.
    """
    for (fx, fy, cx, cy), counts in sizes.items():
        if len(counts) > 1:
            found = ", ".join(f"{count} of {width} x {height} px" for (width, height), count in counts.items())
            raise UsageError(
                f"One camera, {fx:g},{fy:g},{cx:g},{cy:g}, was given for maps of several sizes: found {found}, wanted "
                "one size. Choose the depth maps with --pattern, put a camera.json into the folder of each size, or "
                "say with --camera-image w,h which image the numbers are for."
            )


def why_no_depth(depth: DepthMap) -> str | None:
    """Return why a map holds no distances, or nothing where it may."""
    found, share = roughness(depth.numbers)
    if found > DOUBTFUL and depth.numbers.dtype.itemsize == 2 and np.issubdtype(depth.numbers.dtype, np.integer):
        exchanged, _ = roughness(depth.numbers.byteswap())
        if exchanged < min(found / 2, SMOOTH):
            return (
                f"the two bytes of each number are exchanged: neighbouring readings differ by {found:.1%}, with the "
                f"bytes in order by {exchanged:.1%}; convert the files"
            )
    if found > ROUGHNESS and share > ROUGH_SHARE:
        return (
            f"neighbouring readings differ by {found:.1%} of their depth, of a depth map by less than {ROUGHNESS:.1%}"
        )
    return None


def why_no_hand(found: FoundHand, cube_mm: float) -> str | None:
    """Return why what was found in a map is no hand, or nothing where it may be one."""
    if found.centre_mm[2] < cube_mm / 2:
        return (
            f"what was taken for a hand is {found.centre_mm[2]:.0f} mm from the camera, nearer than half the cube's "
            f"side, {cube_mm / 2:g} mm"
        )
    if found.relief_mm < FLAT_MM * cube_mm / REFERENCE_CUBE_MM:
        return f"what was taken for a hand is flat: {found.relief_mm:.1f} mm about a plane, of a hand 4 and more"
    return None


def roughness(numbers: NDArray[np.generic]) -> tuple[float, float]:
    """Measure the steps between neighbouring readings of every eighth row.

    Returns:
        The median step of those that differ, as a share of the larger; and how many of all neighbours differ, as a
        share: 0.2 and more of a camera, 0.05 where false readings are sprinkled on an even wall.
    """
    rows = np.asarray(numbers[::8], np.float64)
    left, right = rows[:, :-1], rows[:, 1:]
    both = (left > 0) & (right > 0)
    differ = both & (left != right)
    if not differ.any():
        return 0.0, 0.0
    steps = np.abs(left - right)[differ] / np.maximum(left, right)[differ]
    return float(np.median(steps)), float(differ.sum() / both.sum())


def require_plausible_sizes(
    hands: Sequence[FoundHand],
    sample: Sequence[DepthMap],
    *,
    cube_mm: float,
    unit_mm: float | None,
) -> str | None:
    """Judge the sizes of all hands of a recording.

    Args:
        hands: What was found in each map.
        sample: Some of the maps, spread over the recording, at most `SAMPLED`; none where they show more than was
            searched.
        cube_mm: Side of the crop cube.
        unit_mm: The depth unit as it was given; nothing where it was assumed.

    Returns:
        A warning where the unit was given and the sizes are implausible all the same, else nothing.

    Raises:
        DepthFormatError: The sizes are implausible and nobody said what the unit is.
    """
    doubt = _doubt_about_sizes(hands, sample, cube_mm)
    if doubt is None:
        return None
    if unit_mm is not None:
        return f"{doubt}: is --depth-unit-mm {unit_mm:g} right, and the focal length?"
    likely = likely_units_mm(sample, cube_mm, ASSUMED_UNIT_MM)
    if likely:
        wanted = f"The depth unit is likely {' or '.join(f'{unit:g}' for unit in likely)} mm: give --depth-unit-mm"
    else:
        wanted = "No common depth unit makes hands of them: give the maps' own --camera fx,fy,cx,cy"
    raise DepthFormatError(
        f"Implausible hands: {doubt}; no unit was given, so 1 mm was assumed. {wanted}. Where all of this is right, "
        "say so with --depth-unit-mm 1."
    )


def _doubt_about_sizes(hands: Sequence[FoundHand], sample: Sequence[DepthMap], cube_mm: float) -> str | None:
    scale = cube_mm / REFERENCE_CUBE_MM
    distance_mm = float(np.median([hand.centre_mm[2] for hand in hands]))
    palm_mm = float(np.quantile([hand.palm_mm for hand in hands], 0.9)) / scale
    if palm_mm < LEAST_PALM_MM:
        return (
            f"found palms in which discs of at most {palm_mm * scale:.0f} mm radius fit (90 % quantile), wanted "
            f"{30 * scale:.0f} to {50 * scale:.0f}, as where the focal length is too long or the unit too small"
        )
    if distance_mm > TOO_FAR_MM:
        return f"the hands lie at {distance_mm / 1000:.1f} m (median), wanted less than {TOO_FAR_MM / 1000:g}"
    if distance_mm > FAR_MM and sample:
        growth = float(np.median([running_on_of(depth, cube_mm, 1.0) for depth in sample]))
        if growth > MOST_GROWTH:
            return (
                f"what was taken for hands, at {distance_mm / 1000:.1f} m, runs on into something {growth:.1f} times "
                f"as large (median), of an arm at most {MOST_GROWTH:g}"
            )
    return None


def likely_units_mm(sample: Sequence[DepthMap], cube_mm: float, unit_mm: float) -> list[float]:
    """Return the common units in which maps that were read in `unit_mm` hold plausible hands, the likeliest first."""
    ranked: list[tuple[float, float]] = []
    for unit in UNITS_MM if sample else ():
        factor = unit / unit_mm
        found = [find_hand(depth.depth_mm * np.float32(factor), depth.camera, cube_mm=cube_mm) for depth in sample]
        hands = [hand for hand in found if hand is not None and why_no_hand(hand, cube_mm) is None]
        if len(hands) < 0.8 * len(sample):
            continue
        palm_mm = float(np.median([hand.palm_mm for hand in hands])) * REFERENCE_CUBE_MM / cube_mm
        distance_mm = float(np.median([hand.centre_mm[2] for hand in hands]))
        growth = float(np.median([running_on_of(depth, cube_mm, factor) for depth in sample]))
        if LEAST_PALM_MM < palm_mm < 58 and distance_mm < TOO_FAR_MM and growth < 1.4:
            # How far the palm is from an adult's 40 mm, and how much more than a hand there is.
            ranked.append((abs(np.log(palm_mm / 40)) + 3 * np.log(growth), unit))
    return [unit for _, unit in sorted(ranked)[:NAMED_UNITS]]


def running_on_of(depth: DepthMap, cube_mm: float, factor: float) -> float:
    """Return the area of what the hand runs on into, relative to its own, of a map whose depths are multiplied."""
    fx, fy, cx, cy = depth.camera
    map_mm = np.ascontiguousarray(depth.depth_mm * np.float32(factor), np.float32)
    return float(running_on(map_mm, fx, fy, cx, cy, cube_mm / REFERENCE_CUBE_MM))
