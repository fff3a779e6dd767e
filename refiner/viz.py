"""Pictures of depth maps: colours, contact sheets, skeletons.

Depth is drawn in one fixed colour map over a range that the caller fixes, near = warm, far = cold; a pixel without a
reading is grey and never a colour of the map. Pictures are (H, W, 3) uint8 in RGB.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from refiner.files import write_atomically

Picture = NDArray[np.uint8]

NO_READING = (40, 40, 40)
_HATCH = (110, 110, 110)
_FINGER_COLOURS = {
    "thumb": (230, 60, 60),
    "index": (240, 160, 40),
    "middle": (60, 180, 75),
    "ring": (60, 120, 240),
    "little": (170, 60, 220),
}
_OTHER_COLOUR = (230, 230, 230)
_MARGIN_PX, _TITLE_PX, _TITLE_SCALE = 2, 18, 0.42


class Skeleton(Protocol):
    """What is drawn of a skeleton: `refiner.hand.skeleton.Skeleton` is one; pictures need not know the hand."""

    @property
    def joints(self) -> Sequence[str]:
        """Return the joints' names; the part before the first `_` names the finger."""
        ...

    @property
    def parents(self) -> Sequence[int]:
        """Return each joint's parent, -1 for the root."""
        ...


def colour_depth(depth_mm: NDArray[np.floating], near_mm: float, far_mm: float) -> Picture:
    """Colour a depth map over [near_mm, far_mm]; 0 is no reading.

    Args:
        depth_mm: (H, W).
        near_mm: Warmest colour; nearer is drawn alike.
        far_mm: Coldest colour.
    """
    share = np.clip((np.asarray(depth_mm, np.float64) - near_mm) / (far_mm - near_mm), 0, 1)
    picture = _mapped(255 - np.rint(share * 255).astype(np.uint8), cv2.COLORMAP_TURBO)
    picture[np.asarray(depth_mm) <= 0] = NO_READING
    return picture


def colour_tables() -> dict[str, Picture]:
    """Return the colour maps for depth by name, (256, 3) from far to near.

    Greys, viridis and cividis are safe for colour-blind people.
    """
    levels = np.arange(256, dtype=np.uint8)[:, None]
    maps = {"viridis": cv2.COLORMAP_VIRIDIS, "cividis": cv2.COLORMAP_CIVIDIS, "turbo": cv2.COLORMAP_TURBO}
    greys = np.repeat(70 + np.rint(levels * (185 / 255)).astype(np.uint8), 3, axis=1)  # far is dark, but no shadow
    return {"greys": greys, **{name: _mapped(levels, code)[:, 0] for name, code in maps.items()}}


def joint_colours(skeleton: Skeleton) -> list[tuple[int, int, int]]:
    """Return the colour of each joint, one a finger."""
    return [_colour(skeleton, joint) for joint in range(len(skeleton.joints))]


def colour_difference(difference_mm: NDArray[np.floating], range_mm: float) -> Picture:
    """Colour signed differences: blue nearer, white the same, red farther; NaN (not comparable) is grey.

    Args:
        difference_mm: (H, W), may hold NaN.
        range_mm: Full colour at plus and minus this.
    """
    value = np.clip(np.nan_to_num(np.asarray(difference_mm, np.float64)) / range_mm, -1, 1)[..., None]
    cold, middle, warm = np.array([40, 80, 200.0]), np.array([245, 245, 245.0]), np.array([200, 40, 40.0])
    picture = np.where(value < 0, middle + (cold - middle) * -value, middle + (warm - middle) * value)
    picture[np.isnan(difference_mm)] = NO_READING
    return np.rint(picture).astype(np.uint8)


def shade_relief(depth_mm: NDArray[np.floating], near_mm: float, far_mm: float, pixel_mm: float) -> NDArray[np.uint8]:
    """Draw a depth map in greys: near is bright, and surfaces are lit from the upper left.

    Args:
        depth_mm: (H, W), 0 is no reading.
        near_mm: Depth of the brightest surface that faces the light.
        far_mm: Depth of the darkest.
        pixel_mm: Side of a pixel on the surface.

    Returns:
        (H, W), 0 where there is no reading, else 40 to 255.
    """
    depth = np.asarray(depth_mm, np.float64)
    known = depth > 0
    # Beside a missing reading a surface goes on as it is: slopes towards nothing would draw dark rims.
    filled = np.where(known, depth, np.nan)
    slopes = [np.nan_to_num(np.gradient(filled, axis=axis) / pixel_mm) for axis in (0, 1)]
    light = (1 - 0.5 * (slopes[0] + slopes[1])) / np.sqrt(1.5 * (1 + slopes[0] ** 2 + slopes[1] ** 2))
    height = np.clip((far_mm - depth) / (far_mm - near_mm), 0, 1)
    grey = 40 + 215 * np.clip(light, 0, 1) * (0.45 + 0.55 * height)
    return np.where(known, np.rint(grey), 0).astype(np.uint8)


def hatch(picture: Picture, mask: NDArray[np.bool_]) -> Picture:
    """Draw slanted lines over a part of a picture: where nothing was recorded.

    Args:
        picture: (H, W, 3).
        mask: (H, W), true where to draw.
    """
    rows, columns = np.indices(mask.shape)
    drawn = picture.copy()
    drawn[mask] = NO_READING
    drawn[mask & ((rows + columns) % 8 < 2)] = _HATCH
    return drawn


def draw_skeleton(picture: Picture, uv_px: ArrayLike, skeleton: Skeleton, visible: ArrayLike | None = None) -> Picture:
    """Draw bones and joints over an enlarged copy of a picture, one colour a finger; hidden joints are hollow.

    Args:
        picture: (H, W, 3).
        uv_px: (J, 2) joints in pixels of the picture; NaN where unknown.
        skeleton: Names and parents of the J joints.
        visible: (J,); all where nothing is given.
    """
    canvas = enlarge(picture, 256)
    factor = len(canvas) // len(picture)
    places = (np.asarray(uv_px, np.float64) + 0.5) * factor - 0.5
    shown = np.ones(len(skeleton.joints), bool) if visible is None else np.asarray(visible, bool)
    known: NDArray[np.bool_] = np.all(np.isfinite(places), axis=1)

    def pixel(joint: int) -> tuple[int, int]:
        u, v = np.clip(places[joint], -10_000, 10_000)
        return round(u), round(v)

    for joint, parent in enumerate(skeleton.parents):
        if parent >= 0 and known[joint] and known[parent]:
            cv2.line(canvas, pixel(parent), pixel(joint), _colour(skeleton, joint), 1, cv2.LINE_AA)
    for joint in np.flatnonzero(known).tolist():
        cv2.circle(canvas, pixel(joint), 3, _colour(skeleton, joint), -1 if shown[joint] else 1, cv2.LINE_AA)
    return canvas


def enlarge(picture: Picture, least_px: int) -> Picture:
    """Repeat pixels until the longer side has at least `least_px`: small maps are drawn as they are, unsmoothed."""
    factor = max(1, -(-least_px // max(picture.shape[:2])))
    return np.ascontiguousarray(np.repeat(np.repeat(picture, factor, axis=0), factor, axis=1))


def contact_sheet(
    pictures: Sequence[Picture] | Sequence[Sequence[Picture]],
    titles: Sequence[str] | None = None,
    columns: int | None = None,
) -> Picture:
    """Lay pictures of one size out in a grid.

    Args:
        pictures: Either rows of pictures, each row with a title above it; or single pictures, each with its own title,
            filled into `columns` columns.
        titles: One for each row, or one for each picture.
        columns: For single pictures.
    """
    if not len(pictures):
        raise ValueError("A contact sheet needs at least one picture.")
    if isinstance(pictures[0], np.ndarray):
        singles: list[Picture] = list(pictures)  # pyright: ignore[reportAssignmentType]
        if titles is not None:
            singles = [_titled(picture, title) for picture, title in zip(singles, titles, strict=True)]
        width = columns or len(singles)
        rows = [singles[start : start + width] for start in range(0, len(singles), width)]
        return np.concatenate([_row(row, width) for row in rows], axis=0)
    longest = max(len(row) for row in pictures)
    strips = [_row(row, longest) for row in pictures]  # pyright: ignore[reportArgumentType]
    if titles is not None:
        strips = [_titled(strip, title) for strip, title in zip(strips, titles, strict=True)]
    return np.concatenate(strips, axis=0)


def save_png(path: Path, picture: Picture) -> None:
    """Write a picture so that `path` is at every moment absent, the old file, or the whole new one."""
    done, data = cv2.imencode(".png", np.ascontiguousarray(picture[..., ::-1]))
    if not done:
        raise ValueError(f"A picture of shape {picture.shape} cannot be written as PNG.")
    write_atomically(path, lambda file: file.write(data.tobytes()))


def _mapped(levels: NDArray[np.uint8], colour_map: int) -> Picture:
    return np.ascontiguousarray(cv2.applyColorMap(levels, colour_map)[..., ::-1])  # pyright: ignore[reportReturnType]


def _colour(skeleton: Skeleton, joint: int) -> tuple[int, int, int]:
    return _FINGER_COLOURS.get(skeleton.joints[joint].split("_")[0], _OTHER_COLOUR)


def _row(pictures: Sequence[Picture], columns: int) -> Picture:
    height, width = pictures[0].shape[:2]
    blank = np.full((height, width, 3), NO_READING, np.uint8)
    cells = [*pictures, *[blank] * (columns - len(pictures))]
    margin = ((0, _MARGIN_PX), (0, _MARGIN_PX), (0, 0))
    return np.concatenate([np.pad(cell, margin) for cell in cells], axis=1)


def _titled(picture: Picture, title: str) -> Picture:
    band = np.zeros((_TITLE_PX, picture.shape[1], 3), np.uint8)
    (width, _), _ = cv2.getTextSize(title, cv2.FONT_HERSHEY_SIMPLEX, _TITLE_SCALE, 1)
    scale = _TITLE_SCALE * min(1.0, (picture.shape[1] - 4) / max(width, 1))
    cv2.putText(band, title, (3, _TITLE_PX - 5), cv2.FONT_HERSHEY_SIMPLEX, scale, (255, 255, 255), 1, cv2.LINE_AA)
    return np.concatenate([band, picture], axis=0)
